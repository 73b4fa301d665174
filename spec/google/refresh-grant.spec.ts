import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle, tokenErrors } from './index.ts'
import type { Google, UserFile } from './index.ts'

const test = suite('local Google: refresh grant')

const NOW = 1_800_000_000

test('gives an access token, and an ID token for the client alone', async () => {
  const { google, user } = setUp()
  const response = await refresh(google, user, { target_audience: 'https://example.com' })
  assert.is(response.status, 200)
  const { access_token, id_token, scope, ...rest } = JSON.parse(await response.text())
  assert.match(access_token, /^ya29\.a0\./)
  assert.match(scope, 'https://www.googleapis.com/auth/cloud-platform')
  assert.equal(rest, { expires_in: 3599, token_type: 'Bearer' })
  const { aud, email } = await google.keys.verify(id_token, NOW * 1000)
  assert.equal([aud, email], [user.client_id, 'someone@example.com'])
})

test('gives what lets a user act as a service account', async () => {
  const { google, user } = setUp()
  const { email } = google.createAccount()
  google.grant('user:someone@example.com', 'roles/iam.serviceAccountTokenCreator', email)
  const { access_token } = JSON.parse(await (await refresh(google, user)).text())
  const url = `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${email}:generateIdToken`
  const headers = { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' }
  const response = await google.fetch(url, { method: 'POST', headers, body: '{"audience":"a"}' })
  assert.is(response.status, 200)
})

const rows: [string, Record<string, string>, keyof typeof tokenErrors][] = [
  ['another token', { refresh_token: 'x' }, 'revokedToken'],
  ['no token', { refresh_token: '' }, 'noRefreshToken'],
  ['another client', { client_id: 'x' }, 'invalidClient'],
  ['another secret', { client_secret: 'x' }, 'invalidClient']
]

for (const [what, change, expected] of rows) {
  test(`refuses: ${what}`, async () => {
    const { google, user } = setUp()
    await refused(refresh(google, user, change), expected)
  })
}

test('refuses a user who must log in again, or was logged out', async () => {
  const { google, user } = setUp()
  google.world.refreshTokens.get(user.refresh_token)!.reauthNeeded = true
  await refused(refresh(google, user), 'reauthNeeded')
  google.world.refreshTokens.clear()
  await refused(refresh(google, user), 'revokedToken')
})

test.run()

function setUp(): { google: Google, user: UserFile } {
  const google = createGoogle({ now: () => NOW * 1000 })
  return { google, user: google.createUser('someone@example.com') }
}

function refresh(google: Google, user: UserFile, change = {}): Promise<Response> {
  const { client_id, client_secret, refresh_token } = user
  const form = { grant_type: 'refresh_token', client_id, client_secret, refresh_token, ...change }
  const init = { method: 'POST', body: new URLSearchParams(form) }
  return google.fetch('https://oauth2.googleapis.com/token', init)
}

async function refused(pending: Promise<Response>, expected: keyof typeof tokenErrors): Promise<void> {
  const { status, error, description } = tokenErrors[expected]
  const response = await pending
  assert.is(response.status, status)
  assert.equal(JSON.parse(await response.text()), { error, error_description: description })
}
