import { IdTokenError, getIdToken } from 'gcp-id-token/metadata'
import { decodeJwt } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { faults } from './google/index.ts'
import type { Fault, Seen } from './google/index.ts'
import { gkeNotFound } from './google/metadata-server.ts'
import { FakeClock } from './support/clock.ts'
import { fails, misused, rejects } from './support/errors.ts'
import { noEmails, onGoogleCloud } from './support/roads.ts'
import { MOST_RANDOM } from './support/scene.ts'

const test = suite('metadata')

const SERVER = 'http://metadata.google.internal'
const ACCOUNTS = `${SERVER}/computeMetadata/v1/instance/service-accounts`
const OTHER = 'other@example.iam.gserviceaccount.com'

test('exports getIdToken, and the class of its errors', async () => {
  assert.type(getIdToken, 'function')
  const { ask, google } = await onGoogleCloud()
  google.world.machine = undefined
  assert.instance(await rejects(ask()), IdTokenError)
})

for (const kind of ['serverless', 'compute'] as const) {
  test(`a token of the account that the code runs as, which its service takes: ${kind}`, async () => {
    const { account, ask, google, options: { audience } } = await onGoogleCloud()
    google.settings.standardEmail = true
    google.runOnGoogleCloud(account, kind)
    const token = await ask()
    const { aud, sub, email } = await google.keys.verify(token, Date.now())
    assert.equal([aud, sub, email], [audience, account.uniqueId, account.email])
    const answer = await google.fetch(audience, { headers: { authorization: `Bearer ${token}` } })
    assert.is(answer.status, 200)
  })
}

test('one GET, with Metadata-Flavor and no more', async () => {
  const { ask, google, options: { audience } } = await onGoogleCloud()
  const calls: [string, RequestInit][] = []
  const fetch = (...call: [string, RequestInit]) => {
    calls.push(call)
    return google.fetch(...call)
  }
  await ask({ fetch })
  assert.is(calls.length, 1)
  const [[url, { signal, ...init }]] = calls as [[string, RequestInit]]
  assert.is(url, `${ACCOUNTS}/default/identity?audience=${encodeURIComponent(audience)}`)
  assert.equal(init, { headers: { 'metadata-flavor': 'Google' }, redirect: 'manual' })
  assert.is(google.requests[0]!.method, 'GET')
  assert.instance(signal, AbortSignal)
})

test('an abort within fetch itself ends the wait, with its reason, whatever that is', async () => {
  const known = new IdTokenError('unavailable', 'of another call')
  for (const reason of [new Error('gone'), Object.assign(new Error('mine'), { code: 'unavailable' }), known, 0]) {
    const { ask, google } = await onGoogleCloud()
    const controller = new AbortController()
    const fetch = (...call: [string, RequestInit]) => {
      controller.abort(reason)
      return google.fetch(...call)
    }
    const given = await ask({ fetch, signal: controller.signal }).then(() => 'a token', (error) => error)
    assert.is(given, reason)
  }
})

test('uses the global fetch, as it is at the time of the call', async () => {
  const { google, options: { audience } } = await onGoogleCloud()
  const before = globalThis.fetch
  globalThis.fetch = google.fetch as typeof fetch
  try {
    assert.is(decodeJwt(await getIdToken({ audience })).aud, audience)
  } finally {
    globalThis.fetch = before
  }
})

for (const audience of [
  'https://a.run.app/path?x=1&format=full&licenses=TRUE',
  'https://a.run.app/#fragment',
  'https://a.run.app/a b+c',
  '&audience=https://evil.example',
  '?audience=https://evil.example',
  '/../../token?scopes=a',
  '%26audience=evil',
  '100%',
  '+',
  ' ',
  'a=b;c=d,e',
  'https://café.example/straße',
  '日本語 🔑',
  '"quotes" \'and\' <tags> \\ |',
  'line\nbreak\r\n\tand tab\u0000',
  '12345-abc.apps.googleusercontent.com'
]) {
  test(`the audience comes through as it is: ${JSON.stringify(audience)}`, async () => {
    const { ask, google } = await onGoogleCloud()
    const token = await ask({ audience })
    assert.is((await google.keys.verify(token, Date.now())).aud, audience)
    assert.equal(asked(google.requests), [{ path: '/default/identity', query: { audience } }])
  })
}

const questions: [options: object, query: object, claims: string[]][] = [
  [{}, {}, []],
  [{ format: undefined, licenses: undefined }, {}, []],
  [{ format: 'standard' }, { format: 'standard' }, []],
  [{ format: 'full' }, { format: 'full' }, ['instance_id']],
  [{ format: 'full', licenses: true }, { format: 'full', licenses: 'TRUE' }, ['instance_id', 'license_id']],
  [{ format: 'full', licenses: false }, { format: 'full' }, ['instance_id']],
  [{ licenses: false }, {}, []]
]
for (const [options, query, claims] of questions) {
  test(`asks for the format and the licences that are wanted: ${JSON.stringify(options)}`, async () => {
    const { account, ask, google, options: { audience } } = await onGoogleCloud()
    google.runOnGoogleCloud(account, 'compute')
    const { google: facts } = decodeJwt<any>(await ask(options))
    assert.equal(asked(google.requests), [{ path: '/default/identity', query: { audience, ...query } }])
    for (const claim of ['instance_id', 'license_id']) {
      assert.is(facts?.compute_engine[claim] !== undefined, claims.includes(claim), claim)
    }
  })
}

test('tokens of another format are other tokens', async () => {
  const { account, ask, google } = await onGoogleCloud()
  google.runOnGoogleCloud(account, 'compute')
  const ways = [{}, { format: 'full' }, { format: 'full', licenses: true }, { serviceAccount: account.email }]
  const tokens = await Promise.all([...ways, ...ways].map(ask))
  assert.is(google.requests.length, ways.length)
  assert.equal(tokens.slice(ways.length), tokens.slice(0, ways.length))
})

test('asks for an account by its email', async () => {
  const { account, ask, google } = await onGoogleCloud()
  const token = await ask({ serviceAccount: account.email })
  assert.is(decodeJwt(token).email, account.email)
  assert.is(asked(google.requests)[0]!.path, `/${account.email}/identity`)
})

test('takes no token of another account than the one that was named', async () => {
  const { account, ask, google } = await onGoogleCloud()
  google.settings.idTokenClaims = { email: OTHER }
  await fails(ask({ serviceAccount: account.email }), 'invalid_response', /account/)
  assert.is(decodeJwt(await ask({ serviceAccount: 'default' })).email, OTHER)
})

for (const host of [
  'metadata.google.internal.',
  'METADATA.google.internal',
  '169.254.169.254',
  '169.254.169.254:80',
  '127.0.0.1:8181',
  'localhost:8182',
  '[::1]:8183',
  '[fd20:ce::254]',
  'metadata_server',
  'gke-metadata-server.kube-system:988'
]) {
  test(`asks the host that is named: ${host}`, async () => {
    const { ask, google, options: { audience } } = await onGoogleCloud()
    const urls: string[] = []
    const fetch = (url: string, init: RequestInit) => {
      urls.push(url)
      return google.fetch(url.replace(`//${host}/`, '//metadata.google.internal/'), init)
    }
    assert.is(decodeJwt(await ask({ host, fetch })).aud, audience)
    assert.equal(urls.map((url) => url.split('?')[0]), [
      `http://${host}/computeMetadata/v1/instance/service-accounts/default/identity`
    ])
  })
}

const noHosts: unknown[] = [
  '', ' ', null, 7, {}, [], true, ['metadata.google.internal'],
  'http://metadata.google.internal',
  'https://evil.example',
  '//evil.example',
  'evil.example/',
  'evil.example/x?',
  'evil.example#',
  'evil.example?',
  'metadata.google.internal@evil.example',
  'user:password@evil.example',
  'metadata.google.internal:80@evil.example',
  'evil.example\\',
  'metadata.google.internal\n',
  'metadata.google.internal\r\nx: y',
  ' metadata.google.internal',
  'metadata.google.internal%2f',
  'metadata.google.internal:',
  'metadata.google.internal:http',
  'metadata.google.internal:-1',
  'metadata.google.internal:80:80',
  '::1',
  '[::1',
  '[::1]]',
  '[::1]:',
  'métadata.google.internal'
]
for (const host of noHosts) {
  test(`sends nothing to what is no host: ${JSON.stringify(host)}`, async () => {
    const { ask, google } = await onGoogleCloud()
    await misused(ask({ host }), /\bhost\b/)
    assert.is(google.requests.length, 0)
  })
}

for (const host of ['metadata.google.internal:99999', '[:::::]', '256.256.256.256']) {
  test(`does not get to a host of which no URL can be made, and names it: ${host}`, async () => {
    const { ask, google } = await onGoogleCloud()
    const error = await rejects(ask({ host }))
    assert.is(error.name, 'IdTokenError')
    assert.ok(error.message.includes(host))
    assert.not.ok(google.requests.some(({ endpoint }) => endpoint === 'metadata'))
  })
}

for (const serviceAccount of noEmails.filter((text) => text !== 'default')) {
  test(`puts nothing into the URL that is no email: ${JSON.stringify(serviceAccount)}`, async () => {
    const { ask, google } = await onGoogleCloud()
    await misused(ask({ serviceAccount }), /\bserviceAccount\b/)
    assert.is(google.requests.length, 0)
  })
}

const mistakes: [option: string, values: unknown[]][] = [
  ['format', ['FULL', 'Standard', 'full&licenses=TRUE', 7, true, {}, [], ['full']]],
  ['licenses', ['TRUE', 'true', 1, {}, [], ['TRUE']]],
  ['audience', [undefined, null, '', 7, new URL('https://a.run.app')]]
]
for (const [option, values] of mistakes) {
  test(`a TypeError names the option: ${option}`, async () => {
    const { ask, google } = await onGoogleCloud()
    for (const value of values) await misused(ask({ [option]: value }), new RegExp(`\\b${option}\\b`))
    assert.is(google.requests.length, 0)
  })
}

test('a refusal of who lacks Metadata-Flavor is not blamed on the account alone', async () => {
  const { ask, google } = await onGoogleCloud()
  google.next('metadata', faults.html(404, '<h1>This hotel has no such page</h1>'))
  await fails(ask(), 'rejected', /404/, /Google Cloud\?/)
})

// Others who have the address: a router, a captive portal, another cloud.
const strangers: [what: string, fault: Fault][] = [
  ['without Metadata-Flavor', faults.headers({ 'metadata-flavor': null })],
  ['of another flavor', faults.headers({ 'metadata-flavor': 'Amazon' })],
  ['a page', faults.html(200, '<h1>Welcome to our hotel</h1>')],
  ['JSON', faults.json(200, { id_token: 'a.b.c' })]
]
for (const [what, fault] of strangers) {
  test(`an answer is the metadata server's or none: ${what}`, async () => {
    const { ask, google } = await onGoogleCloud()
    google.next('metadata', fault)
    await fails(ask({ retries: 2 }), 'invalid_response', /metadata server/, /metadata\.google\.internal/)
    assert.is(google.requests.length, 1)
    await ask()
  })
}

test('a redirect is not followed', async () => {
  const { ask, google } = await onGoogleCloud()
  google.next('metadata', faults.redirect('http://evil.example/'))
  await fails(ask(), 'invalid_response', /redirect/)
  assert.is(google.requests.length, 1)
})

test('404 without a word, as on Cloud Run, means most likely that no account is attached', async () => {
  const { ask, google } = await onGoogleCloud()
  google.runOnGoogleCloud()
  const error = await fails(ask({ retries: 2 }), 'rejected', /404/)
  assert.is(error.status, 404)
  assert.match(error.hint, /service account/)
  assert.match(error.hint, /attached/)
  assert.match(error.message, error.hint)
  assert.is(google.requests.length, 1)
})

test('404 as a page, as on Compute Engine, is not quoted', async () => {
  const { ask, google } = await onGoogleCloud()
  google.runOnGoogleCloud(undefined, 'compute')
  const error = await fails(ask(), 'rejected', /404/)
  assert.match(error.hint, /attached/)
  assert.not.match(error.message, /[<>]|!!1/)
})

test('404 with a word, as on GKE, is quoted', async () => {
  const { account, ask, google } = await onGoogleCloud()
  const said = gkeNotFound(account.email)
  google.next('metadata', flavored(404, said))
  const error = await fails(ask(), 'rejected', /404/)
  assert.is(error.description, said)
  assert.ok(error.message.includes(said))
  assert.match(error.hint, /attached/)
})

test('an account that is not attached is a 404, too', async () => {
  const { ask } = await onGoogleCloud()
  const error = await fails(ask({ serviceAccount: OTHER }), 'rejected', /404/)
  assert.match(error.hint, /attached/)
})

test('other refusals are not taken for that', async () => {
  const { ask, google } = await onGoogleCloud()
  const words = [[403, 'Forbidden by policy'], [400, 'non-empty audience parameter required']] as const
  for (const [status, said] of words) {
    google.next('metadata', flavored(status, said))
    const error = await fails(ask(), 'rejected', new RegExp(`${status}.*${said}`))
    assert.is(error.status, status)
    assert.not.ok('hint' in error)
  }
})

for (const status of [500, 503]) {
  test(`is asked again, as Google's own clients do: ${status}`, async () => {
    const { ask, google } = await onGoogleCloud()
    google.next('metadata', flavored(status, 'Internal Server Error\n'))
    await ask({ retries: 1 })
    google.next('metadata', flavored(status, 'Internal Server Error\n'))
    const said = new RegExp(`${status}.*Internal Server Error`)
    const error = await fails(ask({ forceRefresh: true }), 'unavailable', said)
    assert.is(error.status, status)
    assert.not.match(error.message, /Google Cloud\?/)
  })
}

test('a connection that is refused in the first seconds of a pod is tried again', async () => {
  const { ask, google } = await onGoogleCloud()
  google.next('metadata', faults.dropped(), faults.dropped())
  await ask({ retries: 2 })
  assert.is(google.requests.length, 3)
})

for (const host of [undefined, '127.0.0.1:8190']) {
  test(`off Google Cloud, nobody answers at ${host ?? 'the usual host'}`, async () => {
    const { ask, google } = await onGoogleCloud()
    google.world.machine = undefined
    for (const place of ['other', 'run'] as const) google.always(place, faults.dropped())
    const error = await fails(ask({ host }), 'unavailable', /no metadata server/i, /Google Cloud\?/)
    const place = host ?? 'metadata.google.internal'
    assert.ok(error.message.startsWith(`No metadata server answers at ${place}:`), error.message)
    assert.not.ok('status' in error)
  })
}

test('off Google Cloud, that is known within a second', () => withClock(async (clock) => {
  const { ask, google } = await onGoogleCloud({ now: () => clock.now })
  google.world.machine = undefined
  const start = clock.now
  await fails(clock.until(ask({ retries: undefined })), 'unavailable', /Google Cloud\?/)
  assert.ok(clock.now - start < 1000, `after ${clock.now - start} ms`)
}))

test('where nobody answers at all, the message is the same', () => withClock(async (clock) => {
  const { ask, google } = await onGoogleCloud({ now: () => clock.now })
  google.always('metadata', faults.hang())
  const attempt = clock.until(ask({ retries: 1, timeout: 300 }))
  await fails(attempt, 'timeout', /no metadata server/i, /Google Cloud\?/)
  assert.is(google.requests.length, 2)
}))

test('the token is the body, with a line break or without', async () => {
  const { account, ask, google, options: { audience } } = await onGoogleCloud()
  const token = await google.issueIdToken(account, audience)
  google.next('metadata', flavored(200, `${token}\n`))
  assert.is(await ask(), token)
})

const bodies: [what: string, body: string][] = [
  ['a page', '<!DOCTYPE html>'],
  ['JSON with a token in it', JSON.stringify({ id_token: 'a.b.c' })],
  ['a word', 'token'],
  ['three words', 'a.b.c'],
  ['an access token', 'ya29.c.abcdefghijklmnopqrstuvwxyz']
]
for (const [what, body] of bodies) {
  test(`what is no ID token is not served: ${what}`, async () => {
    const { ask, google } = await onGoogleCloud()
    google.next('metadata', flavored(200, body))
    await fails(ask(), 'invalid_response', /ID token/)
  })
}

const wrongTokens: [what: string, claims: Record<string, unknown>][] = [
  ['another audience', { aud: 'https://elsewhere.example' }],
  ['two audiences', { aud: ['https://elsewhere.example'] }],
  ['no end', { exp: undefined }],
  ['a day', { exp: Math.floor(Date.now() / 1000) + 86_400 }]
]
for (const [what, claims] of wrongTokens) {
  test(`a token out of the contract is not served: ${what}`, async () => {
    const { ask, google } = await onGoogleCloud()
    google.settings.idTokenClaims = claims
    await fails(ask({ retries: 2 }), 'invalid_response')
    assert.is(google.requests.length, 1)
  })
}

test('more than 64 KiB is no token', async () => {
  const { ask, google } = await onGoogleCloud()
  google.next('metadata', faults.huge(1_000_000))
  await fails(ask(), 'invalid_response', /64 KiB/)
})

test('an aged token is served for what is left of it, down to 30 s', () => withClock(async (clock) => {
  const { account, ask, google } = await onGoogleCloud({ now: () => clock.now })
  google.runOnGoogleCloud(account, 'compute')
  google.settings.idTokenAge = 3500
  const token = await clock.atOnce(ask())
  await clock.advance(70_000)
  google.always('metadata', faults.page(503))
  assert.is(await clock.atOnce(ask()), token)
  await clock.advance(1)
  await fails(clock.until(ask()), 'unavailable')
  google.always('metadata')
  google.settings.idTokenAge = 3571
  await fails(clock.until(ask()), 'invalid_response', /old/)
}))

test('is not asked in vain while the server hands out the same token', () => withClock(async (clock) => {
  const { ask, google } = await onGoogleCloud({ now: () => clock.now })
  const first = await clock.atOnce(ask())
  await clock.advance((3600 - 226) * 1000)
  assert.is(await clock.atOnce(ask()), first)
  assert.is(google.requests.length, 1)
  await clock.advance(1000)
  assert.is(await clock.atOnce(ask()), first)
  const second = await clock.atOnce(ask())
  assert.is.not(second, first)
  assert.is(google.requests.length, 2)
}))

test('nor earlier with a store, as other tokens are to spread the load', () => withClock(async (clock) => {
  const { ask, google } = await onGoogleCloud({ now: () => clock.now })
  const store = { get: async () => null, set: async () => {} }
  const { random } = Math
  Math.random = () => MOST_RANDOM
  try {
    await clock.atOnce(ask({ store }))
  } finally {
    Math.random = random
  }
  await clock.advance((3600 - 226) * 1000)
  await clock.atOnce(ask({ store }))
  assert.is(google.requests.length, 1)
}))

test('by the clock of the server, if ours is off', () => withClock(async (clock) => {
  for (const [offset, port] of [[-7200, 8201], [7200, 8202]] as const) {
    const { ask, google } = await onGoogleCloud({ now: () => clock.now })
    google.settings.clockOffset = offset
    const host = `127.0.0.1:${port}`
    const token = await clock.atOnce(ask({ host }))
    await clock.advance(3_000_000)
    assert.is(await clock.atOnce(ask({ host })), token)
    await clock.advance(600_000)
    assert.is.not(await clock.atOnce(ask({ host })), token)
  }
}))

test.run()

/** What the metadata server was asked for. */
function asked(requests: Seen[]): { path: string, query: object }[] {
  return requests.map(({ url }) => {
    const { origin, pathname, searchParams } = new URL(url)
    assert.is(new Set(searchParams.keys()).size, [...searchParams].length, 'each parameter once')
    return { path: (origin + pathname).replace(ACCOUNTS, ''), query: Object.fromEntries(searchParams) }
  })
}

/** An answer of the metadata server's own. */
function flavored(status: number, body: string): Fault {
  return faults.respond(() => new Response(body, { status, headers: { 'metadata-flavor': 'Google' } }))
}

async function withClock(play: (clock: FakeClock) => Promise<void>): Promise<void> {
  const clock = new FakeClock()
  try {
    await play(clock)
  } finally {
    clock.restore()
  }
}
