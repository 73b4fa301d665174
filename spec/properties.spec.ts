import { getIdToken } from 'gcp-id-token'
import fc from 'fast-check'
import { decodeJwt } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { formsOf, showsNothingOf } from './support/errors.ts'
import { setUpWith } from './support/google.ts'
import * as keys from './support/keys.ts'
import { base64, binary, coatsOfJson, coatsOfPem, damage, wear } from './support/mangled.ts'

// Whatever happens to a text: a token comes of it, or an error that has a name and tells no secret.
const test = suite('properties')

test('PEM is read through all its coats, in any order', () => {
  const worn = fc.tuple(fc.constantFrom(keys.rsa, keys.pkcs1), wear(coatsOfPem, 5), fc.boolean())
  return holds(40, worn, async ([pem, change, encoded]) => {
    const private_key = encoded ? base64(change(pem)) : change(pem)
    assert.is(await outcome({ private_key }), 'token')
  })
})

test('JSON is read through all its coats, in any order', () =>
  holds(40, fc.tuple(wear(coatsOfJson, 4), fc.boolean(), fc.boolean()), async ([change, pretty, raw]) => {
    const json = JSON.stringify({ ...(await scene).key }, null, pretty ? 2 : 0)
    assert.is(await outcome(change(raw ? json.replaceAll('\\n', '\n') : json)), 'token')
  }))

test('damaged PEM makes a token or an error with a name', () =>
  holds(120, fc.tuple(fc.constantFrom(keys.rsa, keys.pkcs1), damage()), async ([pem, change]) => {
    const named = /^(token|invalid_key|invalid_credentials|rejected)$/
    assert.match(await outcome({ private_key: change(pem) }), named)
  }))

test('damaged DER makes a token or an error with a name', () =>
  holds(120, fc.tuple(fc.constantFrom(keys.rsa, keys.pkcs1), damage(binary)), async ([pem, change]) => {
    const private_key = pem.replace(/(?<=KEY-----\n)[^-]+/, (body) => btoa(change(atob(body))))
    assert.match(await outcome({ private_key }), /^(token|invalid_key|rejected)$/)
  }))

test('damaged JSON makes a token or an error with a name', () =>
  holds(120, fc.tuple(fc.option(wear(coatsOfJson, 2)), damage()), async ([wear, change]) => {
    const json = JSON.stringify((await scene).key)
    const text = change(wear ? wear(json) : json)
    if (!text.trim()) return
    const named = /^(token|invalid_credentials|unsupported_credentials|invalid_key|rejected)$/
    assert.match(await outcome(text), named)
  }))

test('any text is an error with a name', () =>
  holds(80, fc.string({ unit: 'binary', minLength: 1 }), async (text) => {
    if (!text.trim()) return
    assert.is(await outcome(text), 'invalid_credentials')
    assert.is(await outcome({ private_key: text }), 'invalid_key')
  }))

test('any JSON is an error with a name', () =>
  holds(80, fc.dictionary(fc.constantFrom(...FIELDS), fc.jsonValue({ maxDepth: 1 })), async (fields) => {
    const named = /^(invalid_credentials|unsupported_credentials|invalid_key)$/
    assert.match(await outcome(JSON.stringify(fields)), named)
    assert.match(await outcome(fields as {}, {}), named)
  }))

test('any audience is the token\'s, as it stands', () =>
  holds(40, fc.string({ unit: 'binary', minLength: 1 }), async (audience) => {
    const { options } = await scene
    if (!audience.trim()) return // Google takes blanks for nothing
    assert.is(decodeJwt(await getIdToken({ ...options, audience, forceRefresh: true })).aud, audience)
  }))

test('a damaged answer makes a token or an error with a name', () =>
  holds(80, fc.tuple(damage(), fc.boolean()), async ([change, refused]) => {
    const { google } = await scene
    let token = ''
    google.next('token', async ({ text }, answer) => {
      const { id_token } = JSON.parse(await (await answer()).text())
      token = id_token
      const echo = new URLSearchParams(text).get('assertion')
      const body = refused ? { error: 'invalid_grant', error_description: echo } : { id_token }
      return new Response(change(JSON.stringify(body)), { status: refused ? 400 : 200 })
    })
    assert.match(await outcome({}, undefined, () => token), /^(token|invalid_response|unavailable|rejected)$/)
  }))

test.run()

const FIELDS = [
  'type', 'client_email', 'private_key', 'private_key_id', 'token_uri', 'universe_domain',
  '__proto__', 'toString'
]

const SECRETS = [...formsOf(keys.rsa), ...formsOf(keys.pkcs1)]

const scene = setUpWith(keys.rsa)
let calls = 0

/** `token`, or the code of the error, which tells neither the key nor what was sent and given. */
async function outcome(change: object | string, base?: object, given = () => ''): Promise<string> {
  const { google, key, options } = await scene
  const credentials: any = typeof change === 'string' ? change : { ...(base ?? key), ...change }
  const sent = google.requests.length
  try {
    await getIdToken({ ...options, credentials, audience: `${++calls}` })
    return 'token'
  } catch (error: any) {
    assert.is(error.name, 'IdTokenError', `${error.stack}`)
    const assertions = google.requests.slice(sent).map(({ form }) => form.assertion ?? '')
    showsNothingOf(error, ...SECRETS, ...assertions, given())
    return error.code
  }
}

function holds<T>(numRuns: number, values: fc.Arbitrary<T>, check: (value: T) => Promise<void>) {
  return fc.assert(fc.asyncProperty(values, check), { numRuns })
}
