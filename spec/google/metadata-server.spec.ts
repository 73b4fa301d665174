import { decodeJwt } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle } from './index.ts'
import type { Account, Google, Machine } from './index.ts'

const test = suite('local Google: metadata server')

const NOW = 1_800_000_000
const ROOT = 'http://metadata.google.internal/computeMetadata/v1'
const IDENTITY = `${ROOT}/instance/service-accounts/default/identity`

test('gives a bare token for an audience', async () => {
  const { google, account } = setUp()
  const response = await ask(google, `${IDENTITY}?audience=https%3A%2F%2Fexample.com%2F%3Fa%3Db%26c`)
  assert.is(response.status, 200)
  assert.is(response.headers.get('metadata-flavor'), 'Google')
  assert.is(response.headers.get('server'), 'Metadata Server for Serverless')
  assert.equal(await google.keys.verify(await response.text(), NOW * 1000), {
    aud: 'https://example.com/?a=b&c',
    azp: account.uniqueId,
    sub: account.uniqueId,
    email: account.email,
    email_verified: true,
    iat: NOW,
    exp: NOW + 3600,
    iss: 'https://accounts.google.com'
  })
})

test('knows the account by its email, and no other', async () => {
  const { google, account } = setUp()
  const path = (name: string) => `${ROOT}/instance/service-accounts/${name}/identity?audience=a`
  assert.is((await ask(google, path(account.email))).status, 200)
  const other = await ask(google, path(google.createAccount().email))
  assert.is(other.status, 404)
  assert.is(other.headers.get('metadata-flavor'), 'Google')
  assert.is(await other.text(), '')
})

test('has more to say on Compute Engine', async () => {
  const { google, account, machine } = setUp('compute')
  const claims = async (query: string) => {
    const response = await ask(google, `${IDENTITY}?audience=a${query}`)
    assert.is(response.headers.get('server'), 'Metadata Server for VM')
    return decodeJwt<{ google?: { compute_engine: Record<string, unknown> } }>(await response.text())
  }
  const standard = await claims('')
  assert.equal([standard.email, standard.google], [undefined, undefined])
  const full = await claims('&format=full')
  assert.is(full.email, account.email)
  assert.is(full.google!.compute_engine.instance_id, machine.id)
  assert.is(full.google!.compute_engine.license_id, undefined)
  const licensed = await claims('&format=full&licenses=TRUE')
  assert.equal(licensed.google!.compute_engine.license_id, ['1000010'])
  assert.is((await claims('&licenses=TRUE')).google, undefined)
  google.settings.standardEmail = true
  assert.is((await claims('')).email, account.email)
})

test('refuses who lacks the header, or was forwarded', async () => {
  const { google } = setUp()
  const bare = await google.fetch(`${IDENTITY}?audience=a`)
  assert.is(bare.status, 403)
  assert.match(await bare.text(), /permission to get URL .* Missing Metadata-Flavor:Google header\./)
  const forwarded = await ask(google, `${IDENTITY}?audience=a`, { 'x-forwarded-for': '10.0.0.1' })
  assert.is(forwarded.status, 403)
  assert.is((await ask(google, `${IDENTITY}?audience=a`, { 'metadata-flavor': 'Amazon' })).status, 403)
})

test('refuses an absent or empty audience', async () => {
  const { google } = setUp()
  for (const query of ['', '?audience=', '?format=full']) {
    const response = await ask(google, IDENTITY + query)
    assert.is(response.status, 400)
    assert.is(await response.text(), 'non-empty audience parameter required')
  }
})

test('hands out the same token on serverless until five minutes are left', async () => {
  let now = NOW
  const { google } = setUp('serverless', { now: () => now * 1000 })
  const get = async (query = 'audience=a') => (await ask(google, `${IDENTITY}?${query}`)).text()
  const first = await get()
  now += 3299
  assert.is(await get(), first)
  assert.is.not(await get('audience=b'), first)
  now += 1
  assert.is.not(await get(), first)
})

test('gives a new token each time on Compute Engine', async () => {
  let now = NOW
  const { google } = setUp('compute', { now: () => now++ * 1000 })
  const get = async () => (await ask(google, `${IDENTITY}?audience=a`)).text()
  assert.is.not(await get(), await get())
})

test('gives access tokens, and keeps them as well', async () => {
  let now = NOW
  const { google } = setUp('compute', { now: () => now * 1000 })
  const url = `${ROOT}/instance/service-accounts/default/token`
  const get = async () => JSON.parse(await (await ask(google, url)).text())
  const first = await get()
  assert.match(first.access_token, /^ya29\.c\./)
  assert.equal([first.expires_in, first.token_type], [3599, 'Bearer'])
  now += 100
  assert.equal(await get(), { ...first, expires_in: 3499 })
})

test('is a tree to walk', async () => {
  const { google, account } = setUp('compute')
  const read = async (path: string) => (await ask(google, ROOT + path)).text()
  assert.is(await read('/instance/service-accounts/'), `default/\n${account.email}/\n`)
  assert.is(await read('/instance/service-accounts/default/email'), account.email)
  assert.is(await read('/project/project-id'), account.projectId)
  assert.is(await read('/project/numeric-project-id'), account.projectNumber)
  assert.is(await read('/universe/universe-domain'), 'googleapis.com')
  assert.equal(JSON.parse(await read('/instance/service-accounts/default/?recursive=true')), {
    aliases: ['default'],
    email: account.email,
    scopes: ['https://www.googleapis.com/auth/cloud-platform', 'openid']
  })
  const redirect = await ask(google, `${ROOT}/instance?recursive=true`, {}, 'manual')
  assert.is(redirect.status, 301)
  assert.is(redirect.headers.get('location'), `${ROOT}/instance/?recursive=true`)
  for (const path of ['/nothing', '/instance/id/', '/constructor', '/instance/service-accounts/x/']) {
    const missing = await ask(google, ROOT + path)
    assert.is(missing.status, 404, path)
    assert.match(await missing.text(), 'Error 404 (Not Found)!!1')
  }
})

test('knows nobody where no account is attached', async () => {
  const google = createGoogle()
  google.runOnGoogleCloud()
  assert.is((await ask(google, `${IDENTITY}?audience=a`)).status, 404)
})

test('has many names, none of them with TLS, and is only on Google Cloud', async () => {
  const { google } = setUp()
  const names = ['metadata.google.internal', 'metadata.google.internal.', '169.254.169.254', '127.0.0.1:1']
  for (const host of names) {
    const ping = await ask(google, `http://${host}/`)
    assert.is(ping.status, 200)
    assert.is(ping.headers.get('metadata-flavor'), 'Google')
  }
  await unreachable(google, 'https://metadata.google.internal/')
  google.world.machine = undefined
  await unreachable(google, 'http://metadata.google.internal/')
})

test.run()

function setUp(kind: Machine['kind'] = 'serverless', { now = () => NOW * 1000 } = {}): Scene {
  const google = createGoogle({ now })
  const account = google.createAccount()
  return { google, account, machine: google.runOnGoogleCloud(account, kind) }
}

function ask(
  google: Google, url: string, headers: Record<string, string> = {}, redirect: RequestRedirect = 'follow'
): Promise<Response> {
  return google.fetch(url, { headers: { 'metadata-flavor': 'Google', ...headers }, redirect })
}

async function unreachable(google: Google, url: string): Promise<void> {
  assert.is(await ask(google, url).then(String, error => error.message), 'fetch failed')
}

interface Scene {
  google: Google
  account: Account
  machine: Machine
}
