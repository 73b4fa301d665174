import { SignJWT, base64url, generateKeyPair } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle, stsErrors } from './index.ts'
import type { Account, Google, Issuer, Provider } from './index.ts'
import { denoApp, gitHubJob, vercelProject } from './platforms.ts'
import { otherAudience, otherIssuer, stale } from './sts.ts'

const test = suite('local Google: security token service')

const NOW = 1_800_000_000
const URL_OF_STS = 'https://sts.googleapis.com/v1/token'
const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type'
const ACCESS_TOKEN = `${TOKEN_TYPE}:access_token`

test('gives a federated token for a subject token, in either encoding', async () => {
  const { google, provider, subject } = await setUp()
  const form = await exchange(google, provider, await subject())
  assert.is(form.status, 200)
  const { access_token, ...rest } = JSON.parse(await form.text())
  assert.match(access_token, /^ya29\.d\./)
  assert.equal(rest, { issued_token_type: ACCESS_TOKEN, token_type: 'Bearer', expires_in: 299 })

  const json = await google.fetch(URL_OF_STS, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
      audience: `//iam.googleapis.com/${provider.name}`,
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      requestedTokenType: ACCESS_TOKEN,
      subjectTokenType: `${TOKEN_TYPE}:id_token`,
      subjectToken: await subject()
    })
  })
  assert.is(json.status, 200)
})

test('gives no more than an hour', async () => {
  const { google, provider, subject } = await setUp()
  const response = await exchange(google, provider, await subject({ exp: NOW + 86400 }))
  assert.is(JSON.parse(await response.text()).expires_in, 3599)
})

test('is the first half of the way to an ID token', async () => {
  const { google, provider, subject, target } = await setUp()
  const federated = await exchange(google, provider, await subject())
  const { access_token } = JSON.parse(await federated.text())
  const accounts = 'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts'
  const url = `${accounts}/${target.email}:generateIdToken`
  const headers = { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' }
  const idToken = async () =>
    (await google.fetch(url, { method: 'POST', headers, body: '{"audience":"a"}' })).status
  const pool = `iam.googleapis.com/${provider.name.replace(/\/providers\/.*/, '')}`
  assert.is(await idToken(), 403)
  google.grant(`principal://${pool}/subject/somebody`, 'roles/iam.workloadIdentityUser', target.email)
  assert.is(await idToken(), 403)
  google.grant(`principal://${pool}/subject/me`, 'roles/iam.workloadIdentityUser', target.email)
  assert.is(await idToken(), 200)
  google.world.grants.length = 0
  google.grant(`principalSet://${pool}/*`, 'roles/iam.workloadIdentityUser', target.email)
  assert.is(await idToken(), 200)
})

const requestRows: [string, Record<string, string>, keyof typeof stsErrors][] = [
  ['another grant', { grant_type: 'refresh_token' }, 'badGrant'],
  ['no audience', { audience: '' }, 'badAudience'],
  ['audience with https', { audience: `https://iam.googleapis.com/${somePool(1)}` }, 'badAudience'],
  ['audience by project id', { audience: `//iam.googleapis.com/${somePool('a-project')}` }, 'badAudience'],
  ['unknown provider', { audience: `//iam.googleapis.com/${somePool(1)}` }, 'badTarget'],
  ['wanting an ID token', { requested_token_type: `${TOKEN_TYPE}:id_token` }, 'badRequest'],
  ['another subject type', { subject_token_type: `${TOKEN_TYPE}:saml2` }, 'badRequest'],
  ['no scope', { scope: '' }, 'badRequest']
]

for (const [what, change, expected] of requestRows) {
  test(`refuses: ${what}`, async () => {
    const { google, provider, subject } = await setUp()
    await refused(exchange(google, provider, await subject(), change), stsErrors[expected])
  })
}

const subjectRows: [string, Record<string, unknown>, { error: string, description?: string }][] = [
  ['another issuer', { iss: 'https://elsewhere.example' },
    otherIssuer('https://elsewhere.example', 'https://issuer.example')],
  ['no issuer', { iss: undefined }, otherIssuer(null, 'https://issuer.example')],
  ['another audience', { aud: 'a' }, otherAudience('a')],
  ['other audiences', { aud: ['a', 'b'] }, otherAudience(['a', 'b'])],
  ['no audience', { aud: undefined }, otherAudience([])],
  ['expired', { iat: NOW - 400, exp: NOW - 60 }, stale(NOW - 400)],
  ['not yet', { iat: NOW + 61, exp: NOW + 300 }, stale(NOW + 61)],
  ['no iat', { iat: undefined }, stale(null)],
  ['no exp', { exp: undefined }, stale(NOW)],
  ['longer than two days', { exp: NOW + 48 * 3600 + 1 }, stale(NOW)],
  ['no sub', { sub: undefined }, stsErrors.badCondition],
  ['a long sub', { sub: 'ä'.repeat(64) }, stsErrors.longSubject]
]

for (const [what, change, expected] of subjectRows) {
  test(`refuses a subject token: ${what}`, async () => {
    const { google, provider, subject } = await setUp()
    await refused(exchange(google, provider, await subject(change)), expected)
  })
}

test('reads keys where the issuer publishes them, and nowhere else', async () => {
  const { google, issuer, provider, subject } = await setUp()
  const old = await subject()
  const stranger = await generateKeyPair('ES256')
  const [header, payload] = old.split('.')
  const { kid } = JSON.parse(new TextDecoder().decode(base64url.decode(header!)))
  const claims = JSON.parse(new TextDecoder().decode(base64url.decode(payload!)))
  const forged = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid }).sign(stranger.privateKey)
  await refused(exchange(google, provider, forged), stsErrors.badSignature)
  const nameless = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(stranger.privateKey)
  for (const text of ['', 'a.b.c', nameless]) {
    await refused(exchange(google, provider, text), stsErrors.unparsable)
  }
  issuer.isDown = true
  await refused(exchange(google, provider, old), stsErrors.unreachable)
  issuer.isDown = false
  assert.is((await exchange(google, provider, old)).status, 200)
  await issuer.rotate()
  await refused(exchange(google, provider, old), stsErrors.unreachable)
  assert.is((await exchange(google, provider, await subject())).status, 200)
})

test('holds a provider to what it was told', async () => {
  const { google, issuer, provider, subject } = await setUp()
  const name = `//iam.googleapis.com/${provider.name}`
  assert.is((await exchange(google, provider, await subject({ aud: `https:${name}` }))).status, 200)
  provider.audiences.push('mine')
  await refused(exchange(google, provider, await subject()), otherAudience(name))
  assert.is((await exchange(google, provider, await subject({ aud: ['x', 'mine'] }))).status, 200)
  provider.disabled = true
  await refused(exchange(google, provider, await subject()), stsErrors.badTarget)

  const strict = google.createProvider(issuer, { audiences: ['mine'], condition: ({ sub }) => sub === 'you' })
  await refused(exchange(google, strict, await subject({ aud: 'mine' })), stsErrors.badCondition)
})

test('has a knob for tokens that are old but alive', async () => {
  const { google, provider, subject } = await setUp()
  const old = await subject({ iat: NOW - 3601, exp: NOW + 3600 })
  assert.is((await exchange(google, provider, old)).status, 200)
  google.settings.oldestSubjectToken = 3600
  await refused(exchange(google, provider, old), stale(NOW - 3601))
})

test('trusts GitHub Actions, Vercel and Deno Deploy', async () => {
  const google = createGoogle({ now: () => NOW * 1000 })
  const job = await gitHubJob(google)
  const byGitHub = google.createProvider(job.issuer)
  const url = `${job.env.ACTIONS_ID_TOKEN_REQUEST_URL}&audience=${encodeURIComponent(audienceOf(byGitHub))}`
  const headers = { authorization: `Bearer ${job.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN}` }
  const { value } = JSON.parse(await (await google.fetch(url, { headers })).text())
  assert.is((await exchange(google, byGitHub, value)).status, 200)
  assert.is((await google.fetch(url)).status, 401)

  const vercel = await vercelProject(google)
  const byVercel = google.createProvider(vercel.issuer, { audiences: ['https://vercel.com/acme'] })
  assert.is((await exchange(google, byVercel, await vercel.token())).status, 200)

  const deno = await denoApp(google)
  const byDeno = google.createProvider(deno.issuer)
  assert.is((await exchange(google, byDeno, await deno.getIdToken(audienceOf(byDeno)))).status, 200)
  await refused(exchange(google, byDeno, value), otherIssuer(job.issuer.url, deno.issuer.url))
})

test.run()

async function setUp(): Promise<Scene> {
  const google = createGoogle({ now: () => NOW * 1000 })
  const issuer = await google.createIssuer('https://issuer.example', 'ES256')
  const provider = google.createProvider(issuer)
  const subject = (change = {}) => issuer.issue({ sub: 'me', aud: audienceOf(provider), ...change })
  return { google, issuer, provider, subject, target: google.createAccount() }
}

function audienceOf({ name }: Provider): string {
  return `//iam.googleapis.com/${name}`
}

function somePool(project: string | number): string {
  return `projects/${project}/locations/global/workloadIdentityPools/p/providers/p`
}

function exchange(google: Google, provider: Provider, subjectToken: string, change = {}): Promise<Response> {
  return google.fetch(URL_OF_STS, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      audience: audienceOf(provider),
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      requested_token_type: ACCESS_TOKEN,
      subject_token_type: `${TOKEN_TYPE}:jwt`,
      subject_token: subjectToken,
      ...change
    })
  })
}

async function refused(
  pending: Promise<Response>, { error, description }: { error: string, description?: string }
): Promise<void> {
  const response = await pending
  assert.is(response.status, 400)
  assert.equal(JSON.parse(await response.text()), { error, error_description: description })
}

interface Scene {
  google: Google
  issuer: Issuer
  provider: Provider
  subject: (change?: object) => Promise<string>
  target: Account
}
