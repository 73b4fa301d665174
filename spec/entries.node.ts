import * as federation from 'gcp-id-token/federation'
import * as impersonation from 'gcp-id-token/impersonation'
import * as metadata from 'gcp-id-token/metadata'
import { Compute, IdentityPoolClient, Impersonated, JWT, UserRefreshClient } from 'google-auth-library'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Google, Seen } from './google/index.ts'
import { serve } from './google/server.ts'
import type { Served } from './google/server.ts'
import { fails } from './support/errors.ts'
import { federated, impersonating, impersonatingByLogin, onGoogleCloud } from './support/roads.ts'

const CLOUD = 'https://www.googleapis.com/auth/cloud-platform'

// What we send, beside what Google's own client for Node sends at the same place.

const compared = suite('every entry: what is sent, compared')

compared('to STS', async () => {
  const { ask, google, json, subject } = await federated()
  const subjectToken = await subject()
  const served = await serve((request) => google.handle(request))
  try {
    await ask({ subjectToken })
    const client = new IdentityPoolClient({
      type: 'external_account',
      audience: json.audience,
      subject_token_type: json.subject_token_type!,
      token_url: `${served.url}/v1/token`, // this client asks it by a fetch of its own
      subject_token_supplier: { getSubjectToken: async () => subjectToken },
      scopes: [CLOUD]
    })
    await client.getAccessToken()
  } finally {
    await served.close()
  }
  const [ours, theirs] = google.requests.filter(({ endpoint }) => endpoint === 'sts')
  assert.equal(ours!.form, theirs!.form)
  assert.equal([ours!.method, mediaType(ours!)], [theirs!.method, mediaType(theirs!)])
})

compared('to IAM, by a key', async () => {
  const { account, ask, google, key, options: { audience } } = await impersonating()
  await ask()
  const { client_email: email, private_key } = key
  const transporterOptions = through(google)
  const sourceClient = new JWT({ email, key: private_key, scopes: [CLOUD], transporterOptions })
  await fetchTheirs(google, sourceClient, account.email, audience)
  const [ours, theirs] = google.requests.filter(({ endpoint }) => endpoint === 'iam')
  sameToIam(ours!, theirs!)
  // They trade the assertion for an access token first, which is one request more.
  assert.equal(google.requests.map(({ endpoint }) => endpoint), ['iam', 'token', 'iam'])
})

compared('to IAM, by a login', async () => {
  const { account, ask, google, options: { audience }, user } = await impersonatingByLogin()
  await ask()
  const sourceClient = new UserRefreshClient({
    clientId: user.client_id,
    clientSecret: user.client_secret,
    refreshToken: user.refresh_token,
    transporterOptions: through(google)
  })
  await fetchTheirs(google, sourceClient, account.email, audience)
  const [ourRefresh, ours, theirRefresh, theirs] = google.requests
  assert.equal(ourRefresh!.form, theirRefresh!.form)
  assert.is(ourRefresh!.url, theirRefresh!.url)
  sameToIam(ours!, theirs!)
})

compared('to the metadata server', async () => {
  const { ask, google } = await onGoogleCloud()
  const served = await serve((request) => google.handle(request))
  process.env.GCE_METADATA_HOST = new URL(served.url).host
  const audience = 'https://a.run.app/?a=b&format=standard#c'
  try {
    await ask({ audience, format: 'full' })
    await new Compute().fetchIdToken(encodeURIComponent(audience)) // which forgets to
  } finally {
    delete process.env.GCE_METADATA_HOST
    await served.close()
  }
  const [ours, theirs] = google.requests.filter(({ url }) => url.includes('/identity')).map((request) => {
    const { pathname, searchParams } = new URL(request.url)
    const { method, headers } = request
    return { method, pathname, flavor: headers['metadata-flavor'], query: Object.fromEntries(searchParams) }
  })
  assert.equal(ours, theirs)
  assert.is(ours!.query.audience, audience)
})

compared.run()

const wire = suite('every entry: over real connections')

wire('the metadata server, by the fetch of Node', async () => {
  const { account, google, options: { audience } } = await onGoogleCloud()
  await withServer(google, async ({ url }) => {
    const { host } = new URL(url)
    for (const serviceAccount of ['default', account.email]) {
      const token = await metadata.getIdToken({ audience, host, serviceAccount })
      assert.is((await google.keys.verify(token, Date.now())).email, account.email)
    }
    assert.is(google.requests.length, 2)
  })
})

wire('off Google Cloud, where nobody listens', async () => {
  const { close, url } = await serve(async () => new Response())
  await close()
  const { host } = new URL(url)
  const attempt = metadata.getIdToken({ audience: 'a', host })
  await fails(attempt, 'unavailable', new RegExp(host), /Google Cloud\?/)
})

wire('another server at the address', async () => {
  const served = await serve(async () => new Response('<h1>Welcome</h1>'))
  try {
    const { host } = new URL(served.url)
    await fails(metadata.getIdToken({ audience: 'a', host }), 'invalid_response', /metadata server/)
  } finally {
    await served.close()
  }
})

wire('federation', async () => {
  const { account, google, options } = await federated()
  await withServer(google, async (served) => {
    const token = await federation.getIdToken({ ...options, fetch: onLoopback(served) })
    assert.is((await google.keys.verify(token, Date.now())).email, account.email)
  })
})

wire('impersonation, by a key and by a login', async () => {
  for (const { account, google, options } of [await impersonating(), await impersonatingByLogin()]) {
    await withServer(google, async (served) => {
      const token = await impersonation.getIdToken({ ...options, fetch: onLoopback(served) })
      assert.is((await google.keys.verify(token, Date.now())).email, account.email)
    })
  }
})

wire.run()

function sameToIam(ours: Seen, theirs: Seen): void {
  assert.equal([ours.method, ours.url, mediaType(ours)], [theirs.method, theirs.url, mediaType(theirs)])
  assert.equal(JSON.parse(ours.text), JSON.parse(theirs.text))
}

function fetchTheirs(
  google: Google, sourceClient: JWT | UserRefreshClient, targetPrincipal: string, audience: string
): Promise<string> {
  const client = new Impersonated({
    sourceClient, targetPrincipal, targetScopes: [CLOUD], transporterOptions: through(google)
  })
  return client.fetchIdToken(audience, { includeEmail: true })
}

function through({ fetch }: Google): { fetchImplementation: typeof globalThis.fetch } {
  return { fetchImplementation: fetch as typeof globalThis.fetch }
}

function mediaType({ headers }: Seen): string | undefined {
  return headers['content-type']?.replace(/;.*/, '')
}

async function withServer(google: Google, work: (served: Served) => Promise<void>): Promise<void> {
  const served = await serve((request) => google.handle(request))
  try {
    await work(served)
  } finally {
    await served.close()
  }
}

/** The path tells which part of Google is asked. */
function onLoopback({ url }: Served): (input: string, init: RequestInit) => Promise<Response> {
  return (input, init) => fetch(url + new URL(input).pathname, init)
}
