import { getIdToken } from 'gcp-id-token'
import type { ServiceAccountKey } from 'gcp-id-token'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { faults } from './google/index.ts'
import type { Settings } from './google/index.ts'
import { FakeClock } from './support/clock.ts'
import { fails, misused, showsNothingOf } from './support/errors.ts'
import { audience, setUp } from './support/google.ts'

const test = suite('exchange')

const elsewhere = [
  ' ',
  'token',
  '//oauth2.googleapis.com/token',
  'https://evil.com/token',
  'https://oauth2.googleapis.com.evil/token',
  'https://oauth2.googleapis.com@evil.com/token',
  'https://oauth2.googleapis.com:443/token',
  'https://oauth2.googleapis.com:8443/token',
  'https://oauth2.googleapis.com\\@evil.com/token',
  'https://user:password@oauth2.googleapis.com/token',
  'https://evil.com/#https://oauth2.googleapis.com/token',
  'https://evil.com/?u=https://oauth2.googleapis.com/token',
  'https://evil.com/?u=http://localhost/token',
  'https://oauth2.googleapis.com/token/',
  'https://oauth2.googleapis.com/token?a=b',
  'https://oauth2.googleapis.com/token#a',
  'https://oauth2.googleapis.com/token\n',
  ' https://oauth2.googleapis.com/token',
  'https://oauth2.googleapis.com/revoke',
  'https://oauth2.googleapis.com//token',
  'https://oauth2.googleapis.com/%74oken',
  'https://oauth2.googleapis.com./token',
  'https://OAUTH2.googleapis.com/token',
  'https://sts.googleapis.com/v1/token',
  'http://oauth2.googleapis.com/token',
  'https://www.googleapis.com/token',
  'https://accounts.google.com/oauth2/v4/token',
  'http://127.0.0.1@evil.com/',
  'http://127.0.0.1:80@evil.com/',
  'http://localhost:@evil.com/',
  'http://localhost.evil.com',
  'http://localhost.evil.com/token',
  'http://localhost\\@evil.com/',
  'http://localhost\\.evil.com/',
  'http://localhost%2eevil.com/',
  'http://localhost%00.evil.com/',
  'http://localhost#@evil.com/',
  'http://localhost?@evil.com/',
  'http://localhost\t.evil.com/',
  'http://localhost\n.evil.com/',
  'http://localhost./token',
  'http://127.0.0.1.evil.com/',
  'http://127.0.0.1.nip.io/token',
  'http://0x7f.1/',
  'http://0x7f000001/token',
  'http://2130706433/token',
  'http://0177.0.0.1/token',
  'http://127.1/token',
  'http://127.0.0.2/token',
  'http://0.0.0.0/token',
  'http://0/token',
  'http://[::]/token',
  'http://[::ffff:127.0.0.1]/token',
  'http://[0:0:0:0:0:0:0:1]/token',
  'http://[::1%25lo]/token',
  'http://[::1]@evil.com/',
  'http://[::1].evil.com/',
  'http://169.254.169.254/token',
  'http://metadata.google.internal/token',
  'http://10.0.0.1/token',
  'https://localhost/token',
  'https://127.0.0.1/token',
  'ftp://localhost/token',
  'file:///etc/passwd',
  'data:application/json,{}',
  'javascript:alert(1)',
  'http:localhost/token',
  'http:/localhost/token',
  'http:\\\\localhost/token',
  'http://localhost:x/token',
  'http://localhost:-1/token',
  'http://localhost/token\nhttps://evil.com',
  'http://localhost /token',
  'http://lоcalhost/token',
  'http://ⓛocalhost/token',
  'http://127。0。0。1/token'
]

for (const token_uri of elsewhere) {
  test(`posts nothing to ${JSON.stringify(token_uri)}`, async () => {
    const { google, key, options } = await setUp()
    const credentials = { ...key, token_uri }
    const error = await fails(getIdToken({ ...options, credentials }), 'invalid_credentials')
    assert.match(error.message, 'token_uri')
    assert.match(error.hint, 'https://oauth2.googleapis.com/token')
    assert.is(google.requests.length, 0)
  })
}

test('a port that does not exist is nobody who answers', async () => {
  const { key, options } = await setUp()
  const credentials = { ...key, token_uri: 'http://localhost:99999/token' }
  const { fetch, ...others } = options
  await fails(getIdToken({ ...others, credentials, retries: 0 }), 'unavailable', /localhost:99999/)
})

test('posts to an emulator that has no path', async () => {
  const { google, key, options } = await setUp()
  const credentials = { ...key, token_uri: 'http://localhost:8080' }
  await fails(getIdToken({ ...options, credentials }), 'rejected', /404/)
  assert.equal(google.requests.map(({ url }) => new URL(url).pathname), ['/'])
})

test('hands fetch a URL as text and an init of method, body, signal and redirect', async () => {
  const { google, options } = await setUp()
  const calls: unknown[][] = []
  await getIdToken({
    ...options,
    fetch: (...args) => {
      calls.push(args)
      return google.fetch(...args)
    }
  })
  assert.is(calls.length, 1)
  const [[url, init, ...more]] = calls as [[string, RequestInit, ...unknown[]]]
  assert.is(url, 'https://oauth2.googleapis.com/token')
  assert.equal(more, [])
  assert.equal(Object.keys(init).sort(), ['body', 'method', 'redirect', 'signal'])
  assert.is(init.method, 'POST')
  assert.is(init.redirect, 'manual')
  assert.match(new Request(url, init).headers.get('content-type')!, /^application\/x-www-form-urlencoded\b/)
  assert.instance(init.signal, AbortSignal)
})

test('calls fetch bare, as Workers and browsers want it', async () => {
  const { google, options } = await setUp()
  const receivers: unknown[] = []
  function fetch(this: unknown, url: string, init: RequestInit): Promise<Response> {
    receivers.push(this)
    return google.fetch(url, init)
  }
  await getIdToken({ ...options, fetch })
  await withGlobalFetch(fetch, () => getIdToken({ credentials: options.credentials, audience: 'another' }))
  assert.equal(receivers, [undefined, undefined])
})

test('uses the global fetch, as it is at the time of the call', async () => {
  const { google, key } = await setUp()
  for (const audience of ['one', 'another']) {
    const token = await withGlobalFetch(google.fetch, () => getIdToken({ credentials: key, audience }))
    assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  }
  assert.is(google.requests.length, 2)
})

test('asks for a fetch where there is none', async () => {
  const { key } = await setUp()
  await withGlobalFetch(undefined, () => misused(getIdToken({ credentials: key, audience }), /\bfetch\b/))
})

for (const status of [301, 302, 303, 307, 308] as const) {
  test(`follows no redirect: ${status}`, async () => {
    for (const location of ['https://evil.com/token', 'https://oauth2.googleapis.com/token', '/token']) {
      const { google, options } = await setUp()
      google.next('token', faults.redirect(location, status))
      const error = await fails(getIdToken(options), 'invalid_response', /redirect/)
      assert.is(error.status, status)
      assert.is(google.requests.length, 1)
      showsNothingOf(error, google.requests[0]!.form.assertion!)
    }
  })
}

test('takes 300 and 304 for redirects as well', async () => {
  for (const status of [300, 304]) {
    const { google, options } = await setUp()
    google.next('token', faults.respond(() => new Response(null, { status })))
    await fails(getIdToken({ ...options, retries: 2 }), 'invalid_response', /redirect/)
    assert.is(google.requests.length, 1)
  }
})

test('knows a redirect as browsers show it, by its type', async () => {
  const { google, options } = await setUp()
  google.next('token', faults.opaqueRedirect())
  await fails(getIdToken({ ...options, retries: 2 }), 'invalid_response', /redirect/)
  assert.is(google.requests.length, 1)
})

test('cancels the body of a redirect', async () => {
  const { google, options } = await setUp()
  const body = watchedBody([new TextEncoder().encode('moved')])
  google.next('token', faults.respond(() => new Response(body.stream, { status: 307 })))
  await fails(getIdToken(options), 'invalid_response')
  assert.ok(body.seen.cancelled)
})

test('stops reading after 64 KiB, and cancels the rest', async () => {
  const { google, options } = await setUp()
  const body = watchedBody(endless())
  google.next('token', faults.respond(() => new Response(body.stream)))
  const error = await fails(getIdToken(options), 'invalid_response', /64 KiB/)
  assert.not.ok('description' in error)
  assert.is(error.status, 200)
  assert.ok(body.seen.cancelled)
  assert.ok(body.seen.bytes < 65_536 + 4 * 1024, `${body.seen.bytes} bytes were read`)
})

test('stops reading the page of an error, too', async () => {
  const { google, options } = await setUp()
  const body = watchedBody(endless())
  google.next('token', faults.respond(() => new Response(body.stream, { status: 400 })))
  const error = await fails(getIdToken(options), 'invalid_response', /64 KiB/)
  assert.is(error.status, 400)
  assert.ok(body.seen.cancelled)
})

test('is not held up by a body that cannot be cancelled', async () => {
  for (const cancel of [() => new Promise<void>(() => {}), () => { throw new Error('no') }]) {
    const { google, options } = await setUp()
    google.next('token', faults.respond(() => new Response(watchedBody(endless(), cancel).stream)))
    await fails(getIdToken(options), 'invalid_response', /64 KiB/)
    const redirect = () => new Response(watchedBody(endless(), cancel).stream, { status: 302 })
    google.next('token', faults.respond(redirect))
    await fails(getIdToken(options), 'invalid_response', /redirect/)
  }
})

test('takes an answer of 64 KiB, and none of a byte more', async () => {
  for (const [length, taken] of [[65_536, true], [65_537, false]] as const) {
    const { google, options } = await setUp()
    google.next('token', async (_, answer) => {
      const response = await answer()
      return new Response((await response.text()).padEnd(length), response)
    })
    if (taken) await getIdToken(options)
    else await fails(getIdToken(options), 'invalid_response', /64 KiB/)
  }
})

test('reads an answer that comes in single bytes', async () => {
  const { google, options } = await setUp()
  const bytes = new TextEncoder().encode('{"error":"invalid_grant","error_description":"größe 日本 🚀"}')
  const body = watchedBody(Array.from(bytes, (byte) => Uint8Array.of(byte)))
  google.next('token', faults.respond(() => new Response(body.stream, { status: 400 })))
  assert.is((await fails(getIdToken(options), 'rejected')).description, 'größe 日本 🚀')
})

test('gives up on a body that never ends', async () => {
  const { google, options } = await setUp({ dateHeader: false })
  const clock = new FakeClock()
  try {
    google.next('token', faults.stalled())
    await fails(clock.until(getIdToken({ ...options, timeout: 20 })), 'timeout', /20 ms/)
  } finally {
    clock.restore()
  }
  assert.ok(google.requests[0]!.init!.signal!.aborted)
})

const whole = '{"id_token":"eyJhbGciOiJSUzI1NiJ9.e30.AAAA"}'

const cuts = [1, 12, 40, -1].map((length) => whole.slice(0, length))

for (const body of ['', ' \n', ...cuts]) {
  test(`takes JSON that is cut short for a fault that may pass: ${JSON.stringify(body)}`, async () => {
    const { google, options } = await setUp()
    google.next('token', faults.respond(() => new Response(body)))
    const error = await fails(getIdToken(options), 'unavailable', /cut short/)
    showsNothingOf(error, whole, google.requests[0]!.form.assertion!)
    google.next('token', faults.respond(() => new Response(body)))
    await getIdToken({ ...options, retries: 1 })
  })
}

const noJson: [what: string, body: string][] = [
  ['a page', '<!DOCTYPE html><title>Sign in</title>'],
  ['a word', 'token'],
  ['a number', '7'],
  ['null', 'null'],
  ['text', '"eyJhbGciOiJSUzI1NiJ9.e30.AAAA"']
]

for (const [what, body] of noJson) {
  test(`answers without a JSON object are none: ${what}`, async () => {
    const { google, options } = await setUp()
    google.next('token', faults.respond(() => new Response(body)))
    const error = await fails(getIdToken(options), 'invalid_response')
    showsNothingOf(error, google.requests[0]!.form.assertion!)
    assert.is(google.requests.length, 1)
  })
}

const noToken: [what: string, body: unknown, message: RegExp][] = [
  ['an empty object', {}, /missing/],
  ['a list', [], /missing/],
  ['null', { id_token: null }, /missing/],
  ['empty text', { id_token: '' }, /missing/],
  ['an access token instead', { access_token: 'ya29.c.abcdefghijklmnop', expires_in: 3599 }, /missing/],
  ['a number', { id_token: 7 }, /not a JWT/],
  ['an object', { id_token: { token: 'a' } }, /not a JWT/],
  ['a list of a token', { id_token: ['e30.e30.e30'] }, /not a JWT/],
  ['an object that can\'t be a text', { id_token: { toString: 1 } }, /not a JWT/],
  ['a word', { id_token: 'abcdefghijklmnop' }, /not a JWT/],
  ['two parts', { id_token: `${btoa('{}')}.${btoa('{}')}` }, /not a JWT/],
  ['four parts', { id_token: 'e30.e30.e30.e30' }, /not a JWT/],
  ['claims that are no base64', { id_token: 'e30.*.e30' }, /not a JWT/],
  ['claims that are no JSON', { id_token: `e30.${btoa('claims!')}.e30` }, /not a JWT/],
  ['claims cut short', { id_token: `e30.${btoa('{"aud":"x",')}.e30` }, /not a JWT/]
]

for (const [what, body, message] of noToken) {
  test(`no ID token: ${what}`, async () => {
    const { google, options } = await setUp()
    google.next('token', faults.json(200, body))
    const error = await fails(getIdToken({ ...options, retries: 2 }), 'invalid_response', message)
    showsNothingOf(error, JSON.stringify(body), google.requests[0]!.form.assertion!)
    assert.is(google.requests.length, 1)
  })
}

test('the header of an ID token is for its receiver: any base64url will do', async () => {
  const { google, options } = await setUp()
  const account = google.createAccount()
  const [, ...rest] = (await google.issueIdToken(account, audience, { email: undefined })).split('.')
  const id_token = ['e30-_w', ...rest].join('.')
  google.next('token', faults.json(200, { id_token }))
  assert.is(await getIdToken(options), id_token)
})

test('claims that are null are no claims', async () => {
  const { google, options } = await setUp()
  google.next('token', faults.json(200, { id_token: `e30.${btoa('null')}.e30` }))
  await fails(getIdToken(options), 'invalid_response')
})

const wrongClaims: [what: string, Record<string, unknown>, message: RegExp][] = [
  ['another aud', { aud: 'https://another.a.run.app' }, /another audience/],
  ['an aud with a slash', { aud: `${audience}/` }, /another audience/],
  ['a list of aud', { aud: [audience] }, /another audience/],
  ['no aud', { aud: undefined }, /another audience/],
  ['another email', { email: 'another@project.iam.gserviceaccount.com' }, /another account/],
  ['an email that is null', { email: null }, /another account/],
  ['an email that is no text', { email: ['x'] }, /another account/],
  ['no exp', { exp: undefined }, /iat or exp/],
  ['no iat', { iat: undefined }, /iat or exp/],
  ['an exp that is null', { exp: null }, /iat or exp/],
  ['an exp in words', { exp: 'tomorrow' }, /iat or exp/],
  ['an exp of digits in text', { exp: `${seconds() + 3600}` }, /iat or exp/],
  ['an iat of digits in text', { iat: `${seconds()}` }, /iat or exp/],
  ['an exp in a list', { exp: [seconds() + 3600] }, /iat or exp/],
  ['an iat that can\'t be a number', { iat: { toString: 1, valueOf: 1 } }, /iat or exp/],
  ['an exp that can\'t be a number', { exp: { toString: 1, valueOf: 1 } }, /iat or exp/],
  ['an iat that is true', { iat: true }, /iat or exp/],
  ['a life of nothing', { iat: seconds(), exp: seconds() }, /iat or exp/],
  ['a life that ends before it starts', { iat: seconds() + 60, exp: seconds() }, /iat or exp/],
  ['a life of over 65 minutes', { iat: seconds(), exp: seconds() + 3901 }, /iat or exp/],
  ['times in milliseconds', { iat: seconds() * 1000, exp: (seconds() + 3600) * 1000 }, /iat or exp/],
  ['an end in the past', { iat: seconds() - 3600, exp: seconds() - 1 }, /too old/],
  ['an end in 20 seconds', { iat: seconds() - 3580, exp: seconds() + 20 }, /too old/],
  ['a short life to come', { iat: seconds() + 100, exp: seconds() + 120 }, /too old/],
  ['a life of 20 seconds', { iat: seconds(), exp: seconds() + 20 }, /too old/]
]

for (const [what, idTokenClaims, message] of wrongClaims) {
  test(`an ID token is not served: ${what}`, async () => {
    const { google, options } = await setUp({ idTokenClaims })
    let given = ''
    google.next('token', async (_, answer) => {
      const response = await answer()
      given = await response.clone().text()
      return response
    })
    const error = await fails(getIdToken({ ...options, retries: 2 }), 'invalid_response', message)
    assert.is(google.requests.length, 1)
    showsNothingOf(error, given, google.requests[0]!.form.assertion!)
  })
}

const rightClaims: [what: string, Partial<Settings>][] = [
  ['no email', { idTokenClaims: { email: undefined } }],
  ['a life of 65 minutes', { idTokenLifetime: 3900 }],
  ['a life of ten minutes', { idTokenLifetime: 600 }],
  ['35 seconds left', { idTokenAge: 3565 }],
  ['times with a fraction', { idTokenClaims: { iat: seconds() - 0.5, exp: seconds() + 3599.5 } }]
]

for (const [what, settings] of rightClaims) {
  test(`an ID token is served: ${what}`, async () => {
    const { google, options } = await setUp(settings)
    await getIdToken(options)
    assert.is(google.requests.length, 1)
  })
}

test('fields beside the ID token do no harm', async () => {
  const { google, options } = await setUp()
  google.next('token', faults.body((body) => ({ ...body, access_token: 'ya29.x', error: '', scope: null })))
  await getIdToken(options)
})

test('a key without token_uri goes to Google', async () => {
  const { google, key, options } = await setUp()
  const { token_uri, ...rest } = key
  const credentials: ServiceAccountKey = rest
  await getIdToken({ ...options, credentials })
  assert.is(google.requests[0]!.url, 'https://oauth2.googleapis.com/token')
})

test.run()

function seconds(): number {
  return Math.floor(Date.now() / 1000)
}

async function withGlobalFetch<T>(fetch: any, work: () => Promise<T>): Promise<T> {
  const { fetch: real } = globalThis
  globalThis.fetch = fetch
  try {
    return await work()
  } finally {
    globalThis.fetch = real
  }
}

/** A body that tells how much of it was taken, and whether the rest was waived. */
function watchedBody(pieces: Iterable<Uint8Array>, cancel: () => unknown = () => {}): Watched {
  const seen = { bytes: 0, cancelled: false }
  const iterator = pieces[Symbol.iterator]()
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { value, done } = iterator.next()
      if (done) return controller.close()
      seen.bytes += value.length
      controller.enqueue(value)
    },
    cancel() {
      seen.cancelled = true
      return cancel() as Promise<void>
    }
  })
  return { stream, seen }
}

function* endless(): Iterable<Uint8Array> {
  for (;;) yield new Uint8Array(1024).fill(32)
}

interface Watched {
  stream: ReadableStream<Uint8Array>
  seen: { bytes: number, cancelled: boolean }
}
