// The oracle of the fuzzing takes what is right, and nothing else.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { rejects } from '../support/errors.ts'
import * as keys from '../support/keys.ts'
import { clock, judge } from './oracle.ts'
import { jwt, Stage } from './stage.ts'

const test = suite('the oracle')
const secret = 'ya29.0123456789abcdefghijklmnopqrstuvwxyz'
const lines = keys.short.split('\n')

test('a token is a token', async () => {
  const stage = new Stage()
  assert.is(await judge(stage, async () => stage.idToken()), 'token')
})

test('a named error is its code, and a misuse that is expected a TypeError', async () => {
  assert.is(await judge(new Stage(), async () => fail('it is odd')), 'invalid_key')
  const misuse = async () => { throw new TypeError('audience must be a text') }
  assert.is(await judge(new Stage(), misuse, { misuse: /^audience / }), 'TypeError')
})

const findings: { [what: string]: (stage: Stage) => unknown } = {
  'no token': () => 'token',
  'a token for somebody else': (stage) => stage.idToken({ aud: 'https://elsewhere.example' }),
  'a token that lives too long': (stage) => stage.idToken({ exp: Date.now() }),
  'a token that no header takes': (stage) => `${stage.idToken()}\n`,
  'a token without claims': () => jwt(''),
  'a foreign error': () => { throw new SyntaxError('Unexpected token') },
  'a TypeError that names nothing': () => { throw new TypeError('x is not a function') },
  'a text instead of an error': () => { throw 'failed' },
  'nothing instead of an error': () => { throw undefined },
  'a code that nobody knows': () => fail('it is odd', { code: 'odd' }),
  'a cause': () => fail('it is odd', { cause: new Error() }),
  'a property that nobody knows': () => fail('it is odd', { request: {} }),
  'control characters': () => fail('it is\nodd'),
  'an endless message': () => fail('x'.repeat(2000)),
  'a secret in the message': () => fail(`it is ${secret}`),
  'a piece of a secret': () => fail(`it is ${secret.slice(17, 29)}`),
  'a secret in a property': () => fail('it is odd', { description: secret }),
  'a line of a key': () => fail(`it is ${lines[5]}`),
  'a key over two lines': () => fail(`it is ${lines[5]!.slice(-6)} ${lines[6]!.slice(0, 6)}`),
  'bytes of a key': () => fail(`it is ${[...atob(lines[5]!)].map((char) => char.charCodeAt(0))}`),
  'what takes too long': (stage) => new Promise((done) => setTimeout(() => done(stage.idToken()), 61_000)),
  'what never ends': () => new Promise(() => {}),
  'a request to elsewhere': async (stage) => {
    await stage.fetch('https://oauth2.googleapis.com.evil.example/token', {})
    return stage.idToken()
  },
  'a timer that is left': (stage) => {
    setTimeout(() => {}, 3_600_000)
    return stage.idToken()
  }
}

for (const [what, outcome] of Object.entries(findings)) {
  test(`is a finding: ${what}`, async () => {
    const stage = new Stage()
    stage.secrets.add(secret)
    assert.is((await rejects(judge(stage, async () => outcome(stage)))).code, 'ERR_ASSERTION')
    clock.drop(clock.timers)
  })
}

test.run()

function fail(message: string, more: object = {}): never {
  throw Object.assign(new Error(message), { name: 'IdTokenError', code: 'invalid_key' }, more)
}
