// What every subject is asked for, in every runtime.

import { privateKeys, tokenUri } from 'given'
import { audienceOf } from './audience.js'

/** For a subject's `open`, a function that makes so many calls, one after another. */
export const cases = {
  /** Of an account that nobody has heard of, with a key that nobody has seen. */
  'first token': (open) => inSequence((number) => open(accountOf(number, number))(audienceOf(0))),
  'new audience': (open) => {
    const get = open(accountOf('new'))
    return inSequence((number) => get(audienceOf(number)))
  },
  'same audience': (open) => {
    const get = open(accountOf('same'))
    return inSequence(() => get(audienceOf(0)))
  },
  '500 at once': (open) => {
    const get = open(accountOf('many'))
    return inSequence((number) => Promise.all(Array.from({ length: 500 }, () => get(audienceOf(number)))))
  }
}

/** The key of an account. Each case has accounts of its own: it finds nothing that another left in memory. */
function accountOf(name, number = 0) {
  return {
    type: 'service_account',
    client_email: `caller-${name}@my-project.iam.gserviceaccount.com`,
    private_key_id: `${name}`.padStart(40, '0'),
    private_key: privateKeys[number],
    token_uri: tokenUri
  }
}

function inSequence(call) {
  let number = 0
  return async (count) => {
    for (const end = number + count; number < end; number++) await call(number)
  }
}
