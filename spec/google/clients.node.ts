import {
  Compute, GoogleAuth, IdentityPoolClient, Impersonated, JWT, OAuth2Client, UserRefreshClient
} from 'google-auth-library'
import * as metadata from 'gcp-metadata'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle } from './index.ts'
import type { Google } from './index.ts'
import { gitHubJob } from './platforms.ts'
import { serve } from './server.ts'
import type { Served } from './server.ts'

// Clients that nobody here wrote: the local Google is faithful, and not only of one mind with itself.
const test = suite<Scene>('local Google: Google\'s own clients')

const CLOUD = 'https://www.googleapis.com/auth/cloud-platform'
const ACCOUNTS = 'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts'
const CREATOR = 'roles/iam.serviceAccountTokenCreator'

test.before.each(async scene => {
  scene.google = createGoogle()
  scene.served = await serve(request => scene.google.handle(request))
  process.env.GCE_METADATA_HOST = new URL(scene.served.url).host
})

test.after.each(async ({ served }) => {
  delete process.env.GCE_METADATA_HOST
  await served.close()
})

test('google-auth-library gets a token, calls the service and verifies it', async ({ google, served }) => {
  const credentials = await google.createKey()
  google.createService({ invokers: [credentials.client_email] })

  const auth = new GoogleAuth({ credentials, clientOptions: { transporterOptions: onLoopback(served) } })
  const client = await auth.getIdTokenClient(served.url)
  const url = `${served.url}/path`
  const response = await client.request<Mirrored>({ url, method: 'POST', data: { a: 1 } })
  assert.is(response.status, 200)
  assert.is(response.data.body, '{"a":1}')
  assert.match(response.data.headers.authorization!, /\.SIGNATURE_REMOVED_BY_GOOGLE$/)

  const token = await client.idTokenProvider.fetchIdToken(served.url)
  const verifier = new OAuth2Client({ transporterOptions: onLoopback(served) })
  const payload = (await verifier.verifyIdToken({ idToken: token, audience: served.url })).getPayload()!
  assert.is(payload.email, credentials.client_email)
  assert.is(payload.sub, credentials.client_id)
  const elsewhere = verifier.verifyIdToken({ idToken: token, audience: 'https://elsewhere.example' })
  assert.match(await message(elsewhere), 'Wrong recipient')
})

test('its refusals reach the caller', async ({ google, served }) => {
  const credentials = await google.createKey()
  google.world.accounts.clear()
  const auth = new GoogleAuth({ credentials, clientOptions: { transporterOptions: onLoopback(served) } })
  const client = await auth.getIdTokenClient(served.url)
  const error: any = await client.getRequestHeaders().catch(error => error)
  assert.is(error.status, 400)
  assert.equal(error.response.data, {
    error: 'invalid_grant',
    error_description: 'Invalid grant: account not found'
  })
})

test('gcp-metadata finds the metadata server and walks it', async ({ google }) => {
  const account = google.createAccount()
  google.runOnGoogleCloud(account, 'compute')
  assert.ok(await metadata.isAvailable())
  assert.is(await metadata.project('project-id'), account.projectId)
  assert.equal(await metadata.instance('service-accounts/default/email'), account.email)
  const all = await metadata.instance({ property: 'service-accounts/', params: { recursive: 'true' } })
  assert.is(all.default.email, account.email)
  assert.match(await message(metadata.instance('nothing')), '404')
})

test('Compute gets both kinds of tokens', async ({ google }) => {
  const account = google.createAccount()
  google.runOnGoogleCloud(account, 'compute')
  const client = new Compute()
  assert.is(google.world.accessTokens.has((await client.getAccessToken()).token!), true)
  const token = await client.fetchIdToken('https://example.com')
  const { aud, email, azp } = await google.keys.verify(token, Date.now())
  assert.equal([aud, email, azp], ['https://example.com', account.email, account.uniqueId])
  google.world.machine!.account = undefined
  assert.match(await message(client.fetchIdToken('https://example.com')), 'Could not fetch ID token')
})

test('Impersonated acts as another, for a key and for a login', async ({ google, served }) => {
  const key = await google.createKey()
  const [middle, target] = [google.createAccount(), google.createAccount()]
  const { client_email: email, private_key } = key
  const user = google.createUser('someone@example.com')
  google.grant(`serviceAccount:${email}`, CREATOR, middle.email)
  google.grant('user:someone@example.com', CREATOR, middle.email)

  const transporterOptions = onLoopback(served)
  const byKey = new JWT({ email, key: private_key, scopes: [CLOUD], transporterOptions })
  const byLogin = new UserRefreshClient({
    clientId: user.client_id,
    clientSecret: user.client_secret,
    refreshToken: user.refresh_token,
    transporterOptions
  })
  for (const sourceClient of [byKey, byLogin]) {
    google.world.grants.splice(2)
    const delegates = [`projects/-/serviceAccounts/${middle.email}`]
    const options = { sourceClient, targetPrincipal: target.email, delegates, targetScopes: [CLOUD] }
    const client = new Impersonated({ ...options, transporterOptions })
    assert.match(await message(client.fetchIdToken('https://example.com')),
      'Permission \'iam.serviceAccounts.getOpenIdToken\' denied on resource (or it may not exist).')
    google.grant(`serviceAccount:${middle.email}`, CREATOR, target.email)
    const token = await client.fetchIdToken('https://example.com')
    const claims = await google.keys.verify(token, Date.now())
    assert.equal([claims.aud, claims.email, claims.azp], ['https://example.com', target.email, target.email])
    assert.ok(google.world.accessTokens.has((await client.getAccessToken()).token!))
  }
})

test('IdentityPoolClient turns a job of GitHub\'s into a service account', async ({ google, served }) => {
  const job = await gitHubJob(google)
  const provider = google.createProvider(job.issuer)
  const target = google.createAccount()
  const pool = provider.name.replace(/\/providers\/.*/, '')
  const principal = `principal://iam.googleapis.com/${pool}/subject/repo:acme/shop:ref:refs/heads/main`

  const audience = `//iam.googleapis.com/${provider.name}`
  const request = `${job.env.ACTIONS_ID_TOKEN_REQUEST_URL}&audience=${encodeURIComponent(audience)}`
  const client = new IdentityPoolClient({
    type: 'external_account',
    audience,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${served.url}/v1/token`,
    service_account_impersonation_url: `${ACCOUNTS}/${target.email}:generateAccessToken`,
    credential_source: {
      url: request,
      headers: { Authorization: `Bearer ${job.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN}` },
      format: { type: 'json', subject_token_field_name: 'value' }
    },
    scopes: [CLOUD],
    transporterOptions: direct(google)
  })
  assert.match(await message(client.getAccessToken()), '\'iam.serviceAccounts.getAccessToken\' denied')
  google.grant(principal, 'roles/iam.workloadIdentityUser', target.email)
  const { token } = await client.getAccessToken()
  assert.equal(google.world.accessTokens.get(token!)!.members, [`serviceAccount:${target.email}`])

  google.grant(`serviceAccount:${target.email}`, CREATOR, target.email)
  const options = { sourceClient: client, targetPrincipal: target.email, transporterOptions: direct(google) }
  const idToken = await new Impersonated(options).fetchIdToken(served.url)
  assert.is((await google.keys.verify(idToken, Date.now())).email, target.email)
})

test('IdentityPoolClient hears why its subject token was refused', async ({ google, served }) => {
  const job = await gitHubJob(google)
  const provider = google.createProvider(job.issuer)
  const client = new IdentityPoolClient({
    type: 'external_account',
    audience: `//iam.googleapis.com/${provider.name}`,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${served.url}/v1/token`,
    subject_token_supplier: { getSubjectToken: () => job.issuer.issue({ aud: 'mine', sub: 'me' }) },
    transporterOptions: direct(google)
  })
  assert.match(await message(client.getAccessToken()), 'Error code invalid_grant: ' +
    'The audience in ID Token [mine] does not match the expected audience.')
})

test.run()

/** Sends what is meant for Google to the server on loopback; the path tells which part is asked. */
function onLoopback({ url }: Served): { fetchImplementation: typeof fetch } {
  return {
    fetchImplementation: (input, init) => {
      const { pathname, search } = new URL(String(input))
      return fetch(url + pathname + search, init)
    }
  }
}

/** Where others than Google are asked too; the STS is not, which that client asks by a fetch of its own. */
function direct(google: Google): { fetchImplementation: typeof fetch } {
  return { fetchImplementation: google.fetch as typeof fetch }
}

function message(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => 'no error', error => error.message)
}

interface Scene {
  google: Google
  served: Served
}

interface Mirrored {
  headers: Record<string, string>
  body: string
}
