import { IdTokenError, getIdToken } from 'gcp-id-token/federation'
import type { ExternalAccount } from 'gcp-id-token/federation'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { faults, iamErrors, notFound, stsErrors } from './google/index.ts'
import type { Fault, Issuer, Provider } from './google/index.ts'
import { failed } from './google/iam-credentials.ts'
import { denoApp, gitHubJob, vercelProject } from './google/platforms.ts'
import { otherAudience, otherIssuer, stale } from './google/sts.ts'
import { fails, misused, rejects, showsNothingOf } from './support/errors.ts'
import { federated, impersonationUrl, noEmails } from './support/roads.ts'
import type { FederatedRoad } from './support/roads.ts'

const test = suite('federation')

// The pauses before retries are random, and here as short as they can be.
const { random } = Math
test.before(() => { Math.random = () => 0 })
test.after(() => { Math.random = random })

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type'
const STS = 'https://sts.googleapis.com/v1/token'
const EU = 'eu-iamcredentials.googleapis.com'
const IAM = 'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts'

test('exports getIdToken, and the class of its errors', async () => {
  assert.type(getIdToken, 'function')
  const { ask, google } = await federated()
  google.next('sts', faults.page(404))
  assert.instance(await rejects(ask()), IdTokenError)
})

test('a token of the account that the platform may act as, which its service takes', async () => {
  const { account, ask, google, options: { audience } } = await federated()
  const token = await ask()
  const { aud, sub, azp, email, email_verified } = await google.keys.verify(token, Date.now())
  assert.equal([aud, sub, azp], [audience, account.uniqueId, account.email])
  assert.equal([email, email_verified], [account.email, true])
  const answer = await google.fetch(audience, { headers: { authorization: `Bearer ${token}` } })
  assert.is(answer.status, 200)
})

test('two requests: the exchange at STS, then what comes of it asks for the ID token', async () => {
  const { account, ask, google, options: { audience }, provider, tokens } = await federated()
  await ask()
  const [sts, iam] = google.requests
  assert.is(google.requests.length, 2)
  assert.is(sts!.url, STS)
  assert.is(sts!.method, 'POST')
  assert.match(sts!.headers['content-type']!, /^application\/x-www-form-urlencoded\b/)
  assert.equal(sts!.form, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: `//iam.googleapis.com/${provider.name}`,
    scope: 'https://www.googleapis.com/auth/cloud-platform',
    requested_token_type: `${TOKEN_TYPE}:access_token`,
    subject_token_type: `${TOKEN_TYPE}:jwt`,
    subject_token: tokens[0]
  })
  const [accessToken] = google.world.accessTokens.keys()
  assert.is(iam!.url, `${IAM}/${account.email}:generateIdToken`)
  assert.is(iam!.method, 'POST')
  const authorization = `Bearer ${accessToken}`
  assert.equal(iam!.init!.headers, { authorization, 'content-type': 'application/json' })
  assert.equal(JSON.parse(iam!.text), { audience, includeEmail: true, useEmailAzp: true, delegates: [] })
  for (const { init } of google.requests) {
    assert.is(init!.redirect, 'manual')
    assert.instance(init!.signal, AbortSignal)
    const names = ['body', 'method', 'redirect', 'signal']
    assert.equal(Object.keys(init!).filter((name) => name !== 'headers').sort(), names)
  }
})

test('the audience goes as it is', async () => {
  for (const audience of ['https://a.run.app/?a=b&c#d', '"a",\\\n\u2028', 'https://café.example/ 日本語 🔑']) {
    const { ask, google } = await federated()
    assert.is((await google.keys.verify(await ask({ audience }), Date.now())).aud, audience)
  }
})

// The provider, in the three forms that Google's own pages and tools use.

for (const start of ['', '//iam.googleapis.com/', 'https://iam.googleapis.com/']) {
  test(`takes a provider that begins with ${start || 'projects/'}`, async () => {
    const { ask, google, provider, subject } = await federated()
    const given: string[] = []
    const subjectToken = (audience: string) => {
      given.push(audience)
      return subject()
    }
    const token = await ask({ provider: start + provider.name, subjectToken })
    assert.is(google.requests[0]!.form.audience, `//iam.googleapis.com/${provider.name}`)
    assert.equal(given, [`https://iam.googleapis.com/${provider.name}`])
    assert.is(await ask({ subjectToken }), token, 'whatever the form, it is one provider')
  })
}

const PROVIDER = 'projects/123456789012/locations/global/workloadIdentityPools/my-pool/providers/my-provider'
const noProviders: unknown[] = [
  '', null, 7, {}, [], true, [PROVIDER],
  'my-provider',
  '/',
  'projects/my-project/locations/global/workloadIdentityPools/my-pool/providers/my-provider',
  'projects/123456789012/locations/global/workloadIdentityPools/my-pool',
  'projects/123456789012/locations/global/workloadIdentityPools//providers/',
  'locations/global/workforcePools/my-pool/providers/my-provider',
  `/${PROVIDER}`,
  `${PROVIDER}/`,
  `${PROVIDER}/subject/admin`,
  `${PROVIDER}?a=b`,
  `${PROVIDER}#a`,
  `${PROVIDER}\n`,
  `${PROVIDER}&subject_token=a`,
  ` ${PROVIDER}`,
  `${PROVIDER} `,
  PROVIDER.replace('my-pool', 'my-pool/../other-pool'),
  PROVIDER.replace('my-pool', 'my%2fpool'),
  PROVIDER.replace('my-pool', 'my pool'),
  PROVIDER.replace('my-pool', 'mÿ-pool'),
  `http://iam.googleapis.com/${PROVIDER}`,
  `iam.googleapis.com/${PROVIDER}`,
  `https://iam.googleapis.com//${PROVIDER}`,
  `https://iam.googleapis.com:443/${PROVIDER}`,
  `https://iam.googleapis.com@evil.example/${PROVIDER}`,
  `https://iam.googleapis.com.evil.example/${PROVIDER}`,
  `https://evil.example/iam.googleapis.com/${PROVIDER}`,
  `//evil.example/${PROVIDER}`,
  `principal://iam.googleapis.com/${PROVIDER}`,
  `https://evil.example/\n//iam.googleapis.com/${PROVIDER}`
]
for (const provider of noProviders) {
  test(`sends nothing for what is no provider: ${JSON.stringify(provider)}`, async () => {
    const road = await federated()
    await misused(road.ask({ provider }), /\bprovider\b/)
    nothingSent(road)
  })
}

for (const serviceAccount of [undefined, ...noEmails]) {
  test(`puts nothing into the URL that is no email: ${JSON.stringify(serviceAccount)}`, async () => {
    const road = await federated()
    await misused(road.ask({ serviceAccount }), /\bserviceAccount\b/)
    nothingSent(road)
  })
}

// The same as JSON.

const clothes: [what: string, wear: (json: ExternalAccount) => unknown][] = [
  ['an object', (json) => json],
  ['text', (json) => JSON.stringify(json, null, 2)],
  ['base64', (json) => btoa(JSON.stringify(json))],
  ['text in quotes', (json) => `'${JSON.stringify(json)}'`],
  ['text made text again', (json) => JSON.stringify(JSON.stringify(json))]
]
for (const [what, wear] of clothes) {
  test(`takes an external account as ${what}`, async () => {
    const { account, google, options: { audience, fetch }, json, provider, subject } = await federated()
    const given: string[] = []
    const subjectToken = (audience: string) => {
      given.push(audience)
      return subject()
    }
    const credentials = wear(json) as string
    const token = await getIdToken({ credentials, subjectToken, audience, fetch: fetch! })
    assert.is((await google.keys.verify(token, Date.now())).email, account.email)
    assert.equal(google.requests.map(({ url }) => url), [STS, `${IAM}/${account.email}:generateIdToken`])
    assert.is(google.requests[0]!.form.audience, `//iam.googleapis.com/${provider.name}`)
    assert.equal(given, [`https://iam.googleapis.com/${provider.name}`])
  })
}

test('most of the JSON may be missing', async () => {
  const { account, ask, google, json: { audience } } = await byJson()
  const credentials = { type: 'external_account', audience }
  const none = { token_url: null, subject_token_type: null, universe_domain: null }
  for (const more of [{}, none]) {
    await ask({ credentials: { ...credentials, ...more }, serviceAccount: account.email, forceRefresh: true })
    assert.is(google.requests.at(-2)!.url, STS)
    assert.is(google.requests.at(-2)!.form.subject_token_type, `${TOKEN_TYPE}:jwt`)
    assert.is(google.requests.at(-1)!.url, `${IAM}/${account.email}:generateIdToken`)
  }
  await ask({ credentials: { audience }, serviceAccount: account.email, forceRefresh: true })
})

test('the type of the subject token is the one that the JSON names', async () => {
  const { ask, google, json } = await byJson()
  await ask({ credentials: { ...json, subject_token_type: `${TOKEN_TYPE}:id_token` } })
  assert.is(google.requests[0]!.form.subject_token_type, `${TOKEN_TYPE}:id_token`)
})

test('serviceAccount goes before the account of the JSON', async () => {
  const { ask, google, json, provider } = await byJson()
  const other = google.createAccount()
  const pool = provider.name.replace(/\/providers\/.*/, '')
  google.grant(`principalSet://iam.googleapis.com/${pool}/*`, 'roles/iam.workloadIdentityUser', other.email)
  const token = await ask({ credentials: json, serviceAccount: other.email })
  assert.is((await google.keys.verify(token, Date.now())).email, other.email)
})

const brokenJson: [what: string, change: object, code: string, ...patterns: RegExp[]][] = [
  ['no provider', { audience: undefined }, 'invalid_credentials', /\baudience\b/],
  ['an empty provider', { audience: '' }, 'invalid_credentials', /\baudience\b/],
  ['a provider that is no text', { audience: 7 }, 'invalid_credentials', /\baudience\b/],
  ['a token type that is no text', { subject_token_type: {} }, 'invalid_credentials', /subject_token_type/],
  ['a key', { type: 'service_account' }, 'unsupported_credentials', /service_account/, /gcp-id-token\b/],
  ['an impersonation', { type: 'impersonated_service_account' }, 'unsupported_credentials',
    /gcp-id-token\/impersonation/],
  ['a user', { type: 'authorized_user' }, 'unsupported_credentials', /authorized_user/, /external_account/],
  ['another type', { type: 'gdch_service_account' }, 'unsupported_credentials', /external_account/],
  ['a type that is no text', { type: 7 }, 'unsupported_credentials', /external_account/]
]
for (const [what, change, code, ...patterns] of brokenJson) {
  test(`sends nothing for credentials that are wrong: ${what}`, async () => {
    const road = await byJson()
    await fails(road.ask({ credentials: { ...road.json, ...change } }), code, ...patterns)
    nothingSent(road)
  })
}

test('provider and credentials are two things', async () => {
  const road = await federated()
  for (const credentials of [road.json, JSON.stringify(road.json)]) {
    await misused(road.ask({ credentials }), /\bprovider\b/, /\bcredentials\b/)
  }
  nothingSent(road)
})

test('neither provider nor credentials: is the secret bound?', async () => {
  const road = await byJson()
  for (const credentials of [undefined, null, '', ' \n', 7]) {
    await misused(road.ask({ credentials }), /\bcredentials\b/, /bound\?/)
  }
  nothingSent(road)
})

// Where a JSON from elsewhere may send a subject token or an access token.

const goodHosts = [
  'SERVICE.googleapis.com',
  'us-east1.SERVICE.googleapis.com',
  'SERVICE.us-east1.googleapis.com',
  'us-east1-SERVICE.googleapis.com',
  'SERVICE.GoogleAPIs.COM',
  'EU-SERVICE.googleapis.com'
]
const badHosts = [
  'evil.example',
  'googleapis.com',
  'SERVICE.com',
  'SERVICEgoogleapis.com',
  'SERVICE-googleapis.com',
  'SERVICE.googleapis.com.evil.example',
  'SERVICE.googleapis.com.',
  'SERVICE.googleapis.comevil',
  'SERVICE.googleapis.co',
  'SERVICE.evilgoogleapis.com',
  'SERVICE.evil-googleapis.com',
  'evil.example/SERVICE.googleapis.com',
  'evil.example?SERVICE.googleapis.com',
  'evil.example#SERVICE.googleapis.com',
  'evil.example\\SERVICE.googleapis.com',
  'evil.example%2fSERVICE.googleapis.com',
  'evil.example\n.SERVICE.googleapis.com',
  'SERVICE.googleapis.com@evil.example',
  'evil.example@SERVICE.googleapis.com',
  'user:password@SERVICE.googleapis.com',
  'SERVICE.googleapis.com:443',
  'SERVICE.googleapis.com:8443',
  'mySERVICE.googleapis.com',
  'SERVICE2.googleapis.com',
  'SERVICE-us-east1.googleapis.com',
  'us-east1.SERVICE.us-east1.googleapis.com',
  'a.b.SERVICE.googleapis.com',
  'SERVICE.a.b.googleapis.com',
  'us-east1.evil-SERVICE.googleapis.com',
  'a.us-east1-SERVICE.googleapis.com',
  '.SERVICE.googleapis.com',
  'SERVICE..googleapis.com',
  '-SERVICE.googleapis.com',
  'storage.googleapis.com',
  'SERVICE.storage.googleapis.com.evil.example',
  'SERVICE.example.goog',
  'ѕts.googleapis.com',
  'SERVICE.googleapis。com',
  'localhost',
  '127.0.0.1',
  '127.0.0.1:8080',
  '[::1]:8080',
  '169.254.169.254',
  'metadata.google.internal',
  ''
]
const fields = [
  ['token_url', 'sts', '/v1/token'],
  ['service_account_impersonation_url', 'iamcredentials',
    '/v1/projects/-/serviceAccounts/caller@project.iam.gserviceaccount.com:generateAccessToken']
] as const

for (const [field, service, path] of fields) {
  const other = service === 'sts' ? 'iamcredentials' : 'sts'
  const named = (host: string) => host.replace('SERVICE', service)

  for (const host of goodHosts.map(named)) {
    test(`${field} may have Google's hosts: ${host}`, async () => {
      const { account, ask, google, json } = await byJson()
      const url = service === 'sts' ? `https://${host}${path}` : impersonationUrl(account, host)
      await ask({ credentials: { ...json, [field]: url } })
      const asked = google.requests.map(({ url }) => new URL(url).host)
      assert.is(asked[service === 'sts' ? 0 : 1], host.toLowerCase())
      assert.is(google.requests.length, 2)
    })
  }

  const wrong: unknown[] = [
    ...badHosts.map((host) => `https://${named(host)}${path}`),
    `https://${other}.googleapis.com${path}`,
    `http://${service}.googleapis.com${path}`,
    `http://127.0.0.1${path}`,
    `//${service}.googleapis.com${path}`,
    `ftp://${service}.googleapis.com${path}`,
    `https:/${service}.googleapis.com${path}`,
    `https:\\\\${service}.googleapis.com${path}`,
    ` https://${service}.googleapis.com${path}`,
    `https://${service}.googleapis.com`,
    [`https://${service}.googleapis.com${path}`], { toString: 1, valueOf: 1 },
    'javascript:alert(1)', 'file:///etc/passwd', path, '', 7, true, {}, []
  ]
  for (const url of wrong) {
    test(`${field} may have no other: ${JSON.stringify(url)}`, async () => {
      const road = await byJson()
      const credentials = { ...road.json, [field]: url }
      const attempt = road.ask({ credentials, serviceAccount: road.account.email })
      await fails(attempt, 'invalid_credentials', new RegExp(field))
      nothingSent(road)
    })
  }
}

for (const path of ['/v1/oauthtoken', '/', '/v1/token?to=https://evil.example', '/@evil.example', '/\nhttps://evil.example']) {
  test(`of the token URL, only the host is used: ${JSON.stringify(path)}`, async () => {
    const { ask, google, json } = await byJson()
    await ask({ credentials: { ...json, token_url: `https://eu-sts.googleapis.com${path}` } })
    assert.is(google.requests[0]!.url, 'https://eu-sts.googleapis.com/v1/token')
  })
}

for (const path of [
  '/v1/projects/-/serviceAccounts/EMAIL:generateAccessToken',
  '/v1/projects/-/serviceAccounts/EMAIL',
  '/v2/other/projects/-/serviceAccounts/EMAIL:generateAccessToken'
]) {
  test(`of the impersonation URL, only host and email are used: ${path}`, async () => {
    const { account, ask, google, json } = await byJson()
    const url = `https://eu-iamcredentials.googleapis.com${path.replace('EMAIL', account.email)}`
    await ask({ credentials: { ...json, service_account_impersonation_url: url } })
    const own = `/v1/projects/-/serviceAccounts/${account.email}:generateIdToken`
    assert.is(google.requests[1]!.url, `https://eu-iamcredentials.googleapis.com${own}`)
  })
}

for (const email of noEmails.filter((text) => typeof text === 'string')) {
  test(`an impersonation URL that names no email is named: ${JSON.stringify(email)}`, async () => {
    const road = await byJson()
    const service_account_impersonation_url = `${IAM}/${email}:generateAccessToken`
    const attempt = road.ask({ credentials: { ...road.json, service_account_impersonation_url } })
    await fails(attempt, 'invalid_credentials', /service_account_impersonation_url/)
    nothingSent(road)
  })
}

// What the configuration says of where the subject token comes from is for those who have a file system.

const sources: [kind: string, source: object][] = [
  ['file', { file: '/var/run/token' }],
  ['file', { file: '/var/run/token.json', format: { type: 'json', subject_token_field_name: 'token' } }],
  ['url', { url: 'https://evil.example/token', headers: { Authorization: 'Bearer abcdefghijklmnop' } }],
  ['url', { url: 'http://169.254.169.254/metadata/identity/oauth2/token' }],
  ['executable', { executable: { command: 'rm -rf /', timeout_millis: 5000 } }],
  ['aws', {
    environment_id: 'aws1',
    region_url: 'http://169.254.169.254/latest/meta-data/placement/availability-zone',
    url: 'http://169.254.169.254/latest/meta-data/iam/security-credentials',
    regional_cred_verification_url: 'https://sts.{region}.amazonaws.com?Action=GetCallerIdentity'
  }]
]
for (const [kind, credential_source] of sources) {
  test(`without subjectToken, the error names the source: ${JSON.stringify(credential_source)}`, async () => {
    const road = await byJson()
    const credentials = { ...road.json, credential_source }
    const attempt = road.ask({ credentials, subjectToken: undefined })
    const named = new RegExp(` ${kind}( |$)`)
    const error = await fails(attempt, 'unsupported_credentials', named, /\bsubjectToken\b/)
    assert.match(error.hint, 'subjectToken')
    nothingSent(road)
  })

  test(`with it, the source is left alone: ${JSON.stringify(credential_source)}`, async () => {
    const { ask, google, json } = await byJson()
    await ask({ credentials: { ...json, credential_source } })
    assert.equal(google.requests.map(({ endpoint }) => endpoint), ['sts', 'iam'])
  })
}

test('a source of a kind that nobody knows yet is one all the same', async () => {
  const { ask, json } = await byJson()
  const attempt = ask({ credentials: { ...json, credential_source: { orb: {} } }, subjectToken: undefined })
  await fails(attempt, 'unsupported_credentials', /subjectToken/, /unknown/)
})

test('without a service account there is no ID token, and the error says so', async () => {
  const road = await byJson()
  for (const none of [undefined, null]) {
    const credentials = { ...road.json, service_account_impersonation_url: none }
    await misused(road.ask({ credentials }), /\bserviceAccount\b/, /\baccount\b.*\bID tokens\b/)
  }
  nothingSent(road)
})

// Other universes.

const UNIVERSE = 'example.goog'

test('goes to another universe where code and JSON name it', async () => {
  const { account, ask, google } = await byJson({ universes: [UNIVERSE] })
  const token = await ask({ universeDomain: UNIVERSE })
  assert.is((await google.keys.verify(token, Date.now())).email, account.email)
  assert.equal(google.requests.map(({ url }) => new URL(url).host), [
    `sts.${UNIVERSE}`, `iamcredentials.${UNIVERSE}`
  ])
})

test('goes to another universe with a provider, which comes from the code', async () => {
  const { account, ask, google } = await federated({ universes: [UNIVERSE] })
  const token = await ask({ universeDomain: UNIVERSE })
  assert.is((await google.keys.verify(token, Date.now())).email, account.email)
  assert.equal(google.requests.map(({ url }) => new URL(url).host), [
    `sts.${UNIVERSE}`, `iamcredentials.${UNIVERSE}`
  ])
})

test('its hosts are that universe\'s own, whatever is missing', async () => {
  const { account, ask, google, json: { audience } } = await byJson({ universes: [UNIVERSE] })
  const credentials = { audience, universe_domain: UNIVERSE }
  await ask({ credentials, universeDomain: UNIVERSE, serviceAccount: account.email })
  assert.equal(google.requests.map(({ url }) => new URL(url).host), [
    `sts.${UNIVERSE}`, `iamcredentials.${UNIVERSE}`
  ])
})

test('googleapis.com is the universe when none is named, or when it is', async () => {
  const { ask, json } = await byJson()
  for (const universeDomain of [undefined, 'googleapis.com']) {
    for (const universe_domain of [undefined, null, 'googleapis.com']) {
      await ask({ credentials: { ...json, universe_domain }, universeDomain })
    }
  }
})

const otherUniverses: [what: string, json: unknown, code: unknown, ...patterns: RegExp[]][] = [
  ['only the JSON', UNIVERSE, undefined, /example\.goog/, /universeDomain/],
  ['only the JSON, against the code', UNIVERSE, 'googleapis.com', /example\.goog/],
  ['only the code', undefined, UNIVERSE, /googleapis\.com/],
  ['only the code, beside null', null, UNIVERSE, /googleapis\.com/],
  ['only the code, against the JSON', 'googleapis.com', UNIVERSE, /googleapis\.com/],
  ['two of them', 'other.goog', UNIVERSE, /other\.goog/],
  ['one that is no text', 7, UNIVERSE],
  ['one that is much longer', `${'a'.repeat(100)}.example`, undefined]
]
for (const [what, universe_domain, universeDomain, ...patterns] of otherUniverses) {
  test(`goes to no universe that only one of code and JSON names: ${what}`, async () => {
    const road = await byJson({ universes: [UNIVERSE] })
    const { token_url: _, service_account_impersonation_url: __, ...json } = road.json
    const attempt = road.ask({
      credentials: { ...json, universe_domain }, universeDomain, serviceAccount: road.account.email
    })
    const error = await fails(attempt, 'unsupported_credentials', /universe/, ...patterns)
    assert.not.match(error.message, /undefined/)
    nothingSent(road)
  })
}

for (const [field, service, path] of fields) {
  test(`another universe's host is no host of this one, nor the other way round: ${field}`, async () => {
    const road = await byJson({ universes: [UNIVERSE] })
    const [, [impersonation, , iamPath]] = fields
    const iam = `https://iamcredentials.googleapis.com${iamPath}`
    const away = { ...road.json, universe_domain: 'googleapis.com', token_url: undefined, [impersonation]: iam }
    const home = `https://${service}.googleapis.com${path}`
    const foreign = `https://${service}.${UNIVERSE}${path}`
    const attempts = [
      road.ask({ credentials: { ...away, [field]: foreign } }),
      road.ask({ credentials: { ...road.json, [field]: home }, universeDomain: UNIVERSE })
    ]
    for (const attempt of attempts) await fails(attempt, 'invalid_credentials', new RegExp(field))
    nothingSent(road)
  })
}

for (const universeDomain of [
  '', null, 7, {}, ['example.goog'], 'example.goog/', 'example.goog:8080', 'https://example.goog', 'EXAMPLE.GOOG',
  'example_goog', 'user@example.goog', 'example.goog#',
  'example.goog?', 'example goog', 'example.goog\n', 'exämple.goog', '*.goog'
]) {
  test(`universeDomain is a domain: ${JSON.stringify(universeDomain)}`, async () => {
    const road = await byJson()
    await misused(road.ask({ universeDomain }), /\buniverseDomain\b/)
    nothingSent(road)
  })
}

// The subject token.

test('takes a text', async () => {
  const { ask, google, subject } = await federated()
  const subjectToken = await subject()
  await ask({ subjectToken })
  assert.is(google.requests[0]!.form.subject_token, subjectToken)
})

const givers: [what: string, giver: (subject: FederatedRoad['subject']) => unknown][] = [
  ['gives a promise', (subject) => () => subject()],
  ['is async', (subject) => async () => await subject()],
  ['gives what has a then', (subject) => () => ({ then: (done: () => void) => subject().then(done) })]
]
for (const [what, giver] of givers) {
  test(`takes a function that ${what}`, async () => {
    const { ask, subject } = await federated()
    await ask({ subjectToken: giver(subject) })
  })
}

test('takes a function that gives its text at once', async () => {
  const { ask, subject } = await federated()
  const token = await subject()
  await ask({ subjectToken: () => token })
})

test('asks at each exchange, and keeps nothing', async () => {
  const { ask, google, tokens } = await federated()
  const [first] = [await ask(), await ask()]
  assert.is(tokens.length, 1)
  await ask({ audience: 'second' })
  assert.is(tokens.length, 2)
  await ask({ forceRefresh: true })
  assert.is(tokens.length, 3)
  google.next('sts', faults.page(503))
  await ask({ audience: 'third', retries: 1 })
  assert.is(tokens.length, 5)
  google.next('iam', faults.page(503))
  await ask({ audience: 'fourth', retries: 1 })
  assert.is(tokens.length, 7)
  assert.is(new Set(tokens).size, 7)
  assert.equal(tokens, google.requests.flatMap(({ form }) => form.subject_token ?? []))
  assert.type(first, 'string')
})

const failures: [what: string, thrown: unknown, pattern: RegExp][] = [
  ['an error', new Error('no VERCEL_OIDC_TOKEN in the env'), /no VERCEL_OIDC_TOKEN in the env/],
  ['a TypeError', new TypeError('fetch failed'), /fetch failed/],
  ['a text', 'no permission: id-token: write', /no permission: id-token: write/],
  ['nothing', undefined, /^subjectToken failed: $/],
  ['null', null, /^subjectToken failed: $/],
  ['an object', { code: 7 }, /^subjectToken failed: $/],
  ['an object that is no text', Object.create(null), /^subjectToken failed: $/],
  ['an error with a message that is no text', Object.assign(new Error(), { message: 7 }), /^subjectToken failed: $/],
  ['an error without a message', new Error(''), /^subjectToken failed: $/],
  ['a long one', new Error('x'.repeat(10_000)), /x{50}/],
  ['an IdTokenError of its own', new IdTokenError('rejected', 'not yours'), /not yours/]
]
for (const [what, thrown, pattern] of failures) {
  test(`a function that throws is unavailable, and its message kept: ${what}`, async () => {
    const { ask, google, subject } = await federated()
    for (const throwing of [() => { throw thrown }, async () => { throw thrown }]) {
      const error = await fails(ask({ subjectToken: throwing }), 'unavailable', /subjectToken/, pattern)
      assert.is(error.cause, undefined)
      assert.not.ok('status' in error)
      assert.ok(error.message.length < 500)
    }
    assert.is(google.requests.length, 0)

    let calls = 0
    const recovering = () => {
      if (++calls < 3) throw thrown
      return subject()
    }
    await ask({ subjectToken: recovering, retries: 2 })
    assert.is(calls, 3)
  })
}

test('of what it throws, nothing that looks like a token is shown', async () => {
  const { ask, subject } = await federated()
  const token = await subject()
  for (const thrown of [new Error(`Bad token ${token}`), `Bad token ${token}`, { message: token }]) {
    const error = await fails(ask({ subjectToken: () => { throw thrown } }), 'unavailable')
    showsNothingOf(error, token)
  }
})

for (const given of [undefined, null, '', 7, {}, [], true, ['token'], Object('token')]) {
  test(`a function that gives no text is a TypeError: ${JSON.stringify(given)}`, async () => {
    const road = await federated()
    let calls = 0
    const giving = () => {
      calls++
      return given
    }
    await misused(road.ask({ subjectToken: giving, retries: 2 }), /\bsubjectToken\b/)
    await misused(road.ask({ subjectToken: async () => given, retries: 2 }), /\bsubjectToken\b/)
    assert.is(calls, 1)
    nothingSent(road)
  })
}

const noSubjects = [undefined, null, '', 7, {}, [], ['token'], true, Promise.resolve('token')]
const noTexts = [{ toString: 1, valueOf: 1 }, Object.create(null), Symbol('token')]
for (const [i, subjectToken] of [...noSubjects, ...noTexts].entries()) {
  test(`what is neither text nor function is a TypeError: ${i}`, async () => {
    const road = await federated()
    await misused(road.ask({ subjectToken }), /\bsubjectToken\b/)
    const { json } = road
    await misused((await byJson()).ask({ credentials: json, subjectToken }), /\bsubjectToken\b/)
    nothingSent(road)
  })
}

// Whose token is whose.

test('two tenants whose subject tokens differ never get each other\'s token', async () => {
  const { ask, google, subject } = await federated()
  const mine = await subject()
  const theirs = await subject({ sub: 'somebody-else' })
  const token = await ask({ subjectToken: mine })
  await fails(ask({ subjectToken: theirs }), 'rejected', /getOpenIdToken/)
  assert.is(await ask({ subjectToken: mine }), token)

  const audience = 'at the same time'
  const both = [mine, theirs, mine, theirs].map((subjectToken) => ask({ audience, subjectToken }))
  const settled = await Promise.allSettled(both)
  assert.equal(settled.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled', 'rejected'])
  assert.is(google.requests.length, 4 + 4)
})

test('what is asked of one provider is not served for another', async () => {
  const road = await federated()
  const { ask, issuer, subject } = road
  const audiences = ['https://issuer.example/audience']
  const [one, two] = [false, true].map((disabled) => trust(road, issuer, { audiences, disabled }))
  for (const subjectToken of [await subject({ aud: audiences[0] }), () => subject({ aud: audiences[0] })]) {
    await ask({ provider: one, subjectToken })
    await fails(ask({ provider: two, subjectToken }), 'rejected', /invalid_target/)
  }
})

test('whatever changes the token, or who is asked for it, changes what is served', async () => {
  const { account, ask, google, json, provider, subject } = await byJson()
  const pool = provider.name.replace(/\/providers\/.*/, '')
  const other = google.createAccount()
  google.grant(`principalSet://iam.googleapis.com/${pool}/*`, 'roles/iam.workloadIdentityUser', other.email)
  const changed = (change: object) => ({ credentials: { ...json, ...change } })
  const ways = [
    {}, { serviceAccount: other.email }, { identity: 'me' }, { audience: 'second' },
    changed({ token_url: 'https://eu-sts.googleapis.com/v1/token' }),
    changed({ service_account_impersonation_url: impersonationUrl(account, EU) }),
    changed({ subject_token_type: `${TOKEN_TYPE}:id_token` }),
    { subjectToken: await subject() }, { subjectToken: await subject() }
  ]
  const tokens = await Promise.all([...ways, ...ways].map(ask))
  assert.is(new Set(tokens).size, ways.length)
  assert.equal(tokens.slice(ways.length), tokens.slice(0, ways.length))
  assert.is(google.requests.length, 2 * ways.length)
})

test('nor by a token that differs in one character, or has the other as its start', async () => {
  const { ask, google, subject } = await federated()
  const mine = await subject()
  await ask({ subjectToken: mine })
  for (const other of [`${mine}A`, mine.slice(0, -1), `A${mine}`, `${mine} `, mine.replace('.', ',')]) {
    google.next('sts', faults.refusal(stsErrors.badSignature))
    await fails(ask({ subjectToken: other }), 'rejected')
  }
})

test('a function stands for the deployment, and is none of the tenants', async () => {
  const { ask, subject, tokens } = await federated()
  const token = await ask()
  assert.is(await ask({ subjectToken: () => subject() }), token, 'functions are not told apart')
  assert.is(tokens.length, 1)
  const text = await subject()
  assert.is.not(await ask({ subjectToken: text }), token)
})

test('nor does it stand for who passes none', async () => {
  const { ask } = await federated()
  await ask()
  for (const subjectToken of [undefined, null, '']) await misused(ask({ subjectToken }), /\bsubjectToken\b/)
})

test('by identity, a function stands for one of several', async () => {
  const { account, ask, google, provider, subject } = await federated()
  const pool = provider.name.replace(/\/providers\/.*/, '')
  const another = google.createAccount()
  for (const { email } of [account, another]) {
    google.grant(`principal://iam.googleapis.com/${pool}/subject/b`, 'roles/iam.workloadIdentityUser', email)
  }
  const tenant = (sub: string) => ({ identity: sub, subjectToken: () => subject({ sub }) })
  const a = await ask({ identity: 'a', subjectToken: () => subject() })
  const b = await ask(tenant('b'))
  assert.is.not(a, b)
  assert.is(await ask(tenant('b')), b)
  assert.is(await ask({ identity: 'a', subjectToken: () => subject() }), a)
  await fails(ask(tenant('c')), 'rejected', /getOpenIdToken/)
  assert.is.not(await ask(), a)
})

test('with a store, a function needs an identity', async () => {
  const road = await federated()
  const store = memoryStore()
  for (const identity of [undefined, '']) {
    await misused(road.ask({ store, identity }), /\bidentity\b/)
  }
  nothingSent(road)
  assert.is(store.values.size, 0)
  await road.ask({ store, identity: 'me' })
  assert.is(store.values.size, 1)
})

test('identity is a text', async () => {
  const road = await federated()
  for (const identity of [null, 7, {}, ['me']]) await misused(road.ask({ identity }), /\bidentity\b/)
  nothingSent(road)
})

test('the store keeps tenants apart, by identity and by text', async () => {
  const { ask, google, subject } = await federated()
  const store = memoryStore()
  const [one, two] = [await subject(), await subject()]
  const tenants = [{ identity: 'a' }, { identity: 'b' }, { subjectToken: one }, { subjectToken: two }]
  for (const tenant of tenants) await ask({ store, ...tenant })
  assert.is(google.requests.length, 2 * tenants.length)
  assert.is(store.values.size, tenants.length)
  assert.equal(store.asked.length, tenants.length)
  const shown = [...store.values.keys()].join()
  for (const secret of [one, two, 'identity']) assert.not.ok(shown.includes(secret.slice(0, 12)))
})

test('what a store holds for one tenant is not even looked at for another', async () => {
  const first = await federated()
  const store = memoryStore()
  const token = await first.ask({ store, identity: 'a' })
  store.asked.length = 0
  const [key] = store.values.keys()
  await first.ask({ store, identity: 'b' })
  assert.not.ok(store.asked.includes(key!))
  assert.is(store.values.get(key!), token)
})

// What Google says.

const refusals: [what: string, refusal: ReturnType<typeof stale>, hint?: RegExp][] = [
  ['no provider', stsErrors.badAudience, /the provider and/],
  ['an unknown provider', stsErrors.badTarget, /the provider and/],
  ['a condition', stsErrors.badCondition],
  ['another audience', otherAudience('https://vercel.com/acme'), /allowed audiences/],
  ['a stale token', stale(1_800_000_000), /function/],
  ['another issuer', otherIssuer('https://evil.example', 'https://issuer.example')],
  ['an issuer that is down', stsErrors.unreachable],
  ['no JWT', stsErrors.unparsable],
  ['a bad signature', stsErrors.badSignature],
  ['a long subject', stsErrors.longSubject]
]
for (const [what, refusal, hint] of refusals) {
  test(`what STS refuses is shown as it words it: ${what}`, async () => {
    const { ask, google } = await federated()
    google.next('sts', faults.refusal(refusal))
    const error = await fails(ask({ retries: 2 }), 'rejected', /sts\.googleapis\.com/)
    assert.equal([error.status, error.reason, error.description], [400, refusal.error, refusal.description])
    if (hint) assert.match(error.hint, hint)
    else assert.not.ok('hint' in error)
    assert.is(google.requests.length, 1)
  })
}

test('for real: a subject token for somebody else, a stale one, one of another issuer', async () => {
  const { ask, google, subject } = await federated()
  const elsewhere = await google.createIssuer('https://evil.example')
  const now = Math.floor(Date.now() / 1000)
  const wrong: [string | Promise<string>, RegExp][] = [
    [subject({ aud: 'https://vercel.com/acme' }), /does not match the expected audience/],
    [subject({ iat: now - 7200, exp: now - 3600 }), /stale/],
    [elsewhere.issue({ sub: 'me' }), /issuer/],
    ['no JWT', /parse/]
  ]
  for (const [token, pattern] of wrong) {
    await fails(ask({ subjectToken: await token }), 'rejected', pattern)
  }
})

const iamRefusals: [what: string, status: Parameters<typeof failed>[0], hint?: RegExp][] = [
  ['no permission', iamErrors.noIdToken, /iam\.serviceAccountOpenIdTokenCreator/],
  ['an unknown account', notFound('caller@project.iam.gserviceaccount.com')],
  ['an API that is off', iamErrors.serviceDisabled],
  ['bad credentials', iamErrors.badCredentials],
  ['a bad argument', iamErrors.invalidArgument]
]
for (const [what, status, hint] of iamRefusals) {
  test(`what IAM refuses is shown as it words it: ${what}`, async () => {
    const { ask, google } = await federated()
    google.next('iam', faults.respond(() => failed(status)))
    const error = await fails(ask({ retries: 2 }), 'rejected', /iamcredentials\.googleapis\.com/)
    assert.equal([error.status, error.reason], [status.code, status.status])
    assert.is(error.description, status.message.slice(0, 300))
    if (hint) assert.match(error.hint, hint)
    else assert.not.ok('hint' in error)
    assert.is(google.requests.length, 2)
  })
}

const answers: [what: string, place: 'sts' | 'iam', fault: Fault][] = [
  ['no access token', 'sts', faults.json(200, {})],
  ['an access token that is null', 'sts', faults.json(200, { access_token: null })],
  ['one that is empty', 'sts', faults.json(200, { access_token: '' })],
  ['one that is a number', 'sts', faults.json(200, { access_token: 7 })],
  ['one that is a list', 'sts', faults.json(200, { access_token: ['ya29.abc'] })],
  ['one with a line break', 'sts', faults.json(200, { access_token: 'ya29.abc\r\nx: y' })],
  ['one with a space', 'sts', faults.json(200, { access_token: 'ya29.abc def' })],
  ['one that is not ASCII', 'sts', faults.json(200, { access_token: 'ya29.äbc' })],
  ['a page for an access token', 'sts', faults.html(200, '<h1>Hello</h1>')],
  ['a redirect of STS', 'sts', faults.redirect('https://evil.example/')],
  ['a redirect of IAM', 'iam', faults.redirect('https://evil.example/')],
  ['too much of STS', 'sts', faults.huge(1_000_000)],
  ['too much of IAM', 'iam', faults.huge(1_000_000)],
  ['no ID token', 'iam', faults.json(200, {})],
  ['one that is null', 'iam', faults.json(200, { token: null })],
  ['one that is no JWT', 'iam', faults.json(200, { token: 'ya29.abc' })],
  ['a page for an ID token', 'iam', faults.html(200, '<h1>Hello</h1>')]
]
for (const [what, place, fault] of answers) {
  test(`an answer out of the contract is not passed on: ${what}`, async () => {
    const { ask, google } = await federated()
    google.next(place, fault)
    await fails(ask({ retries: 2 }), 'invalid_response')
    assert.is(google.requests.at(-1)!.endpoint, place)
    assert.is(google.requests.length, place === 'sts' ? 1 : 2)
  })
}

for (const claims of [{ aud: 'https://other.example' }, { email: 'other@example.com' }, { exp: undefined }]) {
  test(`nor is an ID token of other claims: ${Object.keys(claims)}`, async () => {
    const { ask, google } = await federated()
    google.settings.idTokenClaims = claims
    await fails(ask(), 'invalid_response')
  })
}

test('a token that lives for ten minutes is a token', async () => {
  const { ask, google } = await federated()
  google.settings.iamIdTokenLifetime = 600
  assert.is(await ask(), await ask())
})

// As the platforms have it.

test('Vercel: getVercelOidcToken, where the provider allows the audience of the team', async () => {
  const road = await federated()
  const { ask, google } = road
  const { issuer, token } = await vercelProject(google)
  const provider = trust(road, issuer, { audiences: ['https://vercel.com/acme'] })
  const getVercelOidcToken = () => token()
  await ask({ provider, subjectToken: getVercelOidcToken })
})

test('Deno Deploy: its function has the name of ours, and is handed the audience', async () => {
  const road = await federated()
  const { ask, google } = road
  const { issuer, getIdToken: getDenoToken } = await denoApp(google)
  await ask({ provider: trust(road, issuer), subjectToken: getDenoToken })
})

test('GitHub Actions: one request to the URL of the job', async () => {
  const road = await federated()
  const { ask, google } = road
  const { issuer, env } = await gitHubJob(google)
  const subjectToken = async (audience: string) => {
    const url = `${env.ACTIONS_ID_TOKEN_REQUEST_URL}&audience=${encodeURIComponent(audience)}`
    const headers = { authorization: `Bearer ${env.ACTIONS_ID_TOKEN_REQUEST_TOKEN}` }
    return JSON.parse(await (await google.fetch(url, { headers })).text()).value
  }
  await ask({ provider: trust(road, issuer), subjectToken })
})

test.run()

/** The road by credentials, not by provider. */
async function byJson(options?: Parameters<typeof federated>[0]): Promise<FederatedRoad> {
  const road = await federated(options)
  const { audience, fetch, retries, subjectToken } = road.options
  const own = { credentials: road.json, audience, fetch, retries, subjectToken }
  road.ask = (more) => getIdToken({ ...own, ...more } as FederatedRoad['options'])
  return road
}

function nothingSent({ google, tokens }: FederatedRoad): void {
  assert.is(google.requests.length, 0)
  assert.is(tokens.length, 0, 'nobody asks for a subject token that is not needed')
}

/** A provider for the platform's issuer, all of whose identities may act as the road's account. */
function trust({ account, google }: FederatedRoad, issuer: Issuer, options?: Partial<Provider>): string {
  const { name } = google.createProvider(issuer, options)
  const pool = name.replace(/\/providers\/.*/, '')
  google.grant(`principalSet://iam.googleapis.com/${pool}/*`, 'roles/iam.workloadIdentityUser', account.email)
  return name
}

function memoryStore() {
  const values = new Map<string, string>()
  const asked: string[] = []
  return {
    values,
    asked,
    async get(key: string) {
      asked.push(key)
      return values.get(key)
    },
    async set(key: string, value: string) {
      values.set(key, value)
    }
  }
}
