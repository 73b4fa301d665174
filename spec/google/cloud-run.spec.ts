import { decodeJwt } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle, faults } from './index.ts'
import type { Account, Google, Service, ServiceOptions } from './index.ts'

const test = suite('local Google: Cloud Run')

const NOW = 1_800_000_000
const GCLOUD = '32555940559.apps.googleusercontent.com'

test('lets an invoker in, and takes the signature off the token', async () => {
  const { google, caller, service } = setUp()
  const token = await google.issueIdToken(caller, service.url)
  const init = { headers: { authorization: `Bearer ${token}` } }
  const response = await google.fetch(`${service.url}/path?query`, init)
  assert.is(response.status, 200)
  assert.is(response.headers.get('server'), 'Google Frontend')
  const { url, headers } = JSON.parse(await response.text())
  assert.is(url, `${service.url}/path?query`)
  assert.is(headers.authorization, `Bearer ${unsigned(token)}`)
})

test('looks at X-Serverless-Authorization only, where there is one', async () => {
  const { google, caller, service } = setUp()
  const token = await google.issueIdToken(caller, service.url)
  const good = `Bearer ${token}`
  const response = await google.fetch(service.url, {
    headers: { authorization: 'Bearer of the app', 'x-serverless-authorization': good }
  })
  const { headers } = JSON.parse(await response.text())
  assert.is(headers.authorization, 'Bearer of the app')
  assert.is(headers['x-serverless-authorization'], `Bearer ${unsigned(token)}`)

  const bad = await google.fetch(service.url, {
    headers: { authorization: good, 'x-serverless-authorization': 'Bearer bad' }
  })
  assert.is(bad.status, 401)
})

test('takes each of its URLs, with a slash too, and its custom audiences', async () => {
  const { google, caller, service } = setUp({ customAudiences: ['https://hello.example.com', 'hello'] })
  const { url, urls } = service
  for (const audience of [...urls, `${url}/`, 'https://hello.example.com', 'hello']) {
    assert.is(await status(google, service, await google.issueIdToken(caller, audience)), 200, audience)
  }
})

const badRows: [string, GetToken][] = [
  ['another service', (google, caller) => google.issueIdToken(caller, google.createService().url)],
  ['a path in aud', (google, caller, { url }) => google.issueIdToken(caller, `${url}/path`)],
  ['http in aud', (google, caller, { url }) => google.issueIdToken(caller, url.replace('https', 'http'))],
  ['an array as aud', (google, caller, { url }) => google.issueIdToken(caller, url, { aud: [url] })],
  ['a domain that is not listed', (google, caller) =>
    google.issueIdToken(caller, 'https://hello.example.com')],
  ['an expired token', (google, caller, { url }) => google.issueIdToken(caller, url, { exp: NOW })],
  ['another issuer', (google, caller, { url }) =>
    google.issueIdToken(caller, url, { iss: 'https://example.com' })],
  ['a changed token', async (google, caller, { url }) =>
    (await google.issueIdToken(caller, url)).replace(/.{8}$/, 'AAAAAAAA')],
  ['a key of the day before', async (google, caller, { url }) => {
    const token = await google.issueIdToken(caller, url)
    google.keys.rotate()
    return token
  }],
  ['an access token', () => `ya29.c.${'x'.repeat(100)}`],
  ['gcloud\'s audience from a service account', (google, caller) => google.issueIdToken(caller, GCLOUD)]
]

for (const [what, token] of badRows) {
  test(`refuses as unverified: ${what}`, async () => {
    const { google, caller, service } = setUp()
    assert.is(await status(google, service, await token(google, caller, service)), 401)
  })
}

const forbiddenRows: [string, GetToken][] = [
  ['no token', async () => undefined],
  ['another account', (google, _, { url }) => google.issueIdToken(google.createAccount(), url)],
  ['a token without email', (google, caller, { url }) =>
    google.issueIdToken(caller, url, { email: undefined })],
  ['an email that is not verified', (google, caller, { url }) =>
    google.issueIdToken(caller, url, { email_verified: false })]
]

for (const [what, token] of forbiddenRows) {
  test(`forbids: ${what}`, async () => {
    const { google, caller, service } = setUp()
    assert.is(await status(google, service, await token(google, caller, service)), 403)
  })
}

test('shows Google\'s pages', async () => {
  const { google, service } = setUp()
  const forbidden = await google.fetch(`${service.url}/a<b?query`)
  assert.is(forbidden.status, 403)
  assert.is(forbidden.headers.get('content-type'), 'text/html; charset=UTF-8')
  assert.is(forbidden.headers.get('www-authenticate'), null)
  assert.is(await forbidden.text(), `
<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>403 Forbidden</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: Forbidden</h1>
<h2>Your client does not have permission to get URL <code>/a%3Cb</code> from this server.</h2>
<h2></h2>
</body></html>
`)
  const unauthorized = await google.fetch(`${service.url}/a&b`, { headers: { authorization: 'bearer x' } })
  assert.is(unauthorized.status, 401)
  assert.is(unauthorized.headers.get('www-authenticate'),
    'Bearer error="invalid_token" error_description="The access token could not be verified"')
  assert.is(await unauthorized.text(), `
<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>401 Unauthorized</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: Unauthorized</h1>
<h2>Your client does not have permission to the requested URL <code>/a&#38;b</code>.</h2>
<h2></h2>
</body></html>
`)
})

test('takes gcloud\'s tokens from users, and anything for a public service', async () => {
  const { google, service } = setUp({ invokers: ['user:someone@example.com'] })
  const someone = { ...google.createAccount(), email: 'someone@example.com' }
  assert.is(await status(google, service, await google.issueIdToken(someone, GCLOUD)), 200)

  const open = google.createService({ invokers: ['allUsers'] })
  assert.is(await status(google, open, undefined), 200)
})

test('keeps the key before, while a new one signs', async () => {
  const { google, caller, service } = setUp()
  google.keys.rotate()
  assert.is(await status(google, service, await google.issueIdToken(caller, service.url)), 200)
  const { keys } = await google.keys.jwks()
  assert.is(keys.length, 2)
})

test('has a knob for a path in aud', async () => {
  const { google, caller, service } = setUp()
  google.settings.audienceWithPath = true
  assert.is(await status(google, service, await google.issueIdToken(caller, `${service.url}/path`)), 200)
  assert.is(await status(google, service, await google.issueIdToken(caller, `${service.url}.example/`)), 401)
})

test('passes bodies through as they come, and needs none to refuse', async () => {
  const { google, caller, service } = setUp({ handler: request => new Response(request.body) })
  const chunk = Uint8Array.of(1, 2, 3)
  const body = () => new ReadableStream<Uint8Array>({ pull: controller => controller.enqueue(chunk) })
  const endless = (token: string) => google.fetch(service.url, {
    method: 'POST', headers: { authorization: `Bearer ${token}` }, body: body(), duplex: 'half'
  } as RequestInit)

  const reader = (await endless(await google.issueIdToken(caller, service.url))).body!.getReader()
  assert.equal([...(await reader.read()).value!], [1, 2, 3])
  await reader.cancel()
  assert.is((await endless('bad')).status, 401)
})

test('is not where nobody deployed it', async () => {
  const { google } = setUp()
  const nobody = await google.fetch('https://nobody-uc.a.run.app/')
  assert.is(nobody.status, 404)
  const missing = await google.fetch('https://example.com/').then(String, error => error.message)
  assert.is(missing, 'fetch failed')
})

test('takes faults as any other endpoint', async () => {
  const { google, caller, service } = setUp()
  google.next('run', faults.page(503), faults.dropped())
  const token = await google.issueIdToken(caller, service.url)
  assert.is(await status(google, service, token), 503)
  assert.is(await status(google, service, token).catch(error => error.message), 'fetch failed')
  assert.is(await status(google, service, token), 200)
  assert.equal(google.requests.map(({ endpoint, status }) => [endpoint, status]),
    [['run', 503], ['run', undefined], ['run', 200]])
})

test('publishes what verifies the tokens', async () => {
  const { google, caller } = setUp()
  const token = await google.issueIdToken(caller, 'https://example.com')
  assert.is(decodeJwt(token).iss, 'https://accounts.google.com')
  const discovery = await read(google, 'https://accounts.google.com/.well-known/openid-configuration')
  const jwks = await read(google, discovery.jwks_uri)
  assert.equal(jwks, await google.keys.jwks())
  const certificates = await read(google, 'https://www.googleapis.com/oauth2/v1/certs')
  assert.equal(Object.keys(certificates), jwks.keys.map(({ kid }: { kid: string }) => kid))
})

test.run()

function setUp(options: ServiceOptions = {}): { google: Google, caller: Account, service: Service } {
  const google = createGoogle({ now: () => NOW * 1000 })
  const caller = google.createAccount()
  return { google, caller, service: google.createService({ invokers: [caller.email], ...options }) }
}

async function status(google: Google, service: Service, token: string | undefined): Promise<number> {
  const headers: HeadersInit = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await google.fetch(service.url, { headers })
  await response.body?.cancel()
  return response.status
}

async function read(google: Google, url: string): Promise<any> {
  const response = await google.fetch(url)
  assert.match(response.headers.get('cache-control')!, /^public, max-age=\d+/)
  return JSON.parse(await response.text())
}

function unsigned(token: string): string {
  return `${token.split('.').slice(0, 2).join('.')}.SIGNATURE_REMOVED_BY_GOOGLE`
}

type GetToken = (google: Google, caller: Account, service: Service) => Promise<string | undefined> | string
