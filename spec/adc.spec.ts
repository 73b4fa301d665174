import { IdTokenError, getIdToken } from 'gcp-id-token/adc'
import type { GetIdTokenOptions } from 'gcp-id-token/adc'
import * as core from 'gcp-id-token'
import * as federation from 'gcp-id-token/federation'
import * as impersonation from 'gcp-id-token/impersonation'
import * as metadata from 'gcp-id-token/metadata'
import { decodeJwt } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { faults, iamErrors, tokenErrors } from './google/index.ts'
import { failed } from './google/iam-credentials.ts'
import { fails, misused } from './support/errors.ts'
import { CREATOR, federated, impersonating, impersonatingByLogin, onGoogleCloud } from './support/roads.ts'

const test = suite('adc')

test('exports getIdToken, and the class of all entries\' errors', () => {
  assert.type(getIdToken, 'function')
  const entries = [core, federation, impersonation, metadata]
  for (const entry of entries) assert.is(entry.IdTokenError, IdTokenError)
})

const clothes: [what: string, wear: (json: object) => any][] = [
  ['an object', (json) => json],
  ['text', (json) => JSON.stringify(json)],
  ['base64', (json) => btoa(JSON.stringify(json))]
]
for (const [what, wear] of clothes) {
  test(`a key goes to the token endpoint: ${what}`, async () => {
    const { google, key, options: { audience, fetch } } = await impersonating()
    const token = await ask({ credentials: wear(key), audience, fetch })
    assert.is((await google.keys.verify(token, Date.now())).email, key.client_email)
    assert.equal(google.requests.map(({ endpoint }) => endpoint), ['token'])
  })

  test(`an external account goes to STS and IAM: ${what}`, async () => {
    const { account, google, json, options: { audience, fetch }, subject } = await federated()
    const token = await ask({ credentials: wear(json), subjectToken: () => subject(), audience, fetch })
    assert.is((await google.keys.verify(token, Date.now())).email, account.email)
    assert.equal(google.requests.map(({ endpoint }) => endpoint), ['sts', 'iam'])
  })

  test(`an impersonated service account over a key goes to IAM: ${what}`, async () => {
    const { account, google, json, options: { audience, fetch } } = await impersonating()
    const token = await ask({ credentials: wear(json), audience, fetch })
    assert.is((await google.keys.verify(token, Date.now())).email, account.email)
    assert.equal(google.requests.map(({ endpoint }) => endpoint), ['iam'])
  })

  test(`one over a login goes to the token endpoint first: ${what}`, async () => {
    const { account, google, json, options: { audience, fetch } } = await impersonatingByLogin()
    const token = await ask({ credentials: wear(json), audience, fetch })
    assert.is((await google.keys.verify(token, Date.now())).email, account.email)
    assert.equal(google.requests.map(({ endpoint }) => endpoint), ['token', 'iam'])
  })

  test(`a user alone is refused, with the command that makes an impersonation: ${what}`, async () => {
    const { google, user, options: { audience, fetch } } = await impersonatingByLogin()
    await fails(ask({ credentials: wear(user), audience, fetch }), 'unsupported_credentials', /are of type authorized_user - /,
      /gcloud auth application-default login --impersonate-service-account/)
    assert.is(google.requests.length, 0)
  })
}

test('a JSON without a type is a key', async () => {
  const { google, key: { client_email, private_key }, options: { audience, fetch } } = await impersonating()
  await ask({ credentials: { client_email, private_key }, audience, fetch })
  assert.equal(google.requests.map(({ endpoint }) => endpoint), ['token'])
})

test('without credentials, the metadata server is asked', async () => {
  const { account, google, options: { audience, fetch } } = await onGoogleCloud()
  const token = await getIdToken({ audience, fetch: fetch! })
  assert.is((await google.keys.verify(token, Date.now())).email, account.email)
  assert.equal(google.requests.map(({ endpoint }) => endpoint), ['metadata'])
})

test('without credentials, an error says so, and keeps what it knows', async () => {
  const { google, options: { audience, fetch } } = await onGoogleCloud()
  google.runOnGoogleCloud()
  const known = await fails(metadata.getIdToken({ audience, fetch: fetch! }), 'rejected')
  const error = await fails(getIdToken({ audience, fetch: fetch! }), 'rejected', /^No credentials were given\. /)
  assert.ok(known.hint)
  assert.equal({ ...error }, { ...known })
})

test('without credentials, mistakes and aborts are told as they are', async () => {
  const { options: { audience, fetch } } = await onGoogleCloud()
  await misused(getIdToken({ audience: 7 as never, fetch: fetch! }), /^audience must be/)
  const reason = Object.assign(new Error('mine'), { name: 'IdTokenError', code: 'unavailable' })
  const aborted = getIdToken({ audience, fetch: fetch!, signal: AbortSignal.abort(reason) })
  assert.is(await aborted.catch((error) => error), reason)
})

test('credentials that are there, but are nothing, are a secret that is not bound', async () => {
  const { google, options: { audience, fetch } } = await onGoogleCloud()
  for (const credentials of [undefined, null, '', ' \n', 7]) {
    await misused(ask({ credentials, audience, fetch }), /\bcredentials\b/, /bound\?/)
  }
  assert.is(google.requests.length, 0)
})

for (const [what, credentials, ...patterns] of [
  ['another type', { type: 'gdch_service_account' }, /service_account/],
  ['a type that is no text', { type: ['service_account'] }, /service_account/],
  ['a user of a workforce', { type: 'external_account_authorized_user' }, /service_account/]
] as const) {
  test(`refuses ${what}`, async () => {
    const { google, options: { audience, fetch } } = await onGoogleCloud()
    await fails(ask({ credentials, audience, fetch }), 'unsupported_credentials', ...patterns)
    assert.is(google.requests.length, 0)
  })
}

test('refuses JSON that says nothing, and names what it lacks', async () => {
  const { google, options: { audience, fetch } } = await onGoogleCloud()
  for (const credentials of ['{}', {}]) {
    await fails(ask({ credentials, audience, fetch }), 'invalid_credentials', /client_email/, /private_key/)
  }
  assert.is(google.requests.length, 0)
})

test('a key of another universe is refused, and the entry for it named', async () => {
  const { google, key, options: { audience, fetch } } = await impersonating({ universes: ['example.goog'] })
  const attempt = ask({ credentials: key, audience, fetch })
  await fails(attempt, 'unsupported_credentials', /example\.goog/, /gcp-id-token\/impersonation/)
  assert.is(google.requests.length, 0)
})

test('off Google Cloud, it says that no credentials were given', async () => {
  const { google, options: { audience, fetch } } = await onGoogleCloud()
  google.world.machine = undefined
  const error = await fails(ask({ audience, fetch, retries: 0 }), 'unavailable',
    /no credentials/i, /no metadata server/i, /metadata\.google\.internal/, /Google Cloud\?/)
  assert.instance(error, IdTokenError)
  assert.is(error.cause, undefined)
})

test('so it does where the metadata server refuses, with all that is known of it', async () => {
  const { google, options: { audience, fetch } } = await onGoogleCloud()
  google.runOnGoogleCloud()
  const error = await fails(ask({ audience, fetch }), 'rejected', /no credentials/i, /404/, /attached/)
  assert.is(error.status, 404)
  google.next('metadata', faults.respond(() => {
    return new Response('by policy', { status: 403, headers: { 'metadata-flavor': 'Google' } })
  }))
  const second = await fails(ask({ audience, fetch }), 'rejected', /no credentials/i, /403/)
  assert.is(second.description, 'by policy')
})

test('so it does where another server has the address', async () => {
  const { google, options: { audience, fetch } } = await onGoogleCloud()
  google.next('metadata', faults.html(200, '<h1>Hello</h1>'))
  await fails(ask({ audience, fetch }), 'invalid_response', /no credentials/i, /metadata server/)
})

test('a mistake in the options is a TypeError there, too', async () => {
  const { google, options: { fetch } } = await onGoogleCloud()
  await misused(ask({ fetch }), /\baudience\b/)
  await misused(ask({ audience: new URL('https://a.run.app'), fetch }), /\baudience\b/)
  await misused(ask({ audience: 'a', fetch: 7 }), /\bfetch\b/)
  assert.is(google.requests.length, 0)
})

test('an abort is an abort there, too', async () => {
  const { google, options: { audience, fetch } } = await onGoogleCloud()
  google.next('metadata', faults.hang())
  const controller = new AbortController()
  // The exchange goes on without its caller; here it shall not go on for long.
  const brief = { timeout: 10, retries: 0 }
  const attempt = ask({ audience, fetch, signal: controller.signal, ...brief }).catch((reason) => reason)
  controller.abort('enough')
  assert.is(await attempt, 'enough')
})

test('what others say is passed on as it is', async () => {
  const { google, json, options: { audience, fetch } } = await impersonating()
  google.next('iam', faults.respond(() => failed(iamErrors.noIdToken)))
  const error = await fails(ask({ credentials: json, audience, fetch }), 'rejected', /getOpenIdToken/)
  assert.not.match(error.message, /no credentials/i)
  assert.match(error.hint, /serviceAccountOpenIdTokenCreator/)
})

test('without subjectToken, an external account says where its own comes from', async () => {
  const { google, json, options: { audience, fetch } } = await federated()
  const credentials = { ...json, credential_source: { file: '/var/run/token' } }
  await fails(ask({ credentials, audience, fetch }), 'unsupported_credentials', /\bfile\b/, /subjectToken/)
  assert.is(google.requests.length, 0)
})

test('subjectToken may be a text, or a function with an identity where there is a store', async () => {
  const { google, json, options: { audience, fetch }, subject } = await federated()
  const store = { get: async () => null, set: async () => {} }
  const options = { credentials: json, audience, fetch, store }
  await ask({ ...options, subjectToken: await subject() })
  await ask({ ...options, subjectToken: () => subject(), identity: 'me' })
  await misused(ask({ ...options, subjectToken: () => subject() }), /\bidentity\b/)
  assert.is(google.requests.length, 4)
})

test('all entries have one cache: what one got, another has', async () => {
  const { google, key, options: { audience, fetch } } = await impersonating()
  const own = await core.getIdToken({ credentials: key, audience, fetch: fetch! })
  assert.is(await ask({ credentials: JSON.stringify(key), audience, fetch }), own)
  assert.is(google.requests.length, 1)

  const cloud = await onGoogleCloud()
  const token = await cloud.ask()
  assert.is(await ask({ audience: cloud.options.audience, fetch: cloud.options.fetch }), token)
  assert.is(cloud.google.requests.length, 1)
})

test('and one table of flights', async () => {
  const { google, json, options: { audience, fetch } } = await impersonating()
  const options = { credentials: json, audience, fetch: fetch! }
  const tokens = await Promise.all([impersonation.getIdToken(options), ask(options), ask(options)])
  assert.is(new Set(tokens).size, 1)
  assert.is(google.requests.length, 1)
})

test('yet no token of one is the other\'s: a key, and the same key that acts as itself', async () => {
  const { google, key, options: { audience, fetch } } = await impersonating()
  google.grant(`serviceAccount:${key.client_email}`, CREATOR, key.client_email)
  const common = { credentials: key, audience, fetch: fetch! }
  const direct = await ask(common)
  const acting = await impersonation.getIdToken({ ...common, serviceAccount: key.client_email })
  assert.is.not(direct, acting)
  assert.is(decodeJwt(direct).email, decodeJwt(acting).email)
  assert.equal(google.requests.map(({ endpoint }) => endpoint), ['token', 'iam'])
})

test('what the token endpoint refuses is said of the key', async () => {
  const { google, key, options: { audience, fetch } } = await impersonating()
  google.next('token', faults.refusal(tokenErrors.badSignature))
  await fails(ask({ credentials: key, audience, fetch }), 'rejected', /Invalid JWT Signature/)
})

test.run()

/** Also with what the types would not allow. */
function ask(options: { [name: string]: unknown }): Promise<string> {
  return getIdToken(options as unknown as GetIdTokenOptions)
}
