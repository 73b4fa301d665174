import { IdTokenError, getIdToken } from 'gcp-id-token/impersonation'
import type { ImpersonatedServiceAccount } from 'gcp-id-token/impersonation'
import { decodeJwt, jwtVerify } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { faults, iamErrors, notFound, tokenErrors } from './google/index.ts'
import type { Account } from './google/index.ts'
import { failed } from './google/iam-credentials.ts'
import { bodyOf, fails, misused, rejects, showsNothingOf } from './support/errors.ts'
import * as keys from './support/keys.ts'
import {
  CREATOR, impersonating, impersonatingByLogin, impersonationUrl, noEmails, resourceName
} from './support/roads.ts'
import type { ImpersonatingRoad } from './support/roads.ts'

const test = suite('impersonation')

const IAM = 'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts'
const TOKEN_URL = 'https://oauth2.googleapis.com/token'
const UNIVERSE = 'apis-7.example.goog'

test('exports getIdToken, and the class of its errors', async () => {
  assert.type(getIdToken, 'function')
  const { ask, google } = await impersonating()
  google.next('iam', faults.page(404))
  assert.instance(await rejects(ask()), IdTokenError)
})

test('a token of the account that the key may act as, which its service takes', async () => {
  const { account, ask, google, options: { audience } } = await impersonating()
  const token = await ask()
  const { aud, sub, azp, email, email_verified } = await google.keys.verify(token, Date.now())
  assert.equal([aud, sub, azp], [audience, account.uniqueId, account.email])
  assert.equal([email, email_verified], [account.email, true])
  const answer = await google.fetch(audience, { headers: { authorization: `Bearer ${token}` } })
  assert.is(answer.status, 200)
})

test('one request, whose bearer the key has signed for itself', async () => {
  const { account, ask, google, key, options: { audience } } = await impersonating()
  const before = Math.floor(Date.now() / 1000)
  await ask()
  assert.is(google.requests.length, 1)
  const { init, method, text, url } = google.requests[0]!
  assert.is(url, `${IAM}/${account.email}:generateIdToken`)
  assert.is(method, 'POST')
  assert.equal(JSON.parse(text), { audience, includeEmail: true, useEmailAzp: true, delegates: [] })
  assert.is(init!.redirect, 'manual')
  assert.instance(init!.signal, AbortSignal)
  assert.equal(Object.keys(init!).sort(), ['body', 'headers', 'method', 'redirect', 'signal'])

  const { authorization, ...headers } = init!.headers as Record<string, string>
  assert.equal(headers, { 'content-type': 'application/json' })
  const [, bearer] = /^Bearer (\S+)$/.exec(authorization!)!
  const { publicKey } = google.world.accounts.get(key.client_email)!.keys[0]!
  const { payload, protectedHeader } = await jwtVerify(bearer!, publicKey, { algorithms: ['RS256'] })
  assert.equal(protectedHeader, { alg: 'RS256', typ: 'JWT', kid: key.private_key_id })
  const { iat, exp, ...claims } = payload
  assert.equal(claims, {
    iss: key.client_email,
    sub: key.client_email,
    scope: 'https://www.googleapis.com/auth/iam'
  })
  assert.is(exp! - iat!, 3600)
  assert.ok(iat! <= before && iat! >= before - 60, `iat is ${before - iat!} s ago`)
})

test('the audience goes as it is', async () => {
  for (const audience of ['https://a.run.app/?a=b&c#d', '"a",\\\n\u2028', 'https://café.example/ 日本語 🔑']) {
    const { ask, google } = await impersonating()
    assert.is((await google.keys.verify(await ask({ audience }), Date.now())).aud, audience)
  }
})

test('the email is left out only where that is wanted', async () => {
  const { account, ask, google } = await impersonating()
  const rows = [[undefined, account.email], [true, account.email], [false, undefined]]
  for (const [includeEmail, email] of rows) {
    const token = await ask({ includeEmail, forceRefresh: true })
    assert.is((await google.keys.verify(token, Date.now())).email, email)
    assert.is(JSON.parse(google.requests.at(-1)!.text).includeEmail, includeEmail ?? true)
  }
  assert.is.not(await ask({ includeEmail: false }), await ask({ includeEmail: true }), 'and cached apart')
})

test('includeEmail is true or false', async () => {
  const road = await impersonating()
  for (const includeEmail of [null, 'true', 'false', 0, 1, {}]) {
    await misused(road.ask({ includeEmail }), /\bincludeEmail\b/)
  }
  assert.is(road.google.requests.length, 0)
})

test('through delegates, in order', async () => {
  const { account, ask, google, key } = await impersonating()
  const [first, second] = [google.createAccount('first'), google.createAccount('second')]
  google.world.grants.length = 0
  google.grant(`serviceAccount:${key.client_email}`, CREATOR, first.email)
  google.grant(`serviceAccount:${first.email}`, CREATOR, second.email)
  google.grant(`serviceAccount:${second.email}`, CREATOR, account.email)
  const token = await ask({ delegates: [first.email, second.email] })
  assert.is(decodeJwt(token).email, account.email)
  const { delegates } = JSON.parse(google.requests[0]!.text)
  assert.equal(delegates, [first, second].map(({ email }) => resourceName(email)))
  assert.is(google.requests.length, 1)

  const wrong = [[second.email, first.email], [first.email], [second.email], [], undefined]
  for (const delegates of wrong) await fails(ask({ delegates }), 'rejected', /PERMISSION_DENIED/)
})

for (const delegates of [null, 7, {}, 'first@example.com', ...noEmails.map((name) => [name])]) {
  test(`delegates are emails: ${JSON.stringify(delegates)}`, async () => {
    const road = await impersonating()
    await misused(road.ask({ delegates }), /\bdelegates\b/)
    assert.is(road.google.requests.length, 0)
  })
}

test('each delegate is an email, not only the first', async () => {
  const { ask, account, google } = await impersonating()
  await misused(ask({ delegates: [account.email, account.email, 'x'] }), /\bdelegates\b/)
  assert.is(google.requests.length, 0)
})

// App Engine names its account after the project, which may have a domain before it.
for (const name of ['123-compute', 'example.com.my-project', 'a_b+c']) {
  test(`takes an account whose name is ${name}`, async () => {
    const { ask, google, key } = await impersonating()
    const { email } = google.createAccount(name)
    google.grant(`serviceAccount:${key.client_email}`, CREATOR, email)
    assert.is(decodeJwt(await ask({ serviceAccount: email })).email, email)
  })
}

for (const serviceAccount of [undefined, ...noEmails]) {
  test(`puts nothing into the URL that is no email: ${JSON.stringify(serviceAccount)}`, async () => {
    const road = await impersonating()
    await misused(road.ask({ serviceAccount }), /\bserviceAccount\b/)
    assert.is(road.google.requests.length, 0)
  })
}

test('whatever changes the token, changes what is served', async () => {
  const { account, ask, google, key } = await impersonating()
  const [middle, other] = [google.createAccount('middle'), google.createAccount('other')]
  const second = await google.createKey(google.createAccount('second'))
  const caller = google.world.accounts.get(key.client_email)!
  const rotated = await google.createKey(caller)
  for (const { client_email } of [key, second]) {
    for (const { email } of [middle, account, other]) {
      google.grant(`serviceAccount:${client_email}`, CREATOR, email)
    }
  }
  google.grant(`serviceAccount:${middle.email}`, CREATOR, account.email)
  const ways = [
    {}, { includeEmail: false }, { serviceAccount: other.email }, { delegates: [middle.email] },
    { credentials: second }, { credentials: rotated }, { audience: 'second' }
  ]
  const tokens = await Promise.all([...ways, ...ways].map(ask))
  assert.is(new Set(tokens).size, ways.length)
  assert.equal(tokens.slice(ways.length), tokens.slice(0, ways.length))
  assert.is(google.requests.length, ways.length)
})

test('who knows the email and the id of a key, but not the key, gets nothing', async () => {
  const { ask, google, key } = await impersonating()
  await ask()
  const { private_key } = await google.createKey()
  await fails(ask({ credentials: { ...key, private_key } }), 'rejected', /UNAUTHENTICATED/)
})

// The key.

const clothes: [what: string, wear: (json: object) => unknown][] = [
  ['an object', (json) => json],
  ['text', (json) => JSON.stringify(json, null, 2)],
  ['base64', (json) => btoa(JSON.stringify(json))],
  ['text with raw line breaks', (json) => JSON.stringify(json).replace(/\\n/g, '\n')]
]
for (const [what, wear] of clothes) {
  test(`takes a key as ${what}`, async () => {
    const { account, ask, key } = await impersonating()
    assert.is(decodeJwt(await ask({ credentials: wear(key) })).email, account.email)
  })

  test(`takes what gcloud writes as ${what}`, async () => {
    const { account, ask, google, json } = await impersonating()
    const token = await ask({ credentials: wear(json), serviceAccount: undefined })
    assert.is(decodeJwt(token).email, account.email)
    assert.is(google.requests.length, 1)
  })
}

test('of the key, email and private key suffice', async () => {
  const { ask, google, key: { client_email, private_key } } = await impersonating()
  await ask({ credentials: { client_email, private_key } })
  assert.is(google.requests.length, 1)
})

test('its token_uri is not asked', async () => {
  const { ask, google, key } = await impersonating()
  await ask({ credentials: { ...key, token_uri: 'https://evil.example/token' } })
  assert.equal(google.requests.map(({ endpoint }) => endpoint), ['iam'])
})

const brokenKeys: [what: string, change: object, code: string, ...patterns: RegExp[]][] = [
  ['no email', { client_email: undefined }, 'invalid_credentials', /client_email/],
  ['no key', { private_key: undefined }, 'invalid_credentials', /private_key/],
  ['a key that is no text', { private_key: 7 }, 'invalid_credentials', /private_key/],
  ['an encrypted key', { private_key: keys.encrypted }, 'invalid_key', /ENCRYPTED PRIVATE KEY/],
  ['an EC key', { private_key: keys.ec }, 'invalid_key', /EC PRIVATE KEY/],
  ['half a key', { private_key: keys.rsa.slice(0, 800) }, 'invalid_key', /cut short/],
  ['an external account', { type: 'external_account' }, 'unsupported_credentials',
    /gcp-id-token\/federation/],
  ['a user', { type: 'authorized_user' }, 'unsupported_credentials', /authorized_user, not service_account/],
  ['another type', { type: 'gdch_service_account' }, 'unsupported_credentials', /service_account/]
]
for (const [what, change, code, ...patterns] of brokenKeys) {
  test(`sends nothing for credentials that are wrong: ${what}`, async () => {
    const { ask, google, key, json } = await impersonating()
    const credentials = { ...key, ...change }
    showsNothingOf(await fails(ask({ credentials }), code, ...patterns), bodyOf(key.private_key))
    if (what !== 'a user') {
      await fails(ask({ credentials: { ...json, source_credentials: credentials } }), code, ...patterns)
    }
    assert.is(google.requests.length, 0)
  })
}

test('a user alone is nobody to act as', async () => {
  const { account, ask, google, user } = await impersonatingByLogin()
  const attempt = ask({ credentials: user, serviceAccount: account.email })
  await fails(attempt, 'unsupported_credentials', /authorized_user, not service_account/)
  assert.is(google.requests.length, 0)
})

test('no credentials: is the secret bound?', async () => {
  const { ask, google } = await impersonating()
  for (const credentials of [undefined, null, '', ' \n', 7]) {
    await misused(ask({ credentials }), /\bcredentials\b/, /bound\?/)
  }
  assert.is(google.requests.length, 0)
})

// What gcloud writes.

test('gcloud\'s JSON over a key is one request, by that key', async () => {
  const { account, ask, google, json, key } = await impersonating()
  await ask({ credentials: json, serviceAccount: undefined })
  assert.is(google.requests.length, 1)
  assert.is(google.requests[0]!.url, `${IAM}/${account.email}:generateIdToken`)
  assert.is(decodeJwt(google.requests[0]!.headers.authorization!.slice(7)).iss, key.client_email)
})

test('gcloud\'s JSON over a login is two: the refresh token is traded first', async () => {
  const { account, ask, google, options: { audience }, user } = await impersonatingByLogin()
  const token = await ask()
  assert.is((await google.keys.verify(token, Date.now())).email, account.email)
  const [refresh, iam] = google.requests
  assert.is(google.requests.length, 2)
  assert.is(refresh!.url, TOKEN_URL)
  assert.is(refresh!.method, 'POST')
  assert.match(refresh!.headers['content-type']!, /^application\/x-www-form-urlencoded\b/)
  const { client_id, client_secret, refresh_token } = user
  assert.equal(refresh!.form, { grant_type: 'refresh_token', client_id, client_secret, refresh_token })
  const [accessToken] = google.world.accessTokens.keys()
  assert.is(iam!.url, `${IAM}/${account.email}:generateIdToken`)
  assert.is(iam!.headers.authorization, `Bearer ${accessToken}`)
  assert.equal(JSON.parse(iam!.text), { audience, includeEmail: true, useEmailAzp: true, delegates: [] })
  for (const { init } of google.requests) assert.is(init!.redirect, 'manual')
})

test('the login is asked at Google\'s own token endpoint, whatever the JSON says', async () => {
  const { ask, google, json, user } = await impersonatingByLogin()
  const source_credentials = { ...user, token_uri: 'https://evil.example/token' }
  await ask({ credentials: { ...json, source_credentials } })
  assert.equal(google.requests.map(({ endpoint }) => endpoint), ['token', 'iam'])
})

const forms = { 'resource names': resourceName, emails: (email: string) => email }
for (const [form, write] of Object.entries(forms)) {
  test(`delegates of the JSON, as ${form}, in order`, async () => {
    const { ask, delegates, google, json } = await chained()
    const credentials = { ...json, delegates: delegates.map(({ email }) => write(email)) }
    await ask({ credentials })
    const sent = JSON.parse(google.requests[0]!.text)
    assert.equal(sent.delegates, delegates.map(({ email }) => resourceName(email)))
    credentials.delegates.reverse()
    await fails(ask({ credentials }), 'rejected', /PERMISSION_DENIED/)
  })
}

test('delegates that are undefined are the JSON\'s, and others go before them', async () => {
  const { ask, delegates, google, json } = await chained()
  const emails = delegates.map(({ email }) => email)
  const rows = [[emails, undefined], [[], emails], [['nobody@example.com'], emails]] as const
  for (const [written, delegates] of rows) {
    await ask({ credentials: { ...json, delegates: written }, delegates, forceRefresh: true })
  }
  assert.is(google.requests.length, rows.length)
  for (const { text } of google.requests) {
    assert.equal(JSON.parse(text).delegates, emails.map(resourceName))
  }
})

test('delegates may be missing', async () => {
  const { ask, google, json } = await impersonating()
  for (const delegates of [undefined, null]) { // Go writes null for an empty list
    await ask({ credentials: { ...json, delegates }, serviceAccount: undefined, forceRefresh: true })
  }
  assert.equal(google.requests.map(({ text }) => JSON.parse(text).delegates), [[], []])
})

test('serviceAccount goes before the account of the JSON', async () => {
  const { ask, google, json, key } = await impersonating()
  const other = google.createAccount()
  google.grant(`serviceAccount:${key.client_email}`, CREATOR, other.email)
  assert.is(decodeJwt(await ask({ credentials: json, serviceAccount: other.email })).email, other.email)
})

const names = noEmails.filter((email) => typeof email === 'string')
// Here, a resource name is a name, too.
const badDelegates = names.filter((name) => !name.startsWith('projects/'))
  .flatMap((name) => [name, resourceName(name)])
const brokenJson: [what: string, change: object, field: RegExp][] = [
  ['no source', { source_credentials: undefined }, /lack source_credentials/],
  ['a source that is null', { source_credentials: null }, /lack source_credentials/],
  ['a source that is text', { source_credentials: 'credentials.json' }, /client_email and private_key/],
  ['an empty source', { source_credentials: {} }, /client_email/],
  ['a user without a refresh token', withoutField('refresh_token'), /refresh_token/],
  ['a user without a client', withoutField('client_id'), /client_id/],
  ['a user without a secret', withoutField('client_secret'), /client_secret/],
  ['a number for a token', { source_credentials: { ...user(), refresh_token: 7 } }, /refresh_token/],
  ['delegates that are no list', { delegates: 'first@example.com' }, /delegates/],
  ...[7, null, {}, { toString: 1, valueOf: 1 }, ...badDelegates].map((name): [string, object, RegExp] =>
    [`a delegate ${JSON.stringify(name)}`, { delegates: [name] }, /delegates/]),
  ...names.map((email): [string, object, RegExp] => [
    `an account ${JSON.stringify(email)}`,
    { service_account_impersonation_url: `${IAM}/${email}:generateAccessToken` },
    /service_account_impersonation_url/
  ])
]
for (const [what, change, field] of brokenJson) {
  test(`sends nothing for what gcloud would not write: ${what}`, async () => {
    const { ask, google, json } = await impersonatingByLogin()
    await fails(ask({ credentials: { ...json, ...change } }), 'invalid_credentials', field)
    assert.is(google.requests.length, 0)
  })
}

test('without an account in the JSON, it has to be named', async () => {
  const { account, ask, json } = await impersonating()
  const { service_account_impersonation_url: _, ...credentials } = json
  await misused(ask({ credentials, serviceAccount: undefined }), /\bserviceAccount\b/)
  await ask({ credentials, serviceAccount: account.email })
})

for (const [type, entry] of [
  ['external_account', /gcp-id-token\/federation/],
  ['impersonated_service_account', /impersonated_service_account|impersonation/]
] as const) {
  test(`a source of type ${type} is refused`, async () => {
    const { ask, google, json } = await impersonating()
    const credentials = { ...json, source_credentials: { ...json, type } }
    await fails(ask({ credentials }), 'unsupported_credentials', entry)
    assert.is(google.requests.length, 0)
  })
}

// Where a JSON from elsewhere may send a bearer.

for (const host of [
  'iamcredentials.googleapis.com',
  'us-east1.iamcredentials.googleapis.com',
  'iamcredentials.us-east1.googleapis.com',
  'us-east1-iamcredentials.googleapis.com',
  'IAMCredentials.googleapis.com'
]) {
  test(`the JSON may name Google's hosts: ${host}`, async () => {
    const { account, ask, google, json } = await impersonating()
    const credentials = { ...json, service_account_impersonation_url: impersonationUrl(account, host) }
    await ask({ credentials })
    const path = `/v1/projects/-/serviceAccounts/${account.email}:generateIdToken`
    assert.is(google.requests[0]!.url.toLowerCase(), `https://${host}${path}`.toLowerCase())
  })
}

for (const host of [
  'evil.example',
  'iamcredentials.googleapis.com.evil.example',
  'iamcredentials.googleapis.com.',
  'iamcredentials.googleapis.com:443',
  'iamcredentials.googleapis.com@evil.example',
  'evil.example@iamcredentials.googleapis.com',
  'evil.example/iamcredentials.googleapis.com',
  'evil.example#iamcredentials.googleapis.com',
  'evil.example\\.iamcredentials.googleapis.com',
  'iamcredentialsXgoogleapis.com',
  'evil-iamcredentials.example.com',
  'myiamcredentials.googleapis.com',
  'a.b.iamcredentials.googleapis.com',
  'iamcredentials.example.goog',
  'sts.googleapis.com',
  '127.0.0.1:8080',
  'localhost'
]) {
  test(`nor any other: ${host}`, async () => {
    const { account, ask, google, json } = await impersonating()
    const credentials = { ...json, service_account_impersonation_url: impersonationUrl(account, host) }
    await fails(ask({ credentials }), 'invalid_credentials', /service_account_impersonation_url/)
    assert.is(google.requests.length, 0)
  })
}

// Other universes, whose token endpoints give no ID tokens.

test('goes to another universe where code and key name it, in one request', async () => {
  const { account, ask, google, key } = await impersonating({ universes: [UNIVERSE] })
  assert.is(key.universe_domain, UNIVERSE)
  const token = await ask({ universeDomain: UNIVERSE })
  assert.is(decodeJwt(token).email, account.email)
  const path = `/v1/projects/-/serviceAccounts/${account.email}:generateIdToken`
  assert.equal(google.requests.map(({ url }) => url), [`https://iamcredentials.${UNIVERSE}${path}`])
})

test('there, an account may act as itself', async () => {
  const { ask, google, key } = await impersonating({ universes: [UNIVERSE] })
  const itself = { serviceAccount: key.client_email, universeDomain: UNIVERSE }
  await fails(ask(itself), 'rejected', /getOpenIdToken/)
  google.grant(`serviceAccount:${key.client_email}`, CREATOR, key.client_email)
  assert.is(decodeJwt(await ask(itself)).email, key.client_email)
})

test('gcloud\'s JSON may be of another universe, with all that is in it', async () => {
  const { ask, google, json, key } = await impersonating({ universes: [UNIVERSE] })
  const there = { ...json, universe_domain: UNIVERSE }
  const options = { serviceAccount: undefined, universeDomain: UNIVERSE }
  await ask({ ...options, credentials: there })
  assert.is(new URL(google.requests[0]!.url).host, `iamcredentials.${UNIVERSE}`)

  google.requests.length = 0
  const source_credentials = { ...key, universe_domain: 'googleapis.com' }
  const mixed = [{ ...there, source_credentials }, { ...json, universe_domain: 'googleapis.com' }, json]
  for (const credentials of mixed) {
    await fails(ask({ ...options, credentials }), 'unsupported_credentials', /googleapis\.com/)
  }
  assert.is(google.requests.length, 0)
})

const otherUniverses: [what: string, json: unknown, code: unknown, ...patterns: RegExp[]][] = [
  ['only the key', UNIVERSE, undefined, /example\.goog/, /universeDomain/],
  ['only the key, against the code', UNIVERSE, 'googleapis.com', /example\.goog/],
  ['only the code', undefined, UNIVERSE, /googleapis\.com/],
  ['only the code, beside null', null, UNIVERSE, /googleapis\.com/],
  ['only the code, against the key', 'googleapis.com', UNIVERSE, /googleapis\.com/],
  ['two of them', 'other.goog', UNIVERSE, /other\.goog/],
  ['one that is no text', 7, UNIVERSE]
]
for (const [what, universe_domain, universeDomain, ...patterns] of otherUniverses) {
  test(`goes to no universe that only one of code and key names: ${what}`, async () => {
    const { ask, google, key } = await impersonating({ universes: [UNIVERSE] })
    const credentials = { ...key, universe_domain }
    const attempt = ask({ credentials, universeDomain })
    const error = await fails(attempt, 'unsupported_credentials', /universe/, ...patterns)
    assert.not.match(error.message, /undefined/)
    assert.is(google.requests.length, 0)
  })
}

const noDomains = ['', null, 7, {}, 'EXAMPLE.GOOG', 'example.goog/', 'example.goog#', 'a@example.goog', 'a.goog\n']
for (const universeDomain of noDomains) {
  test(`universeDomain is a domain: ${JSON.stringify(universeDomain)}`, async () => {
    const { ask, google } = await impersonating()
    await misused(ask({ universeDomain }), /\buniverseDomain\b/)
    assert.is(google.requests.length, 0)
  })
}

// What Google says.

const iamRefusals: [what: string, status: Parameters<typeof failed>[0], hint?: RegExp][] = [
  ['no permission', iamErrors.noIdToken, /iam\.serviceAccountOpenIdTokenCreator/],
  ['no permission of a delegate', iamErrors.noDelegation],
  ['an unknown account', notFound('caller@project.iam.gserviceaccount.com')],
  ['an API that is off', iamErrors.serviceDisabled],
  ['bad credentials', iamErrors.badCredentials],
  ['a bad argument', iamErrors.invalidArgument]
]
for (const [what, status, hint] of iamRefusals) {
  test(`what IAM refuses is shown as it words it: ${what}`, async () => {
    const { ask, google } = await impersonating()
    google.next('iam', faults.respond(() => failed(status)))
    const error = await fails(ask({ retries: 2 }), 'rejected', /iamcredentials\.googleapis\.com/)
    assert.equal([error.status, error.reason], [status.code, status.status])
    assert.is(error.description, status.message.slice(0, 300))
    if (hint) assert.match(error.hint, hint)
    else assert.not.ok('hint' in error)
    assert.is(google.requests.length, 1)
  })
}

for (const name of ['revokedToken', 'reauthNeeded', 'invalidClient', 'adminPolicy'] as const) {
  test(`what is refused to a login is shown as Google words it: ${name}`, async () => {
    const { ask, google } = await impersonatingByLogin()
    const { status, error: reason, description } = tokenErrors[name]
    google.next('token', faults.refusal(tokenErrors[name]))
    const error = await fails(ask({ retries: 2 }), 'rejected', /oauth2\.googleapis\.com/)
    assert.equal([error.status, error.reason, error.description], [status, reason, description])
    assert.is(google.requests.length, 1)
  })
}

for (const access_token of [undefined, null, '', 7, ['ya29.abc'], 'ya29.abc\nx: y', 'ya29 abc', 'ya29.äbc']) {
  test(`what is no access token is sent nowhere: ${JSON.stringify(access_token)}`, async () => {
    const { ask, google } = await impersonatingByLogin()
    google.next('token', faults.json(200, { access_token }))
    await fails(ask({ retries: 2 }), 'invalid_response', /access token/)
    assert.is(google.requests.length, 1)
  })
}

test('an answer to a login that is no JSON is none', async () => {
  const { ask, google } = await impersonatingByLogin()
  google.next('token', faults.html(200, '<h1>Welcome</h1>'))
  await fails(ask(), 'invalid_response')
  assert.is(google.requests.length, 1)
})

for (const claims of [{ aud: 'https://other.example' }, { email: 'other@example.com' }, { exp: undefined }]) {
  test(`an ID token of other claims is not served: ${Object.keys(claims)}`, async () => {
    const { ask, google } = await impersonating()
    google.settings.idTokenClaims = claims
    await fails(ask(), 'invalid_response')
  })
}

for (const offset of [-7200, 7200]) {
  test(`a clock that is off by ${offset} s costs one more request, once`, async () => {
    const { account, ask, google, json } = await impersonating({ settings: { clockOffset: offset } })
    // What is learned of a clock stays with its host: this one is not asked elsewhere.
    const host = `clock${offset > 0 ? 1 : 2}-iamcredentials.googleapis.com`
    const credentials = { ...json, service_account_impersonation_url: impersonationUrl(account, host) }
    await ask({ credentials })
    assert.equal(google.requests.map(({ status }) => status), [401, 200])
    await ask({ credentials, audience: 'second' })
    assert.equal(google.requests.map(({ status }) => status), [401, 200, 200])
  })
}

test.run()

/** Two accounts between the key and the one that it acts as. */
async function chained(): Promise<ImpersonatingRoad & { delegates: Account[] }> {
  const road = await impersonating()
  const { account, google, key } = road
  const delegates = [google.createAccount('first'), google.createAccount('second')]
  google.world.grants.length = 0
  for (const [i, { email }] of [...delegates, account].entries()) {
    google.grant(`serviceAccount:${delegates[i - 1]?.email ?? key.client_email}`, CREATOR, email)
  }
  return { ...road, delegates }
}

function withoutField(field: string): Partial<ImpersonatedServiceAccount> {
  const { [field]: _, ...source_credentials } = user()
  return { source_credentials }
}

function user(): Record<string, unknown> {
  return { type: 'authorized_user', client_id: 'client', client_secret: 'secret', refresh_token: 'refresh' }
}
