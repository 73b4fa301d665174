import * as assert from 'uvu/assert'
import { faults, tokenErrors } from './google/index.ts'
import type { Fault } from './google/index.ts'
import { fails, rejects } from './support/errors.ts'
import { LEAST_RANDOM, MOST_RANDOM, scenes } from './support/scene.ts'

const { test, run } = scenes('life of a token: attempts')

const SECOND = 1000

const failing = (error: string, description?: string) => ({ error, error_description: description })

/** What may be over in a moment. */
const transient: Record<string, Fault> = {
  'the connection is lost': faults.dropped(),
  'a fetch that throws what is no error': () => { throw undefined },
  'a fetch that throws a text': () => { throw 'no' },
  'a fetch whose errors have odd names': () => { throw { name: Symbol('name'), code: { toString: 1 } } },
  'no answer': faults.hang(),
  'an answer that stalls': faults.stalled(),
  'an answer that breaks off': faults.broken(),
  'an answer cut short': faults.truncated(),
  'an answer cut short after one character': faults.truncated(1),
  'an answer cut short before the last': cutBefore(1),
  'an empty answer': faults.json(200, undefined),
  '502 as a page': faults.page(502),
  '503 as a page': faults.page(503),
  '429 as a page': faults.sorry(429),
  '503 as a page for too many': faults.sorry(503),
  '503 that stalls': stalledPage(),
  'rate_limit_exceeded': faults.refusal(tokenErrors.rateLimited),
  'internal_failure': faults.internalFailure(),
  'Backend Error': faults.refusal(tokenErrors.backendError)
}
for (const status of [408, 429, 500, 501, 502, 503, 504, 599]) {
  transient[`${status} without a word`] = faults.respond(() => new Response(null, { status }))
  transient[`${status} with one that is not known`] = faults.json(status, failing('odd', 'very'))
}
for (const word of ['internal_failure', 'server_error', 'temporarily_unavailable']) {
  for (const status of [200, 400, 403, 500]) {
    transient[`${word} at ${status}`] = faults.json(status, failing(word))
    transient[`${word} as description at ${status}`] = faults.json(status, failing('odd', word))
  }
}

for (const [what, fault] of Object.entries(transient)) {
  test(`is tried again: ${what}`, async ({ ask, clock, google }) => {
    google.next('token', fault)
    await clock.until(ask())
    assert.is(google.requests.length, 2)

    const code = /no answer|stall/.test(what) ? 'timeout' : 'unavailable'
    google.next('token', fault, fault, fault)
    await fails(clock.until(ask({ audience: 'second' })), code)
    assert.is(google.requests.length, 5)

    google.next('token', fault)
    await fails(clock.until(ask({ audience: 'third', retries: 0 })), code)
    assert.is(google.requests.length, 6)
  })
}

/** What would be the same the next time. */
const permanent: Record<string, Fault> = {
  'a redirect': faults.redirect('https://oauth2.googleapis.com/token'),
  'a redirect as browsers show it': faults.opaqueRedirect(),
  'a page': faults.html(200, '<!DOCTYPE html>'),
  'JSON that is no object': faults.json(200, ['id_token']),
  'no token': faults.json(200, {}),
  'too much': faults.huge(10_000_000),
  'an echo of the assertion': faults.echo(),
  '404': faults.page(404),
  '400 without a word': faults.respond(() => new Response(null, { status: 400 })),
  '409': faults.json(409, failing('odd'))
}
for (const [name, refusal] of Object.entries(tokenErrors)) {
  if (refusal.status < 429) permanent[name] = faults.refusal(refusal)
}

for (const [what, fault] of Object.entries(permanent)) {
  test(`is not tried again: ${what}`, async ({ ask, clock, google }) => {
    google.next('token', fault)
    const { code } = await clock.atOnce(rejects(ask()))
    assert.ok(code === 'rejected' || code === 'invalid_response', code)
    assert.is(google.requests.length, 1)
  })
}

test('so often as told', async ({ ask, clock, google }) => {
  const rows = [[undefined, 3], [0, 1], [1, 2], [7, 8]] as const
  for (const [retries, attempts] of rows) {
    google.next('token', ...Array<Fault>(attempts - 1).fill(faults.page(503)))
    const options = { audience: `${retries}`, ...retries !== undefined && { retries } }
    await clock.until(ask(options))
    google.next('token', ...Array<Fault>(attempts).fill(faults.dropped()))
    await fails(clock.until(ask({ ...options, forceRefresh: true })), 'unavailable')
  }
  assert.is(google.requests.length, 2 * (3 + 1 + 2 + 8))
})

test('a permanent no ends the tries', async ({ ask, clock, google }) => {
  google.next('token', faults.page(503), faults.refusal(tokenErrors.badSignature))
  await fails(clock.until(ask({ retries: 5 })), 'rejected')
  assert.is(google.requests.length, 2)
})

test('timeout only where no attempt was answered', async ({ ask, clock, google }) => {
  google.next('token', faults.hang(), faults.page(503), faults.hang())
  await fails(clock.until(ask()), 'unavailable', /503/)
  google.next('token', faults.page(503), faults.hang(), faults.hang())
  await fails(clock.until(ask()), 'unavailable', /503/)
  google.next('token', faults.hang(), faults.stalled(), faults.hang())
  await fails(clock.until(ask()), 'timeout')
})

test('one attempt takes no longer than its timeout, with everything in it', async (scene) => {
  const { ask, clock, google } = scene
  const rows = [
    [faults.hang(), {}, 5000],
    [faults.stalled(), {}, 5000],
    [faults.hang(), { timeout: 700 }, 700],
    [faults.hang(), { timeout: 0 }, 1]
  ] as const
  for (const [fault, options, expected] of rows) {
    google.next('token', fault)
    const start = clock.now
    await fails(clock.until(ask({ retries: 0, ...options })), 'timeout')
    assert.is(clock.now - start, expected)
  }
  google.next('token', faults.latency(4999))
  await clock.until(ask({ retries: 0 }))
})

test('a timeout of ages is a long one', async ({ ask, clock, google }) => {
  for (const timeout of [2 ** 31 - 1, 2 ** 31, 1e15, Infinity]) {
    google.next('token', faults.latency(600 * SECOND))
    await clock.until(ask({ timeout, retries: 0, forceRefresh: true }))
  }
})

test('then its request is aborted', async ({ ask, clock, google }) => {
  google.next('token', faults.hang(), faults.latency(3 * SECOND))
  await clock.until(ask())
  const [first, second] = google.requests.map(({ init }) => init!.signal!.aborted)
  assert.equal([first, second], [true, false])
})

test('what comes after the timeout comes too late, and is no trouble', async ({ ask, clock, fetch }) => {
  const endings = [
    (response: Response) => response,
    () => { throw new Error('late') },
    () => new Response(new ReadableStream({ start: (controller) => controller.error(new Error('late')) }))
  ]
  for (const end of endings) {
    let calls = 0
    const deaf: typeof fetch = async (url, init) => {
      const response = await fetch(url, { ...init, signal: null })
      if (calls++ === 0) await new Promise((resolve) => setTimeout(resolve, 60 * SECOND))
      return end(response)
    }
    const outcome = rejects(ask({ fetch: deaf, retries: 0, forceRefresh: true }))
    assert.is((await clock.until(outcome)).code, 'timeout')
    const token = await clock.until(ask())
    await clock.advance(120 * SECOND)
    assert.is(await clock.atOnce(ask()), token)
  }
})

for (const random of [LEAST_RANDOM, 0.25, 0.5, MOST_RANDOM]) {
  test(`pauses grow from 200 ms, doubling, to 5 s at most, each times ${random}`, async (scene) => {
    const { ask, clock, google, sentAt, spy } = scene
    spy(Math, 'random', () => random)
    google.always('token', faults.page(503))
    await fails(clock.until(ask({ retries: 8 })), 'unavailable')
    const pauses = sentAt.slice(1).map((time, i) => time - sentAt[i]!)
    const longest = [200, 400, 800, 1600, 3200, 5000, 5000, 5000]
    assert.is(pauses.length, longest.length)
    for (const [i, pause] of pauses.entries()) {
      const expected = Math.max(longest[i]! * random, 1)
      assert.ok(Math.abs(pause - expected) <= 1, `pause ${i} took ${pause} ms, not ${expected}`)
    }
    assert.is(clock.now, sentAt.at(-1), 'no pause after the last')
  })
}

test('each pause has a random number of its own', async ({ ask, clock, google, sentAt }) => {
  google.always('token', faults.page(503))
  await fails(clock.until(ask({ retries: 20 })), 'unavailable')
  const last = sentAt.slice(-14).map((time, i, times) => time - (times[i - 1] ?? 0)).slice(1)
  assert.is(new Set(last).size, last.length)
  assert.ok(last.every((pause) => pause <= 5000))
})

const waits: [value: string | ((now: number) => string), pause: number][] = [
  ['1', 1 * SECOND],
  ['3', 3 * SECOND],
  ['5', 5 * SECOND],
  [(now) => new Date(now + 4 * SECOND).toUTCString(), 4 * SECOND]
]
for (const [value, pause] of waits) {
  for (const offset of [0, 7200, -40]) {
    test(`Retry-After is honoured: ${value}, Google ${offset} s ahead`, async (scene) => {
      const { ask, clock, google, sentAt, spy } = scene
      spy(Math, 'random', () => 0.5)
      google.settings.clockOffset = offset
      const text = typeof value === 'string' ? value : value(google.world.now())
      const wait = { 'retry-after': text }
      google.next('token', faults.json(503, {}, wait), faults.refusal(tokenErrors.rateLimited, wait))
      await clock.until(ask())
      assert.is(sentAt[1]! - sentAt[0]!, pause)
      if (typeof value === 'string') assert.is(sentAt[2]! - sentAt[1]!, pause)
      assert.is(google.requests.length, 3)
    })
  }
}

for (const [how, value] of Object.entries({
  '6 seconds': () => '6',
  'an hour': () => '3600',
  'ages': () => '9'.repeat(400),
  'a date in a minute': (now: number) => new Date(now + 60 * SECOND).toUTCString(),
  'a date next year': (now: number) => new Date(now + 365 * 86_400 * SECOND).toUTCString()
})) {
  test(`Retry-After that is too long ends the tries: ${how}`, async ({ ask, clock, google }) => {
    google.next('token', faults.json(503, {}, { 'retry-after': value(clock.now) }))
    await fails(clock.atOnce(ask({ retries: 5 })), 'unavailable', /503/)
    assert.is(google.requests.length, 1)
    await ask()
  })
}

for (const value of ['', '0', 'soon', '-1', 'NaN', 'Tomorrow GMT']) {
  test(`Retry-After that is no time is none: "${value}"`, async ({ ask, clock, google, sentAt, spy }) => {
    spy(Math, 'random', () => 0.5)
    google.next('token', faults.json(503, {}, { 'retry-after': value }))
    await clock.until(ask())
    assert.is(sentAt[1]! - sentAt[0]!, 100)
  })
}

test('Retry-After that is over keeps nobody from the next attempt', async (scene) => {
  const { ask, clock, google, sentAt } = scene
  const past = new Date(clock.now - 60 * SECOND).toUTCString()
  google.next('token', faults.json(503, {}, { 'retry-after': past }))
  await clock.until(ask())
  assert.ok(sentAt[1]! - sentAt[0]! <= 200)
})

test('Retry-After of one answer is none of the next', async ({ ask, clock, google, sentAt, spy }) => {
  spy(Math, 'random', () => 0.5)
  google.next('token', faults.json(503, {}, { 'retry-after': '3' }), faults.page(503), faults.dropped())
  await clock.until(ask({ retries: 3 }))
  assert.is(sentAt[1]! - sentAt[0]!, 3 * SECOND)
  assert.is(sentAt[2]! - sentAt[1]!, 200)
  assert.is(sentAt[3]! - sentAt[2]!, 400)
})

test('each attempt is freshly signed', async ({ ask, clock, google, key }) => {
  const wait = faults.json(503, {}, { 'retry-after': '5' })
  google.next('token', wait, wait, wait)
  await clock.until(ask({ retries: 3 }))
  const texts = google.requests.map(({ form }) => form.assertion)
  assert.is(new Set(texts).size, 4)
  const times = google.requests.map(({ assertion }) => assertion!.claims.iat as number)
  assert.equal(times.map((iat) => iat - times[0]!), [0, 5, 10, 15])
  for (const { assertion } of google.requests) assert.is(assertion!.claims.iss, key.client_email)
})

test('a store, a waitUntil, a signal change nothing of that', async ({ ask, clock, google }) => {
  const store = { get: async () => null, set: async () => {} }
  const { signal } = new AbortController()
  google.next('token', faults.page(503), faults.hang())
  await clock.until(ask({ store, signal, waitUntil: () => {} }))
  assert.is(google.requests.length, 3)
})

run()

/** All but the last characters of the answer. */
function cutBefore(end: number): Fault {
  return async (_, answer) => {
    const text = await (await answer()).text()
    return new Response(text.slice(0, -end))
  }
}

/** A status that says enough, and a body that never ends. */
function stalledPage(): Fault {
  return ({ request }) => new Response(new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('<html>'))
      request.signal.addEventListener('abort', () => controller.error(request.signal.reason), { once: true })
    }
  }), { status: 503 })
}
