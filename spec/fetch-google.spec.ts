import { createLocalJWKSet, jwtVerify } from 'jose'
import { getIdToken as fromKey } from 'gcp-id-token'
import { authorizedFetch } from 'gcp-id-token/fetch'
import type { AuthorizedFetchOptions, GetToken } from 'gcp-id-token/fetch'
import { getIdToken as fromMetadata } from 'gcp-id-token/metadata'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle } from './google/index.ts'
import type { Google, Seen } from './google/index.ts'

const test = suite('authorizedFetch: a private service on Cloud Run')

const SERVERLESS = 'x-serverless-authorization'

for (const source of ['a key', 'the metadata server'] as const) {
  test(`is let in with a token from ${source}`, async () => {
    const { google, account, service, fetch } = await newScene(source)
    const response = await fetch(`${service.url}/orders?open`, { method: 'POST', body: 'one tea' })
    assert.is(response.status, 200)
    const { method, url, body, headers } = JSON.parse(await response.text())
    assert.equal([method, url, body], ['POST', `${service.url}/orders?open`, 'one tea'])
    assert.match(headers.authorization, /^Bearer .+\.SIGNATURE_REMOVED_BY_GOOGLE$/)
    await isVerified(google, service.url, account.email, lastCall(google).headers.authorization)
  })
}

test('without it, nobody is let in', async () => {
  const { google, service } = await newScene()
  assert.is((await google.fetch(service.url)).status, 403)
})

test('costs one exchange for many requests', async () => {
  const { google, service, fetch } = await newScene()
  for (let i = 0; i < 3; i++) assert.is((await fetch(`${service.url}/${i}`)).status, 200)
  assert.equal(google.requests.map(({ endpoint }) => endpoint), ['token', 'run', 'run', 'run'])
})

test('takes each service for an audience of its own', async () => {
  const { google, account, service, fetch } = await newScene()
  const other = google.createService({ invokers: [account.email] })
  for (const { url } of [service, other]) {
    assert.is((await fetch(`${url}/path`)).status, 200)
    await isVerified(google, url, account.email, lastCall(google).headers.authorization)
  }
})

test('is let in behind a domain of its own', async () => {
  const { google, account, service, scene } = await newScene()
  const origins = ['https://api.example.com']
  google.world.hosts.set('api.example.com', ({ request, url }) =>
    google.handle(new Request(service.url + url.pathname, request)))
  const response = await scene({ audience: service.url, origins })('https://api.example.com/orders')
  assert.is(JSON.parse(await response.text()).url, `${service.url}/orders`)
  await isVerified(google, service.url, account.email, lastCall(google).headers.authorization)
})

test('sees the Authorization of the caller, and the token beside it', async () => {
  const { google, account, service, fetch } = await newScene()
  const response = await fetch(service.url, { headers: { authorization: 'Bearer of the app' } })
  const { headers } = JSON.parse(await response.text())
  assert.is(headers.authorization, 'Bearer of the app')
  assert.match(headers[SERVERLESS], /\.SIGNATURE_REMOVED_BY_GOOGLE$/)
  await isVerified(google, service.url, account.email, lastCall(google).headers[SERVERLESS])
})

test('never sees the X-Serverless-Authorization of somebody else', async () => {
  const { google, account, service, scene } = await newScene()
  const foreign = await google.issueIdToken(google.createAccount(), service.url)
  for (const header of ['auto', 'authorization', SERVERLESS] as const) {
    for (const authorization of ['Bearer of the app', undefined]) {
      const headers = { [SERVERLESS]: `Bearer ${foreign}`, ...authorization && { authorization } }
      // As it came in to a proxy.
      const response = await scene({ header })(service.url, new Request('https://proxy.example', { headers }))
      assert.is(response.status, 200)
      assert.not.match(await response.text(), foreign.split('.')[1]!)
      const sent = lastCall(google).headers
      await isVerified(google, service.url, account.email, sent[SERVERLESS] ?? sent.authorization)
    }
  }
})

test('refuses a token whose key Google has replaced, and takes the fresh one', async () => {
  const { google, account, service, fetch } = await newScene()
  google.settings.idTokenAge = 120
  await fetch(service.url)
  google.keys.rotate()
  assert.is((await fetch(service.url)).status, 200)
  const calls = google.requests.map(({ endpoint, status }) => [endpoint, status])
  assert.equal(calls, [['token', 200], ['run', 200], ['run', 401], ['token', 200], ['run', 200]])
  await isVerified(google, service.url, account.email, lastCall(google).headers.authorization)

  // And from now on that one is in the cache.
  assert.is((await fetch(service.url)).status, 200)
  assert.is(google.requests.length, 6)
})

test('refuses whoever may not call it, without any more being asked', async () => {
  const { google, fetch } = await newScene()
  google.settings.idTokenAge = 120
  assert.is((await fetch(google.createService().url)).status, 403)
  assert.equal(google.requests.map(({ endpoint }) => endpoint), ['token', 'run'])
})

test('refuses an audience that is not its own twice, and the caller sees it', async () => {
  const { google, service, scene } = await newScene()
  google.settings.idTokenAge = 120
  google.next('run', (_, answer) => {
    google.settings.idTokenAge = 0 // or within a second the fresh token would be the same
    return answer()
  })
  const response = await scene({ audience: 'https://hello.example', origins: [service.url] })(service.url)
  assert.is(response.status, 401)
  assert.match(await response.text(), 'Error: Unauthorized')
  assert.equal(google.requests.map(({ endpoint }) => endpoint), ['token', 'run', 'token', 'run'])
})

test.run()

async function newScene(source: 'a key' | 'the metadata server' = 'a key') {
  const google = createGoogle()
  const account = google.createAccount()
  const service = google.createService({ invokers: [account.email] })
  const credentials = await google.createKey(account)
  google.runOnGoogleCloud(account)
  const getToken: GetToken = (request) => source === 'a key'
    ? fromKey({ credentials, fetch: google.fetch, ...request })
    : fromMetadata({ fetch: google.fetch, ...request })
  const scene = (options: AuthorizedFetchOptions) => authorizedFetch(getToken, { fetch: google.fetch, ...options })
  return { google, account, service, scene, fetch: scene({}) }
}

function lastCall({ requests }: Google): Seen {
  return requests.filter(({ endpoint }) => endpoint === 'run').at(-1)!
}

async function isVerified(google: Google, audience: string, email: string, header?: string): Promise<void> {
  const token = /^Bearer (\S+)$/.exec(header ?? '')?.[1] ?? assert.unreachable(`${header} has no token`)
  const keys = createLocalJWKSet(await google.keys.jwks())
  const { payload } = await jwtVerify(token!, keys, { issuer: 'https://accounts.google.com', audience })
  assert.equal([payload.email, payload.email_verified], [email, true])
}
