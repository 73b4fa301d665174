// What every subject is asked for, in every runtime.

/** The token endpoint has tokens for as many of these as it was told to sign. */
export const audienceOf = (number) => `https://service-${number}-abc123-ew.a.run.app`

/** For a subject's `open` and a key, a function that makes so many calls, one after another. */
export const cases = {
  /** Nobody has heard of the account yet: its key is read and imported anew. */
  'first token': (open, key) => inSequence((number) => open(accountWith(key, number))(audienceOf(0))),
  'new audience': (open, key) => {
    const get = open(accountWith(key, 'new'))
    return inSequence((number) => get(audienceOf(number)))
  },
  'same audience': (open, key) => {
    const get = open(accountWith(key, 'same'))
    return inSequence(() => get(audienceOf(0)))
  },
  '500 at once': (open, key) => {
    const get = open(accountWith(key, 'many'))
    return inSequence((number) => Promise.all(Array.from({ length: 500 }, () => get(audienceOf(number)))))
  }
}

/** Every case has accounts of its own, and so finds nothing that another has left in memory. */
function accountWith(key, name) {
  const client_email = `caller-${name}@my-project.iam.gserviceaccount.com`
  return { ...key, client_email, private_key_id: `${name}`.padStart(40, '0') }
}

function inSequence(call) {
  let number = 0
  return async (count) => {
    for (const end = number + count; number < end; number++) await call(number)
  }
}
