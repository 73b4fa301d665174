import { IdTokenError, getIdToken } from 'gcp-id-token'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { faults, tokenErrors } from './google/index.ts'
import type { Fault } from './google/index.ts'
import { bodyOf, fails, misused, rejects, showsNothingOf } from './support/errors.ts'
import { audience, setUp } from './support/google.ts'

const test = suite('errors')

test('IdTokenError is a class of errors', () => {
  assert.type(IdTokenError, 'function')
  const details = { status: 400, reason: 'r', description: 'd', hint: 'Do this' }
  const error = new IdTokenError('rejected', 'No', details)
  assert.instance(error, Error)
  assert.is(error.name, 'IdTokenError')
  assert.is(error.message, 'No - Do this')
  assert.equal(JSON.parse(JSON.stringify(error)), { name: 'IdTokenError', code: 'rejected', ...details })
  assert.is(error.cause, undefined)
})

test('IdTokenError has no property that has nothing to say', () => {
  const error = new IdTokenError('timeout', 'No', { status: undefined, reason: '', hint: undefined })
  assert.is(error.message, 'No')
  for (const name of ['status', 'reason', 'description', 'hint', 'cause']) assert.not.ok(name in error, name)
})

test('the class that is exported is the one that is thrown', async () => {
  const { options } = await setUp()
  assert.instance(await rejects(getIdToken({ ...options, credentials: '{}' })), IdTokenError)
})

// What Google says of it, and the advice that this deserves, if any.
const key = /key or account deleted or disabled/
const refusals: Partial<Record<keyof typeof tokenErrors, RegExp | undefined>> = {
  badStructure: undefined,
  badSignature: key,
  unknownAccount: key,
  disabledClient: key,
  noIat: undefined,
  noExp: undefined,
  badTime: /clock/,
  noAudience: /audience/,
  badAudience: undefined,
  unauthorizedClient: undefined,
  badSubject: undefined,
  noVerifier: key,
  badEmail: key,
  deletedAccount: undefined,
  olderBadTime: /clock/,
  olderBadAudience: undefined,
  accessDenied: undefined,
  adminPolicy: undefined,
  deletedClient: undefined,
  invalidClient: undefined,
  noRefreshToken: undefined,
  revokedToken: undefined,
  reauthNeeded: undefined
}
const transient: (keyof typeof tokenErrors)[] =
  ['internalFailure', 'backendError', 'serverError', 'temporarilyUnavailable', 'rateLimited']

test('every answer of Google\'s that is known is listed here', () => {
  assert.equal([...Object.keys(refusals), ...transient].sort(), Object.keys(tokenErrors).sort())
})

for (const [name, advice] of Object.entries(refusals)) {
  test(`a permanent no is not asked for twice, and shown as Google words it: ${name}`, async () => {
    const { google, options } = await setUp()
    const { status, error: reason, description } = tokenErrors[name as keyof typeof refusals] as Refusal
    google.always('token', faults.refusal({ status, error: reason, ...description && { description } }))
    const error = await fails(getIdToken({ ...options, retries: 2 }), 'rejected')
    assert.is(error.status, status)
    assert.is(error.reason, reason)
    assert.is(error.description, description)
    assert.match(error.message, reason)
    assert.match(error.message, description!)
    assert.match(error.message, String(status))
    assert.not.match(error.message, '..')
    if (advice) assert.match(error.hint, advice)
    assert.is(google.requests.length, 1)
  })
}

for (const name of transient) {
  test(`a fault that may pass is named, and has no advice: ${name}`, async () => {
    const { google, options } = await setUp()
    const { status, error: reason, description } = tokenErrors[name] as Refusal
    google.next('token', faults.refusal(tokenErrors[name]))
    const error = await fails(getIdToken(options), 'unavailable', new RegExp(`${status}.*${reason}`))
    assert.is(error.status, status)
    assert.is(error.reason, reason)
    assert.is(error.description, description)
    assert.not.ok('hint' in error)
    google.next('token', faults.refusal(tokenErrors[name]))
    await getIdToken({ ...options, retries: 1 })
  })
}

test('what Google calls internal is a fault that may pass, whatever the status', async () => {
  for (const error of ['internal_failure', 'server_error', 'temporarily_unavailable']) {
    for (const body of [{ error }, { error: 'invalid_request', error_description: error }]) {
      const { google, options } = await setUp()
      google.next('token', faults.json(400, body))
      assert.is((await fails(getIdToken(options), 'unavailable')).status, 400)
    }
  }
})

test('what only mentions such a word is a no', async () => {
  const { google, options } = await setUp()
  for (const error_description of ['not a server_error', 'server_error is not what it is']) {
    google.next('token', faults.json(400, { error: 'invalid_grant', error_description }))
    await fails(getIdToken(options), 'rejected', /server_error/)
  }
})

const pages: [what: string, fault: Fault, code: string, status: number][] = [
  ['404', faults.page(404), 'rejected', 404],
  ['500', faults.page(500), 'unavailable', 500],
  ['502', faults.page(502), 'unavailable', 502],
  ['503', faults.page(503), 'unavailable', 503],
  ['429 that says sorry', faults.sorry(429), 'unavailable', 429],
  ['503 that says sorry', faults.sorry(503), 'unavailable', 503],
  ['408', faults.html(408, '<title>Request Timeout</title>'), 'unavailable', 408],
  ['403 of a proxy', faults.html(403, '<h1>Blocked</h1>'), 'rejected', 403],
  ['403 after a line break', faults.html(403, '\r\n<html><h1>Forbidden</h1>'), 'rejected', 403],
  ['400 of JSON that is no object', faults.json(400, ['error']), 'rejected', 400],
  ['400 of other JSON', faults.json(400, { error: { a: 1 }, error_description: 7 }), 'rejected', 400],
  ['400 of nothing', faults.respond(() => new Response(null, { status: 400 })), 'rejected', 400]
]

for (const [what, fault, code, status] of pages) {
  test(`a page is named by its status, and not quoted: ${what}`, async () => {
    const { google, options } = await setUp()
    google.next('token', fault)
    const message = new RegExp(`oauth2.googleapis.com/token answered ${status}$`)
    const error = await fails(getIdToken(options), code, message)
    assert.is(error.status, status)
    for (const name of ['reason', 'description', 'hint']) assert.not.ok(name in error, name)
  })
}

test('a page without an end is named by its status, and by what is wrong with it', async () => {
  for (const [status, code] of [[403, 'invalid_response'], [500, 'unavailable']] as const) {
    const { google, options } = await setUp()
    google.next('token', faults.huge(1e9, status))
    const error = await fails(getIdToken(options), code, /answered \d+: .*64 KiB$/)
    assert.is(error.status, status)
  }
})

test('plain text is quoted, without what is secret in it', async () => {
  const { google, options } = await setUp()
  google.next('token', ({ text }) => new Response(`No such thing: ${text}`, { status: 404 }))
  const error = await fails(getIdToken(options), 'rejected', /answered 404: No such thing/)
  showsNothingOf(error, google.requests[0]!.form.assertion!)
})

test('an error in a 200 is an error', async () => {
  const { google, options } = await setUp()
  google.next('token', faults.json(200, { error: 'invalid_grant', error_description: 'No' }))
  const error = await fails(getIdToken(options), 'rejected', /invalid_grant: No/)
  assert.is(error.status, 200)
})

test('errors of newer Google APIs are shown as well', async () => {
  const { google, options } = await setUp()
  google.next('token', faults.json(403, { error: { code: 403, status: 'PERMISSION_DENIED', message: 'No' } }))
  const error = await fails(getIdToken(options), 'rejected', /PERMISSION_DENIED: No/)
  assert.is(error.reason, 'PERMISSION_DENIED')
  assert.is(error.description, 'No')
})

const words = 'java.security.SignatureException: Invalid signature for token'
const signature = /java\.security\.SignatureException/
const nothing = /: \*{3}( -|$)/

const echoes: [what: string, (assertion: string) => string, left: RegExp][] = [
  ['all of it', (assertion) => assertion, signature],
  ['its signature', (assertion) => assertion.split('.')[2]!, nothing],
  ['its claims', (assertion) => assertion.split('.')[1]!, signature],
  ['a piece of its signature', (assertion) => assertion.slice(-100, -60), nothing],
  ['12 characters of its signature', (assertion) => assertion.slice(-12), nothing],
  ['its start', (assertion) => assertion.slice(0, 200), signature],
  ['its end, after much else', (assertion) => 'x'.repeat(970) + assertion.slice(-60), signature],
  ['many pieces of it', (assertion) => assertion.match(/.{13}/g)!.join(' '), nothing],
  ['some of it in quotes', (assertion) => `"${assertion.slice(-40)}"`, nothing],
  ['it twice', (assertion) => `${assertion}${assertion}`, signature]
]

for (const [what, piece, left] of echoes) {
  test(`an assertion that is echoed is shown nowhere: ${what}`, async () => {
    for (const where of ['error', 'error_description'] as const) {
      const { google, options } = await setUp()
      google.next('token', ({ text }) => {
        const echo = piece(new URLSearchParams(text).get('assertion')!)
        const body = { error: 'invalid_grant', error_description: '', [where]: `${words}: ${echo}` }
        return new Response(JSON.stringify(body), { status: 400 })
      })
      const error = await fails(getIdToken(options), 'rejected', left)
      showsNothingOf(error, google.requests[0]!.form.assertion!)
      if (where === 'error_description' && left === signature) assert.match(error.hint, key)
    }
  })
}

test('the older wording for a bad signature keeps its words', async () => {
  const { google, options } = await setUp()
  google.next('token', faults.echo())
  const error = await fails(getIdToken(options), 'rejected')
  const words = /^java\.security\.SignatureException: Invalid signature for token: \S{1,12}$/
  assert.match(error.description, words)
  assert.is(error.reason, 'invalid_grant')
  showsNothingOf(error, google.requests[0]!.form.assertion!)
})

test('whatever looks like a token is shown nowhere', async () => {
  const { google, options } = await setUp()
  const token = await google.issueIdToken(google.createAccount(), audience)
  const error_description = `Bad token ${token} (${token})`
  google.next('token', faults.json(400, { error: 'invalid_grant', error_description }))
  const error = await fails(getIdToken(options), 'rejected', /Bad token/)
  showsNothingOf(error, token)
})

test('foreign text is on one line, and short', async () => {
  const { google, options } = await setUp()
  const text = `one\ntwo\r\n\u001b[31mthree\u0000four\u2028five\u202esix${'!'.repeat(10_000)}`
  google.next('token', faults.json(400, { error: text, error_description: text }))
  const error = await fails(getIdToken(options), 'rejected')
  for (const shown of [error.message, error.reason, error.description]) {
    assert.not.match(shown, /[\p{Cc}\p{Cf}\u2028\u2029]/u)
    assert.match(shown, 'one two')
    assert.ok(shown.length < 1000, `${shown.length} characters`)
  }
})

test('what fetch fails with is named, and neither quoted nor passed on', async () => {
  const { google, options } = await setUp()
  const failures: ((init: RequestInit) => unknown)[] = [
    ({ body }) => new TypeError(`Failed to parse ${body}`),
    ({ body }) => Object.assign(new Error('failed', { cause: new Error(String(body)) }), { body }),
    ({ body }) => Object.assign(new Error('no'), { name: body, code: body }),
    ({ body }) => body,
    () => undefined,
    () => null
  ]
  for (const failure of failures) {
    const fetch = async (_: string, init: RequestInit) => {
      await google.fetch('https://oauth2.googleapis.com/token', init)
      throw failure(init)
    }
    const error = await fails(getIdToken({ ...options, fetch }), 'unavailable', /oauth2\.googleapis\.com/)
    assert.is(error.cause, undefined)
    assert.not.ok('status' in error)
    showsNothingOf(error, google.requests.at(-1)!.form.assertion!)
  }
})

test('what fetch fails with is named by its name and code, and those of its cause', async () => {
  const { options } = await setUp()
  const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  const fetch = async () => { throw new TypeError('fetch failed', { cause }) }
  await fails(getIdToken({ ...options, fetch }), 'unavailable', /TypeError/, /ECONNREFUSED/)
})

test('what fetch throws before there is a promise is the same', async () => {
  const { options } = await setUp()
  const fetch = () => { throw new RangeError('at once') }
  await fails(getIdToken({ ...options, fetch }), 'unavailable', /RangeError/)
})

test('what is no Response is no answer', async () => {
  const { options } = await setUp()
  for (const answer of [undefined, null, 'text', {}]) {
    await fails(getIdToken({ ...options, fetch: async () => answer as never }), 'unavailable')
  }
})

test('a connection that goes away is a fault that may pass', async () => {
  for (const fault of [faults.dropped(), faults.broken()]) {
    const { google, options } = await setUp()
    google.next('token', fault)
    await fails(getIdToken(options), 'unavailable', /did not answer/)
    google.next('token', fault)
    await getIdToken({ ...options, retries: 1 })
  }
})

test('a body that fails in the middle is not quoted', async () => {
  const { google, options } = await setUp()
  google.next('token', faults.respond(() => new Response(new ReadableStream({
    pull(controller) {
      controller.error(new Error(google.requests[0]!.form.assertion))
    }
  }))))
  const error = await fails(getIdToken(options), 'unavailable')
  showsNothingOf(error, google.requests[0]!.form.assertion!)
})

// Options of the wrong type, each with what the message must name.
const mistakes: [option: string, values: unknown[], pattern?: RegExp][] = [
  ['audience', [undefined, null, '', 7, {}, [], ['https://a'], Symbol('a'), Object('text')]],
  ['fetch', [null, 7, 'fetch', {}, Promise.resolve()]],
  ['signal', [7, 'abort', {}, new Date(), () => {}], /signal must be an AbortSignal/],
  ['timeout', [null, '5000', NaN, -1, {}, 5n]],
  ['retries', [null, '2', NaN, -1, {}, 5n]],
  ['waitUntil', [7, 'ctx', {}, { waitUntil: 7 }], /waitUntil must be a function/],
  ['store', [7, 'kv', {}, { get() {} }, { set() {} }, new Map([['get', 'set']]).size]],
  ['forceRefresh', [7, 'true', {}, new Date()]]
]

for (const [option, values, pattern = new RegExp(`\\b${option}\\b`)] of mistakes) {
  test(`a TypeError names the option: ${option}`, async () => {
    const { google, options } = await setUp()
    for (const value of values) {
      await misused(getIdToken({ ...options, [option]: value } as never), pattern)
    }
    assert.is(google.requests.length, 0)
  })
}

test('a URL as audience is a TypeError that suggests its .origin and its .href', async () => {
  const { options } = await setUp()
  const attempt = getIdToken({ ...options, audience: new URL(audience) as never })
  await misused(attempt, /audience/, /\.origin/, /\.href/)
})

test('no options at all are a TypeError', async () => {
  await misused((getIdToken as () => Promise<string>)())
  await misused(getIdToken({} as never), /credentials/)
})

test('mistakes come as rejections, never at once', () => {
  const attempt = getIdToken({ credentials: undefined as never, audience })
  assert.instance(attempt, Promise)
  return rejects(attempt)
})

test('an error of each kind keeps the key and the assertion to itself', async () => {
  const { google, key: { private_key }, options } = await setUp()
  const all: Fault[] = [
    faults.page(404), faults.page(502), faults.echo(), faults.dropped(), faults.broken(), faults.truncated(),
    faults.redirect('https://evil.com'), faults.opaqueRedirect(), faults.huge(1e6), faults.json(200, {}),
    ...Object.values(tokenErrors).map((refusal) => faults.refusal(refusal))
  ]
  for (const fault of all) {
    google.next('token', fault)
    const error = await rejects(getIdToken(options))
    assert.is(error.name, 'IdTokenError')
    showsNothingOf(error, bodyOf(private_key), google.requests.at(-1)!.form.assertion!)
  }
})

test.run()

interface Refusal {
  status: number
  error: string
  description?: string
}
