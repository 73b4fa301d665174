import { getIdToken } from 'gcp-id-token'
import { CompactSign, base64url, decodeJwt, importPKCS8 } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle } from './google/index.ts'
import type { Seen } from './google/index.ts'
import { audience, setUp } from './support/google.ts'

const test = suite('assertion')

const TOKEN_URL = 'https://oauth2.googleapis.com/token'

test('has a header of alg, typ and the id of the key', async () => {
  const { google, key, options } = await setUp()
  await getIdToken(options)
  assert.equal(asserted(google.requests[0]!).header, { alg: 'RS256', typ: 'JWT', kid: key.private_key_id })
})

test('has no kid when the key has no id', async () => {
  const { google, key, options } = await setUp()
  const { private_key_id, ...rest } = key
  await getIdToken({ ...options, credentials: rest })
  const credentials = { ...rest, private_key_id: null as never }
  await getIdToken({ ...options, credentials, forceRefresh: true })
  assert.is(google.requests.length, 2)
  for (const request of google.requests) assert.equal(asserted(request).header, { alg: 'RS256', typ: 'JWT' })
})

test('claims just what is needed, from 30 seconds ago for an hour', async () => {
  const now = 1_900_000_000_999
  const google = createGoogle({ now: () => now, settings: { dateHeader: false } })
  const key = await google.createKey()
  await atTime(now, () => getIdToken({ credentials: key, audience, fetch: google.fetch }))
  assert.equal(asserted(google.requests[0]!).claims, {
    iss: key.client_email,
    sub: key.client_email,
    aud: TOKEN_URL,
    target_audience: audience,
    iat: 1_900_000_000 - 30,
    exp: 1_900_000_000 - 30 + 3600
  })
})

test('is taken by the strictest Google whose clock is 30 seconds behind', async () => {
  const { google, options } = await setUp({ clockOffset: -30, futureSkew: 0, dateHeader: false })
  await getIdToken(options)
  assert.is(google.requests[0]!.status, 200)
})

test('is signed by a key that nobody can export, and that is good for nothing else', async () => {
  const { google, options } = await setUp()
  const credentials = await google.createKey(google.createAccount(), { fresh: true })
  const { subtle } = crypto
  const { importKey } = subtle
  const imported: CryptoKey[] = []
  subtle.importKey = async (...args: any[]) => {
    const key = await (importKey as (...args: any[]) => Promise<CryptoKey>).apply(subtle, args)
    if (args[0] === 'pkcs8') imported.push(key)
    return key
  }
  try {
    await getIdToken({ ...options, credentials })
  } finally {
    subtle.importKey = importKey
  }
  assert.equal(imported.map(({ extractable, usages }) => [extractable, [...usages]]), [[false, ['sign']]])
})

const endpoints = [
  TOKEN_URL,
  'https://www.googleapis.com/oauth2/v4/token',
  'https://accounts.google.com/o/oauth2/token',
  'http://127.0.0.1/token',
  'http://127.0.0.1:8080/token',
  'http://localhost:1/token',
  'http://[::1]:65535/token'
]

for (const token_uri of endpoints) {
  test(`is for the URL that it is posted to, as text: ${token_uri}`, async () => {
    const { google, key, options } = await setUp()
    await getIdToken({ ...options, credentials: { ...key, token_uri } })
    const [request] = google.requests
    assert.is(request!.url, token_uri)
    assert.is(asserted(request!).claims.aud, token_uri)
  })
}

const audiences = [
  'https://my-service-abc123-ew.a.run.app',
  'https://my-service-abc123-ew.a.run.app/',
  'https://europe-west1-project.cloudfunctions.net/function?a=b&c=d+e%20f#g',
  '1234567890-abc.apps.googleusercontent.com',
  '/projects/1/global/backendServices/2',
  'https://münchen.example/straße?größe=1',
  'https://例え.テスト/日本語',
  'emoji 🚀👩‍👩‍👧',
  'quotes "\'` and \\ backslashes',
  'line\nbreaks\r\nand\ttabs',
  ' blanks around ',
  '\u2028\u0000\u007f\uFEFF',
  '__proto__',
  'constructor',
  'a'.repeat(4_000)
]

for (const text of audiences) {
  test(`asks for the audience as it stands: ${JSON.stringify(text.slice(0, 60))}`, async () => {
    const { google, options } = await setUp()
    const token = await getIdToken({ ...options, audience: text })
    assert.is(asserted(google.requests[0]!).claims.target_audience, text)
    assert.is(decodeJwt(token).aud, text)
  })
}

test('is base64url of UTF-8, and goes into a form with its grant type', async () => {
  const { google, key, options } = await setUp()
  await getIdToken({ ...options, audience: 'größe' })
  const [request] = google.requests
  assert.is(request!.method, 'POST')
  assert.match(request!.headers['content-type']!, /^application\/x-www-form-urlencoded\b/)
  assert.equal(Object.keys(request!.form), ['grant_type', 'assertion'])
  assert.is(request!.form.grant_type, 'urn:ietf:params:oauth:grant-type:jwt-bearer')
  const assertion = request!.form.assertion!
  assert.match(assertion, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  assert.is(request!.text,
    `grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=${assertion}`)
  const claims = base64url.decode(assertion.split('.')[1]!)
  assert.match(new TextDecoder('utf-8', { fatal: true }).decode(claims), '"größe"')
  assert.is(asserted(request!).claims.iss, key.client_email)
})

test('is signed as jose signs, byte for byte', async () => {
  const { google, key, options } = await setUp()
  await getIdToken({ ...options, audience: 'größe 🚀' })
  const { assertion } = google.requests[0]!.form
  const [head, claims] = assertion!.split('.').map((part) => base64url.decode(part))
  const signer = new CompactSign(claims!)
  signer.setProtectedHeader(JSON.parse(new TextDecoder().decode(head)))
  assert.is(await signer.sign(await importPKCS8(key.private_key, 'RS256')), assertion)
})

test.run()

function asserted({ assertion }: Seen): NonNullable<Seen['assertion']> {
  assert.ok(assertion)
  return assertion
}

async function atTime<T>(now: number, work: () => Promise<T>): Promise<T> {
  const { now: real } = Date
  Date.now = () => now
  try {
    return await work()
  } finally {
    Date.now = real
  }
}
