import { decodeJwt } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { faults } from './google/index.ts'
import type { Fault } from './google/index.ts'
import { FakeClock } from './support/clock.ts'
import { fails, misused, rejects } from './support/errors.ts'
import { federated, roads } from './support/roads.ts'
import type { Road } from './support/roads.ts'
import { together } from './support/scene.ts'

// What holds of every entry, as it does of the core, whose life-*.spec.ts say more.

const SECOND = 1000

for (const [name, lay] of Object.entries(roads)) {
  const tests = suite(`every entry: ${name}`)
  const test = (title: string, play: (road: Road<any>, clock: FakeClock) => Promise<void>) => {
    tests(title, () => withClock(async (clock) => {
      await play(await lay({ now: () => clock.now }), clock)
      await clock.advance(3600 * SECOND)
      assert.is(clock.timers.length, 0, 'timers were left')
    }))
  }

  test('the token is of the account, for the audience', async ({ account, ask, google, options }, clock) => {
    const { aud, email } = await google.keys.verify(await ask(), clock.now)
    assert.equal([aud, email], [options.audience, account.email])
  })

  test('many callers at once are one exchange', async ({ ask, endpoints, google }, clock) => {
    for (const endpoint of endpoints) google.next(endpoint, faults.latency(1 * SECOND))
    const first = together(50, () => ask())
    await clock.advance(500)
    const second = together(50, () => ask())
    const tokens = await clock.until(Promise.all([first, second]))
    assert.is(new Set(tokens.flat()).size, 1)
    assert.equal(google.requests.map(({ endpoint }) => endpoint), endpoints)
    assert.is(await clock.atOnce(ask()), tokens[0]![0])
    assert.is(google.requests.length, endpoints.length)
  })

  test('each audience has a token of its own', async ({ ask, endpoints, google, options }, clock) => {
    const { audience } = options
    const audiences = [audience, `${audience}/second`, audience, `${audience}/second`]
    const tokens = await clock.until(Promise.all(audiences.map((audience) => ask({ audience }))))
    assert.equal(tokens.map((token) => decodeJwt(token).aud), audiences)
    assert.is(google.requests.length, 2 * endpoints.length)
  })

  test('forceRefresh asks again, and replaces what was there', async ({ ask, endpoints, google }, clock) => {
    const old = await clock.until(ask())
    if (google.world.machine) google.world.machine.kept.clear()
    const forced = await clock.until(together(5, () => ask({ forceRefresh: true })))
    assert.is(new Set(forced).size, 1)
    assert.is.not(forced[0], old)
    assert.is(await clock.atOnce(ask()), forced[0])
    assert.is(google.requests.length, 2 * endpoints.length)
  })

  test('a refresh comes before the end, behind the callers', async ({ ask, endpoints, google }, clock) => {
    const token = await clock.until(ask())
    await clock.advance((3600 - 226) * SECOND)
    assert.is(await clock.atOnce(ask()), token)
    assert.is(google.requests.length, endpoints.length)
    await clock.advance(1 * SECOND)
    const waiting: Promise<unknown>[] = []
    assert.is(await clock.atOnce(ask({ waitUntil: (work: Promise<unknown>) => waiting.push(work) })), token)
    assert.is(waiting.length, 1)
    await clock.until(Promise.all(waiting))
    assert.is(google.requests.length, 2 * endpoints.length)
    assert.is.not(await clock.atOnce(ask()), token)
  })

  test('a failure is shared by those who wait for it, and then forgotten', async (road, clock) => {
    const { ask, endpoints, google } = road
    google.next(endpoints.at(-1)!, faults.json(403, { error: 'access_denied' }))
    const errors = await clock.until(together(5, () => fails(ask(), 'rejected', /access_denied/)))
    assert.is(errors.length, 5)
    assert.is(google.requests.length, endpoints.length)
    await clock.until(ask())
  })

  test('an abort ends one caller\'s wait, with its reason', async ({ ask, endpoints, google }, clock) => {
    google.next(endpoints[0]!, faults.latency(1 * SECOND))
    const controller = new AbortController()
    const aborted = rejects(ask({ signal: controller.signal }))
    const other = ask()
    await clock.advance(500)
    controller.abort('enough')
    assert.is(await clock.atOnce(aborted), 'enough')
    await clock.until(other)
    assert.is(google.requests.length, endpoints.length)
    assert.is(await clock.atOnce(rejects(ask({ signal: controller.signal }))), 'enough')
  })

  test('the store is read once and written once, under a digest', async (road, clock) => {
    const { ask, endpoints, google } = road
    const values = new Map<string, string>()
    const store = {
      get: async (key: string) => values.get(key),
      set: async (key: string, value: string) => values.set(key, value)
    }
    const token = await clock.until(ask({ store, identity: 'me' }))
    assert.equal([...values.values()], [token])
    assert.match([...values.keys()][0]!, /^[\w-]{43}$/)
    assert.is(google.requests.length, endpoints.length)
  })

  test('what it does wrong, a caller hears as a rejection', async ({ ask, google }) => {
    await misused(ask({ audience: undefined }), /\baudience\b/)
    await misused(ask({ audience: new URL('https://a.run.app') }), /\.origin/, /\.href/)
    await misused(ask({ timeout: 'soon' }), /\btimeout\b/)
    await misused(ask({ retries: -1 }), /\bretries\b/)
    await misused(ask({ store: {}, identity: 'me' }), /\bstore\b/)
    assert.is(google.requests.length, 0)
  })

  const transient: Record<string, Fault> = {
    '503': faults.page(503),
    '429': faults.sorry(429),
    'a lost connection': faults.dropped(),
    'an answer that breaks off': faults.broken()
  }
  for (const [what, fault] of Object.entries(transient)) {
    test(`on each hop, a fault that may pass is tried again: ${what}`, async (road, clock) => {
      const { ask, endpoints, google, options: { audience } } = road
      for (const [hop, endpoint] of endpoints.entries()) {
        google.requests.length = 0
        google.next(endpoint, fault)
        await clock.until(ask({ audience: `${audience}/${hop}`, retries: 2 }))
        assert.is(google.requests.length, hop + 1 + endpoints.length, 'the whole attempt, once more')

        google.next(endpoint, fault, fault, fault)
        await fails(clock.until(ask({ retries: 2 })), 'unavailable')
      }
    })
  }

  test('on each hop, Retry-After is honoured', async ({ ask, endpoints, google, options }, clock) => {
    for (const [hop, endpoint] of endpoints.entries()) {
      google.next(endpoint, faults.json(503, {}, { 'retry-after': '3' }))
      const start = clock.now
      await clock.until(ask({ audience: `${options.audience}/${hop}`, retries: 1 }))
      assert.is(clock.now - start, 3 * SECOND)
    }
  })

  test('the timeout is for all hops together', async ({ ask, endpoints, google, options }, clock) => {
    for (const timeout of [3 * SECOND, undefined]) {
      const latency = (timeout ?? 5 * SECOND) * 1.1 / endpoints.length
      for (const endpoint of endpoints) google.always(endpoint, faults.latency(latency))
      const start = clock.now
      await fails(clock.until(ask({ timeout })), 'timeout')
      assert.is(clock.now - start, timeout ?? 5 * SECOND)
      assert.equal(google.requests.map(({ init }) => init!.signal!.aborted).at(-1), true)
      const enough = latency * endpoints.length + SECOND
      await clock.until(ask({ audience: `${options.audience}/${timeout}`, timeout: enough }))
    }
  })

  tests.run()
}

const subject = suite('every entry: the subject token')

subject('the timeout is for it, too', () => withClock(async (clock) => {
  const road = await federated({ now: () => clock.now })
  const { ask, google } = road
  const slow = async () => {
    await new Promise((resolve) => setTimeout(resolve, 2 * SECOND))
    return road.subject()
  }
  for (const endpoint of road.endpoints) google.always(endpoint, faults.latency(1 * SECOND))
  const start = clock.now
  await fails(clock.until(ask({ subjectToken: slow, timeout: 3.5 * SECOND })), 'timeout')
  assert.is(clock.now - start, 3.5 * SECOND)
  await clock.until(ask({ subjectToken: slow, timeout: 4.5 * SECOND }))
}))

subject('one that never comes is a timeout, and asked for again', () => withClock(async (clock) => {
  const road = await federated({ now: () => clock.now })
  let calls = 0
  const never = () => {
    calls++
    return new Promise<string>(() => {})
  }
  await fails(clock.until(road.ask({ subjectToken: never, retries: 1 })), 'timeout')
  assert.is(calls, 2)
  assert.is(road.google.requests.length, 0)
}))

subject('one that comes too late is sent nowhere', () => withClock(async (clock) => {
  const road = await federated({ now: () => clock.now })
  const late = async () => {
    await new Promise((resolve) => setTimeout(resolve, 10 * SECOND))
    return road.subject()
  }
  await fails(clock.until(road.ask({ subjectToken: late })), 'timeout')
  await clock.advance(60 * SECOND)
  assert.is(road.tokens.length, 1)
  assert.is(road.google.requests.length, 0)
}))

subject('many callers at once ask for it once', () => withClock(async (clock) => {
  const road = await federated({ now: () => clock.now })
  await clock.until(together(50, () => road.ask()))
  assert.is(road.tokens.length, 1)
}))

subject('a refresh asks for a new one, and disturbs nobody where none is', () => withClock(async (clock) => {
  const road = await federated({ now: () => clock.now })
  const token = await clock.until(road.ask())
  await clock.advance(3400 * SECOND)
  const gone = () => { throw new Error('no such request any more') }
  assert.is(await clock.atOnce(road.ask({ subjectToken: gone })), token)
  await clock.advance(31 * SECOND)
  assert.is(await clock.atOnce(road.ask()), token)
  assert.is(road.tokens.length, 2)
  assert.is.not(await clock.atOnce(road.ask()), token)
}))

subject.run()

async function withClock(play: (clock: FakeClock) => Promise<void>): Promise<void> {
  const clock = new FakeClock()
  try {
    await play(clock)
  } finally {
    clock.restore()
  }
}
