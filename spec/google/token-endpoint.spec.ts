import { SignJWT, base64url, decodeJwt, generateKeyPair, importPKCS8 } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle, tokenErrors } from './index.ts'
import { TOKEN_URLS } from './token-endpoint.ts'
import type { Google, KeyFile, Settings } from './index.ts'

const test = suite('local Google: token endpoint')

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const TOKEN_URL = 'https://oauth2.googleapis.com/token'
const AUDIENCE = 'https://hello-uc.a.run.app'
const NOW = 1_800_000_000
const NO_UTF_8 = Uint8Array.of(123, 34, 255, 34, 58, 49, 125)

// A row: what is changed in a good assertion, and the refusal that must come of it.
const claimRows: [string, Record<string, unknown>, keyof typeof tokenErrors][] = [
  ['iss unknown', { iss: 'nobody@a-project.iam.gserviceaccount.com' }, 'unknownAccount'],
  ['iss missing', { iss: undefined }, 'unknownAccount'],
  ['iss no string', { iss: 7 }, 'unknownAccount'],
  ['iat missing', { iat: undefined }, 'noIat'],
  ['iat null', { iat: null }, 'noIat'],
  ['exp missing', { exp: undefined }, 'noExp'],
  ['both missing', { iat: undefined, exp: undefined }, 'noIat'],
  ['expired', { iat: NOW - 3600, exp: NOW }, 'badTime'],
  ['longer than an hour', { exp: NOW - 30 + 3601 }, 'badTime'],
  ['iat in the future', { iat: NOW + 61, exp: NOW + 120 }, 'badTime'],
  ['exp before iat', { iat: NOW + 50, exp: NOW + 40 }, 'badTime'],
  ['times in words', { iat: 'now', exp: 'later' }, 'badTime'],
  ['times in milliseconds', { iat: NOW * 1000, exp: (NOW + 3600) * 1000 }, 'badTime'],
  ['no target_audience', { target_audience: undefined }, 'noAudience'],
  ['empty target_audience', { target_audience: '' }, 'noAudience'],
  ['empty scope', { target_audience: undefined, scope: ' ' }, 'noAudience'],
  ['aud missing', { aud: undefined }, 'badAudience'],
  ['aud elsewhere', { aud: 'https://example.com/token' }, 'badAudience'],
  ['aud with a slash', { aud: `${TOKEN_URL}/` }, 'badAudience'],
  ['aud of an older URL', { aud: 'https://www.googleapis.com/oauth2/v4/token' }, 'badAudience'],
  ['aud an array', { aud: [TOKEN_URL] }, 'badAudience'],
  ['sub of a user', { sub: 'someone@example.com' }, 'unauthorizedClient'],
  ['sub no string', { sub: 7 }, 'badSubject']
]

for (const [what, change, expected] of claimRows) {
  test(`refuses: ${what}`, async () => {
    const { google, key } = await setUp()
    await refused(google, await assertion(key, change), expected)
  })
}

const textRows: [string, (good: string) => string, keyof typeof tokenErrors][] = [
  ['no assertion', () => '', 'badStructure'],
  ['two parts', good => good.split('.').slice(0, 2).join('.'), 'badStructure'],
  ['four parts', good => `${good}.x`, 'badStructure'],
  ['half a padding', good => `${good}=`, 'badStructure'],
  ['too much padding', good => `${good}====`, 'badStructure'],
  ['the other base64', good => good.replace(/\..*/, '.e+/9.AAAA'), 'badStructure'],
  ['impossible length', good => good.replace(/\.[\w-]+$/, '.AAAAA'), 'badStructure'],
  ['header no JSON', good => good.replace(/^[\w-]+/, base64url.encode('{')), 'badStructure'],
  ['header an array', good => good.replace(/^[\w-]+/, base64url.encode('[]')), 'badStructure'],
  ['claims null', good => good.replace(/\.[\w-]+\./, `.${base64url.encode('null')}.`), 'badStructure'],
  ['claims no UTF-8', good => good.replace(/\.[\w-]+\./, `.${base64url.encode(NO_UTF_8)}.`), 'badStructure'],
  ['a changed claim', good => changedClaim(good), 'badSignature'],
  ['another signature', good => good.replace(/[\w-]{10}$/, 'AAAAAAAAAA'), 'badSignature'],
  ['no signature', good => good.replace(/[\w-]+$/, ''), 'badSignature'],
  ['alg none', good => `${base64url.encode('{"alg":"none"}')}.${good.split('.')[1]}.`, 'badSignature'],
  ['no alg', good => good.replace(/^[\w-]+/, base64url.encode('{"typ":"JWT"}')), 'badSignature']
]

for (const [what, change, expected] of textRows) {
  test(`refuses: ${what}`, async () => {
    const { google, key } = await setUp()
    await refused(google, change(await assertion(key)), expected)
  })
}

test('takes padded segments, as Google\'s client for Python sends them', async () => {
  const { google, key } = await setUp()
  const padded = (text: string) => text.padEnd(Math.ceil(text.length / 4) * 4, '=')
  const input = (await assertion(key)).split('.').slice(0, 2).map(padded).join('.')
  const signer = await importPKCS8(key.private_key, 'RS256')
  const bytes = await crypto.subtle.sign('RSASSA-PKCS1-v1_5', signer, new TextEncoder().encode(input))
  const text = `${input}.${padded(base64url.encode(new Uint8Array(bytes)))}`
  assert.match(text, /=$/)
  assert.is((await post(google, text)).status, 200)
})

test('refuses an assertion signed by another key, with HS256, or by a deleted key', async () => {
  const { google, key } = await setUp()
  const stranger = await generateKeyPair('RS256')
  await refused(google, await assertion(key, {}, { signer: stranger.privateKey }), 'badSignature')
  const secret = new TextEncoder().encode(key.private_key)
  await refused(google, await assertion(key, {}, { signer: secret, alg: 'HS256' }), 'badSignature')
  await refused(google, await assertion(key, {}, { kid: 'another' }), 'badSignature')
  const good = await assertion(key)
  google.world.accounts.get(key.client_email)!.keys.length = 0
  await refused(google, good, 'badSignature')
})

test('looks for keys by the account, where the assertion names none', async () => {
  const { google, key } = await setUp()
  const { private_key } = await google.createKey()
  const another = { signer: await importPKCS8(private_key, 'RS256'), kid: undefined }
  await refused(google, await assertion(key, {}, another), 'badSignature')
  await refused(google, await assertion(key, { iss: 'nobody@example.com' }, another), 'unknownAccount')
  const broken = changedClaim(await assertion(key, { iss: 'nobody@example.com' }, another))
  await refused(google, broken, 'unknownAccount')
})

test('refuses a key that signs for another account', async () => {
  const { google, key } = await setUp()
  const { email } = google.createAccount()
  await refused(google, await assertion(key, { iss: email }), 'badSignature')
})

test('refuses disabled keys and accounts, and forgets deleted accounts', async () => {
  const { google, key } = await setUp()
  const account = google.world.accounts.get(key.client_email)!
  account.keys[0]!.disabled = true
  await refused(google, await assertion(key), 'disabledClient')
  account.keys[0]!.disabled = false
  account.disabled = true
  await refused(google, await assertion(key), 'disabledClient')
  google.world.accounts.delete(account.email)
  await refused(google, await assertion(key), 'unknownAccount')
})

test('checks in the order that Google was seen to check in', async () => {
  const { google, key } = await setUp()
  const wrong = { iat: undefined, exp: undefined, target_audience: undefined, aud: undefined }
  const nobody = { iss: 'nobody@a-project.iam.gserviceaccount.com' }
  const order: [Record<string, unknown>, keyof typeof tokenErrors][] = [
    [{ ...wrong, ...nobody }, 'unknownAccount'],
    [wrong, 'noIat'],
    [{ ...wrong, iat: NOW - 9000 }, 'noExp'],
    [{ ...wrong, iat: NOW - 9000, exp: NOW - 8000 }, 'badTime'],
    [{ ...wrong, iat: NOW, exp: NOW + 60 }, 'noAudience'],
    [{ aud: undefined }, 'badAudience']
  ]
  await refused(google, changedClaim(await assertion(key, { ...wrong, ...nobody })), 'badSignature')
  for (const [change, expected] of order) await refused(google, await assertion(key, change), expected)
})

test('refuses other grants, and what is no form', async () => {
  const { google, key } = await setUp()
  const good = await assertion(key)
  const form = (grant: string) => new URLSearchParams({ grant_type: grant, assertion: good })
  await unsupported(google, { body: form('password') }, 'password')
  await unsupported(google, { body: form('') }, '')
  await unsupported(google, { body: new URLSearchParams({ assertion: good }) }, '')
  const json = JSON.stringify({ grant_type: JWT_BEARER, assertion: good })
  await unsupported(google, { body: json, headers: { 'content-type': 'application/json' } }, '')
  await unsupported(google, { body: String(form(JWT_BEARER)), headers: { 'content-type': 'text/plain' } }, '')

  const get = await google.fetch(TOKEN_URL)
  assert.is(get.status, 404)
  assert.match(await get.text(), 'Error 404 (Not Found)!!1')
})

test('gives an ID token and nothing else', async () => {
  const { google, key } = await setUp()
  const response = await post(google, await assertion(key))
  assert.is(response.status, 200)
  assert.is(response.headers.get('content-type'), 'application/json; charset=utf-8')
  assert.is(response.headers.get('date'), new Date(NOW * 1000).toUTCString())
  const body = JSON.parse(await response.text())
  assert.equal(Object.keys(body), ['id_token'])
  assert.equal(await google.keys.verify(body.id_token, NOW * 1000), {
    aud: AUDIENCE,
    azp: key.client_email,
    email: key.client_email,
    email_verified: true,
    sub: key.client_id,
    exp: NOW + 3600,
    iat: NOW,
    iss: 'https://accounts.google.com'
  })
})

const goodRows: [string, Record<string, unknown>, Signing?][] = [
  ['no kid', {}, { kid: undefined }],
  ['no sub', { sub: undefined }],
  ['digits in strings', { iat: String(NOW), exp: String(NOW + 60) }],
  ['iat a minute ahead', { iat: NOW + 60, exp: NOW + 3660 }],
  ['exp in a second', { iat: NOW - 3599, exp: NOW + 1 }],
  ['a scope beside the target audience', { scope: 'https://www.googleapis.com/auth/cloud-platform' }],
  ['a scope that nobody knows', { target_audience: undefined, scope: AUDIENCE }]
]

for (const [what, change, signing] of goodRows) {
  test(`takes: ${what}`, async () => {
    const { google, key } = await setUp()
    const response = await post(google, await assertion(key, change, signing))
    const { id_token, ...rest } = JSON.parse(await response.text())
    assert.equal(rest, {})
    assert.is(decodeJwt(id_token).aud, AUDIENCE)
  })
}

test('gives an opaque access token for a scope', async () => {
  const { google, key } = await setUp()
  const scope = 'https://www.googleapis.com/auth/cloud-platform'
  const response = await post(google, await assertion(key, { target_audience: undefined, scope }))
  const { access_token, ...rest } = JSON.parse(await response.text())
  assert.match(access_token, /^ya29\.c\.\w+$/)
  assert.equal(rest, { expires_in: 3599, token_type: 'Bearer' })
})

test('answers at the older URLs, whose own aud is right there', async () => {
  const { google, key } = await setUp()
  for (const url of TOKEN_URLS.slice(1)) {
    assert.is((await post(google, await assertion(key, { aud: url }), url)).status, 200)
    assert.is((await post(google, await assertion(key), url)).status, 200)
  }
})

test('has knobs for what is not documented', async () => {
  const { google, key } = await setUp({
    clockOffset: 120, dateHeader: false, longestAssertion: 3900, mixedAudiences: true,
    idTokenLifetime: 600, idTokenAge: 100, idTokenClaims: { email: undefined, aud: 'elsewhere' }
  })
  const claims = { exp: NOW + 3800, aud: 'https://accounts.google.com/o/oauth2/token' }
  const response = await post(google, await assertion(key, claims))
  assert.is(response.headers.get('date'), null)
  const { iat, exp, email, aud } = decodeJwt(JSON.parse(await response.text()).id_token)
  const expected = { iat: NOW + 20, exp: NOW + 620, email: undefined, aud: 'elsewhere' }
  assert.equal({ iat, exp, email, aud }, expected)
})

test('keeps a log of what it saw', async () => {
  const { google, key } = await setUp()
  const form = { grant_type: JWT_BEARER, assertion: await assertion(key) }
  const init = { method: 'POST', body: new URLSearchParams(form) }
  await google.fetch(TOKEN_URL, init)
  const [seen] = google.requests
  assert.is(google.requests.length, 1)
  assert.is(seen!.endpoint, 'token')
  assert.is(seen!.url, TOKEN_URL)
  assert.is(seen!.form.grant_type, JWT_BEARER)
  assert.is(seen!.assertion!.header.kid, key.private_key_id)
  assert.is(seen!.assertion!.claims.target_audience, AUDIENCE)
  assert.is(seen!.init, init)
  assert.is(seen!.status, 200)
})

test.run()

async function setUp(settings: Partial<Settings> = {}): Promise<{ google: Google, key: KeyFile }> {
  const google = createGoogle({ now: () => NOW * 1000, settings })
  return { google, key: await google.createKey() }
}

async function assertion(key: KeyFile, change: object = {}, signing: Signing = {}): Promise<string> {
  const { alg, kid, signer } = { alg: 'RS256', kid: key.private_key_id, signer: undefined, ...signing }
  const claims = {
    iss: key.client_email,
    sub: key.client_email,
    aud: TOKEN_URL,
    target_audience: AUDIENCE,
    iat: NOW - 30,
    exp: NOW - 30 + 3600,
    ...change
  }
  return new SignJWT(claims as {})
    .setProtectedHeader({ alg, typ: 'JWT', ...kid !== undefined && { kid } })
    .sign(signer ?? await importPKCS8(key.private_key, 'RS256'))
}

function changedClaim(good: string): string {
  const claims = { ...decodeJwt(good), target_audience: 'https://elsewhere.example' }
  return good.replace(/\.[\w-]+\./, `.${base64url.encode(JSON.stringify(claims))}.`)
}

function post(google: Google, text: string, url = TOKEN_URL): Promise<Response> {
  const form = { grant_type: JWT_BEARER, assertion: text }
  return google.fetch(url, { method: 'POST', body: new URLSearchParams(form) })
}

async function refused(google: Google, text: string, expected: keyof typeof tokenErrors): Promise<void> {
  const { status, error, description } = tokenErrors[expected]
  const response = await post(google, text)
  assert.equal({ status: response.status, body: JSON.parse(await response.text()) }, {
    status,
    body: { error, ...description !== undefined && { error_description: description } }
  })
}

async function unsupported(google: Google, init: RequestInit, grant: string): Promise<void> {
  const response = await google.fetch(TOKEN_URL, { method: 'POST', ...init })
  assert.is(response.status, 400)
  assert.equal(JSON.parse(await response.text()), {
    error: 'unsupported_grant_type',
    error_description: `Invalid grant_type: ${grant}`
  })
}

interface Signing {
  alg?: string
  kid?: string | undefined
  signer?: CryptoKey | Uint8Array
}
