import { SignJWT, decodeJwt, importPKCS8, jwtVerify } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle, iamErrors, notFound } from './index.ts'
import type { Account, Google, KeyFile } from './index.ts'

const test = suite('local Google: IAM credentials')

const NOW = 1_800_000_000
const HOST = 'https://iamcredentials.googleapis.com'
const SCOPE = { scope: ['https://www.googleapis.com/auth/iam'] }
const CLOUD = 'https://www.googleapis.com/auth/cloud-platform'
const CREATOR = 'roles/iam.serviceAccountTokenCreator'

test('gives an ID token to who may have it', async () => {
  const { google, bearer, target } = await setUp()
  const body = { audience: 'https://example.com', includeEmail: true }
  const response = await call(google, bearer, target.email, 'generateIdToken', body)
  assert.is(response.status, 200)
  assert.equal(google.requests.at(-1)!.json, body)
  const { token, ...rest } = JSON.parse(await response.text())
  assert.equal(rest, {})
  assert.equal(await google.keys.verify(token, NOW * 1000), {
    aud: 'https://example.com',
    azp: target.uniqueId,
    sub: target.uniqueId,
    email: target.email,
    email_verified: true,
    iat: NOW,
    exp: NOW + 3600,
    iss: 'https://accounts.google.com'
  })
})

test('leaves the email out unless asked, and puts it in azp when asked', async () => {
  const { google, bearer, target } = await setUp()
  const claims = async (more: object) => {
    const body = { audience: 'a', ...more }
    const response = await call(google, bearer, target.uniqueId, 'generateIdToken', body)
    return decodeJwt(JSON.parse(await response.text()).token)
  }
  assert.is((await claims({})).email, undefined)
  assert.is((await claims({ includeEmail: 'true', useEmailAzp: 'true' })).email, target.email)
  assert.is((await claims({ useEmailAzp: true })).azp, target.email)
  assert.equal((await claims({ organizationNumberIncluded: true })).google, { organization_number: null })
  google.settings.iamIdTokenLifetime = 600
  assert.is((await claims({})).exp, NOW + 600)
})

test('gives access tokens for an hour at most', async () => {
  const { google, bearer, target } = await setUp()
  const scope = ['https://www.googleapis.com/auth/cloud-platform']
  const get = (body: object) => call(google, bearer, target.email, 'generateAccessToken', body)
  const response = await get({ scope, lifetime: '600s' })
  const { accessToken, expireTime } = JSON.parse(await response.text())
  assert.match(accessToken, /^ya29\.c\./)
  assert.is(expireTime, new Date((NOW + 600) * 1000).toISOString().replace('.000', ''))
  await failedWith(get({ scope, lifetime: '0s' }), iamErrors.noLifetime)
  await failedWith(get({ scope, lifetime: '3601s' }), iamErrors.longLifetime)
  await failedWith(get({ scope, lifetime: '1h' }), iamErrors.invalidArgument)
  await failedWith(get({ scope: [] }), iamErrors.invalidArgument)

  google.grant(`serviceAccount:${target.email}`, CREATOR, target.email)
  const itself = await call(google, accessToken, target.email, 'generateIdToken', { audience: 'a' })
  assert.is(itself.status, 200)
})

test('signs for who may, with a key that the account has', async () => {
  const { google, bearer, target } = await setUp()
  const payload = JSON.stringify({ iss: target.email, exp: NOW + 60 })
  const response = await call(google, bearer, target.email, 'signJwt', { payload })
  const { keyId, signedJwt } = JSON.parse(await response.text())
  const key = target.keys.find(({ id }) => id === keyId)!
  const { payload: claims } = await jwtVerify(signedJwt, key.publicKey, { currentDate: new Date(NOW * 1000) })
  assert.is(claims.iss, target.email)
  await failedWith(call(google, bearer, target.email, 'signJwt', { payload: 'x' }), iamErrors.invalidArgument)
})

test('tells no credentials from bad ones', async () => {
  const { google, bearer, target } = await setUp()
  const header = async (token: string | undefined) =>
    (await call(google, token, target.email)).headers.get('www-authenticate')
  assert.is(await header(undefined), 'Bearer realm="https://accounts.google.com/"')
  assert.is(await header('ya29.x'), 'Bearer realm="https://accounts.google.com/", error="invalid_token"')
  await failedWith(call(google, undefined, target.email), iamErrors.noCredentials)
  for (const bad of ['ya29.x', bearer.slice(1), await google.issueIdToken(target, HOST)]) {
    await failedWith(call(google, bad, target.email), iamErrors.badCredentials)
  }
  google.settings.clockOffset = 3600
  await failedWith(call(google, bearer, target.email), iamErrors.badCredentials)
})

test('wants a scope that reaches so far', async () => {
  const { google, key, target } = await setUp()
  const narrow = await accessToken(google, key, 'https://www.googleapis.com/auth/devstorage.read_only')
  await failedWith(call(google, narrow, target.email), iamErrors.badScopes)
  const iam = await accessToken(google, key, 'https://www.googleapis.com/auth/iam')
  assert.is((await call(google, iam, target.email)).status, 200)
})

test('denies what was not granted, on each resource by itself', async () => {
  const { google, bearer, target } = await setUp()
  const other = google.createAccount()
  await failedWith(call(google, bearer, other.email), iamErrors.noIdToken)
  google.world.grants.length = 0
  await failedWith(call(google, bearer, target.email), iamErrors.noIdToken)
  await failedWith(call(google, bearer, target.email, 'generateAccessToken', SCOPE), iamErrors.noAccessToken)
  await failedWith(call(google, bearer, target.email, 'signJwt', { payload: '{}' }), iamErrors.noSignature)
  await failedWith(call(google, bearer, 'nobody@example.com'), notFound('nobody@example.com'))
})

test('lets each role do its own', async () => {
  const { google, key, bearer, target } = await setUp()
  const caller = `serviceAccount:${key.client_email}`
  google.world.grants.length = 0
  google.grant(caller, 'roles/iam.serviceAccountOpenIdTokenCreator', target.email)
  assert.is((await call(google, bearer, target.email)).status, 200)
  await failedWith(call(google, bearer, target.email, 'generateAccessToken', SCOPE), iamErrors.noAccessToken)
  google.grant(caller, 'roles/iam.workloadIdentityUser', target.email)
  assert.is((await call(google, bearer, target.email, 'generateAccessToken', SCOPE)).status, 200)
  await failedWith(call(google, bearer, target.email, 'signJwt', { payload: '{}' }), iamErrors.noSignature)
})

test('walks a chain of delegates, each of whom may act as the next', async () => {
  const { google, bearer, target } = await setUp()
  const [middle, last] = [google.createAccount(), google.createAccount()]
  const name = ({ email }: Account) => `projects/-/serviceAccounts/${email}`
  const get = (delegates: unknown) =>
    call(google, bearer, last.email, 'generateIdToken', { audience: 'a', delegates })
  await failedWith(get([]), iamErrors.noIdToken)
  await failedWith(get([name(target), name(middle)]), iamErrors.noDelegation)
  google.grant(`serviceAccount:${target.email}`, CREATOR, middle.email)
  await failedWith(get([name(target), name(middle)]), iamErrors.noIdToken)
  google.grant(`serviceAccount:${middle.email}`, CREATOR, last.email)
  assert.is((await get([name(target), name(middle)])).status, 200)
  await failedWith(get([name(middle), name(target)]), iamErrors.noDelegation)
  for (const bad of [[target.email], ['projects/p/serviceAccounts/x'], target.email]) {
    await failedWith(get(bad), iamErrors.invalidArgument)
  }
})

test('takes a JWT that an account signed for itself as its bearer', async () => {
  const { google, key, target } = await setUp()
  const good = { iss: key.client_email, sub: key.client_email, iat: NOW, exp: NOW + 3600 }
  const scope = 'https://www.googleapis.com/auth/iam'
  assert.is((await call(google, await signed(key, { ...good, scope }), target.email)).status, 200)
  assert.is((await call(google, await signed(key, { ...good, aud: `${HOST}/` }), target.email)).status, 200)

  const stranger = await google.createKey()
  const bad = [
    await signed(stranger, { ...good, scope }),
    await signed(key, good),
    await signed(key, { ...good, scope, aud: 'https://oauth2.googleapis.com/token' }),
    await signed(key, { ...good, aud: 'https://storage.googleapis.com/' }),
    await signed(key, { ...good, scope, sub: undefined }),
    await signed(key, { ...good, scope, exp: undefined }),
    await signed(key, { ...good, scope, exp: NOW + 3601 }),
    await signed(key, { ...good, scope, iat: NOW - 3600, exp: NOW }),
    await signed(key, { ...good, scope, iat: NOW + 61, exp: NOW + 120 })
  ]
  for (const token of bad) await failedWith(call(google, token, target.email), iamErrors.badCredentials)
  const narrow = await signed(key, { ...good, scope: 'openid' })
  await failedWith(call(google, narrow, target.email), iamErrors.badScopes)
})

test('keeps universes apart', async () => {
  const google = createGoogle({ now: () => NOW * 1000, universes: ['example.goog'] })
  const account = google.createAccount('caller', 'example.goog')
  const key = await google.createKey(account)
  assert.is(key.universe_domain, 'example.goog')
  const { email } = account
  google.grant(`serviceAccount:${email}`, CREATOR, email)
  const bearer = await signed(key, { iss: email, sub: email, iat: NOW, exp: NOW + 60, scope: SCOPE.scope[0] })
  const get = (host: string) => call(google, bearer, email, 'generateIdToken', { audience: 'a' }, host)
  assert.is((await get('https://iamcredentials.example.goog')).status, 200)
  await failedWith(get(HOST), iamErrors.badCredentials)
  const nowhere = await get('https://iamcredentials.example.com').then(String, error => error.message)
  assert.is(nowhere, 'fetch failed')
})

test('is at Google\'s regional hosts too', async () => {
  const { google, bearer, target } = await setUp()
  const get = (name: string) => call(google, bearer, target.email, 'generateIdToken', { audience: 'a' },
    `https://${name}.googleapis.com`)
  for (const name of ['us-east1-iamcredentials', 'us-east1.iamcredentials', 'iamcredentials.us-east1']) {
    assert.is((await get(name)).status, 200, name)
  }
  assert.is((await get('iamcredentialsx')).status, 404)
})

test('refuses what it cannot read, and what it does not know', async () => {
  const { google, bearer, target } = await setUp()
  const good = { audience: 'a' }
  const bodies = [{}, { audience: '' }, { audience: 7 }, { ...good, includeMail: true }, [good], null]
  for (const body of bodies) {
    await failedWith(call(google, bearer, target.email, 'generateIdToken', body), iamErrors.invalidArgument)
  }
  const url = `${HOST}/v1/projects/-/serviceAccounts/${target.email}:generateIdToken`
  const init = { method: 'POST', headers: { authorization: `Bearer ${bearer}` }, body: '{"audience":"a"}' }
  await failedWith(google.fetch(url, init), iamErrors.invalidArgument)
  const json = { ...init, headers: { ...init.headers, 'content-type': 'application/json' } }
  assert.is((await google.fetch(url, json)).status, 200)
  await failedWith(google.fetch(url.replace('/-/', '/p/'), json), iamErrors.invalidArgument)
  const form = { ...init, body: new URLSearchParams({ audience: 'a' }) }
  assert.is((await google.fetch(url, form)).status, 200)

  for (const [wrong, init] of [[url], [`${url}s`, json], [`${HOST}/v1/token`, json]] as const) {
    const response = await google.fetch(wrong, init)
    assert.is(response.status, 404)
    assert.match(await response.text(), 'Error 404 (Not Found)!!1')
  }
})

test.run()

async function setUp(): Promise<{ google: Google, key: KeyFile, bearer: string, target: Account }> {
  const google = createGoogle({ now: () => NOW * 1000 })
  const key = await google.createKey()
  const target = google.createAccount()
  google.grant(`serviceAccount:${key.client_email}`, CREATOR, target.email)
  return { google, key, bearer: await accessToken(google, key), target }
}

async function accessToken(google: Google, key: KeyFile, scope = `${CLOUD} openid`): Promise<string> {
  const claims = { iss: key.client_email, aud: key.token_uri, scope, iat: NOW, exp: NOW + 3600 }
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
  const body = new URLSearchParams({ grant_type, assertion: await signed(key, claims) })
  const response = await google.fetch(key.token_uri, { method: 'POST', body })
  return JSON.parse(await response.text()).access_token
}

async function signed(key: KeyFile, claims: object): Promise<string> {
  const header = { alg: 'RS256', typ: 'JWT', kid: key.private_key_id }
  const jwt = new SignJWT(claims as {}).setProtectedHeader(header)
  return jwt.sign(await importPKCS8(key.private_key, 'RS256'))
}

function call(
  google: Google,
  bearer: string | undefined,
  account: string,
  method = 'generateIdToken',
  body: unknown = { audience: 'a' },
  host = HOST
): Promise<Response> {
  return google.fetch(`${host}/v1/projects/-/serviceAccounts/${encodeURIComponent(account)}:${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer && { authorization: `Bearer ${bearer}` } },
    body: JSON.stringify(body)
  })
}

async function failedWith(pending: Promise<Response>, expected: typeof iamErrors.internal): Promise<void> {
  const response = await pending
  const { error } = JSON.parse(await response.text())
  const { code, status, message, reason } = expected
  assert.equal([response.status, error.code, error.status, error.message], [code, code, status, message])
  assert.is(error.details?.[0].reason, reason)
}
