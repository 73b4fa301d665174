import * as assert from 'uvu/assert'
import { faults, tokenErrors } from './google/index.ts'
import type { Fault } from './google/index.ts'
import { fails, rejects } from './support/errors.ts'
import { MOST_RANDOM, newKey, scenes, together } from './support/scene.ts'
import type { Scene } from './support/scene.ts'

const SECOND = 1000
/** One attempt takes that long at most, unless told otherwise, */
const ATTEMPT = 5 * SECOND
/** and a follower may give the leader's own timer the time to fire first. */
const GRACE = 250

for (const moves of ['always', 'at I/O'] as const) {
  const { test, run } = scenes(`life of a token: one flight, with a clock that moves ${moves}`, moves)

  test('500 callers at once are one exchange', async ({ ask, clock, google }) => {
    google.next('token', faults.latency(1 * SECOND))
    const first = together(500, ask)
    await clock.advance(500)
    const second = together(500, ask)
    const tokens = await clock.until(Promise.all([first, second]))
    assert.is(new Set(tokens.flat()).size, 1)
    assert.is(google.requests.length, 1)
  })

  test('each token has a flight of its own', async ({ ask, clock, google }) => {
    google.always('token', faults.latency(1 * SECOND))
    const credentials = await newKey(google)
    const audience = 'second'
    const questions = [{}, { audience }, { credentials }, { credentials, audience }]
    const tokens = await clock.until(Promise.all([...questions, ...questions].map(ask)))
    assert.is(new Set(tokens).size, 4)
    assert.is(google.requests.length, 4)
  })

  test('a failure is shared by those who wait for it, and then forgotten', async ({ ask, clock, google }) => {
    google.next('token', slowly(faults.refusal(tokenErrors.badSignature)))
    const errors = await clock.until(together(5, () => fails(ask(), 'rejected')))
    for (const { reason } of errors) assert.is(reason, 'invalid_grant')
    assert.is(google.requests.length, 1)
    await ask()
    assert.is(google.requests.length, 2)
  })

  test("a flight uses its leader's fetch, timeout and retries", async ({ ask, clock, google, sentAt }) => {
    google.always('token', faults.hang())
    const leader = rejects(ask({ timeout: 2 * SECOND, retries: 1 }))
    await clock.settle()
    const fetch = async (): Promise<never> => { throw new Error('the fetch of a follower') }
    const others = [{ fetch, timeout: 1 }, { fetch, timeout: 60 * SECOND, retries: 9 }]
    const errors = await clock.until(Promise.all([leader, ...others.map(ask).map(rejects)]))
    assert.equal(errors.map(({ code }) => code), ['timeout', 'timeout', 'timeout'])
    assert.is(google.requests.length, 2)
    assert.ok(sentAt[1]! - sentAt[0]! >= 2 * SECOND && sentAt[1]! - sentAt[0]! < 3 * SECOND)
  })

  for (const role of ['leader', 'follower'] as const) {
    test(`an abort ends the wait of a ${role} at once, with its reason, and nobody else's`, async (scene) => {
      const { ask, clock, google } = scene
      google.next('token', faults.latency(1 * SECOND))
      const controller = new AbortController()
      const { signal } = controller
      const others = role === 'follower' ? [ask()] : []
      await clock.settle()
      const aborted = rejects(ask({ signal }))
      others.push(ask(), ask())
      await clock.advance(300)
      const reason = { any: 'thing' }
      controller.abort(reason)
      assert.is(await clock.atOnce(aborted), reason)
      const tokens = await clock.until(Promise.all(others))
      assert.is(await clock.atOnce(ask()), tokens[0])
      assert.is(google.requests.length, 1)
      assert.not.ok(google.requests[0]!.init!.signal === signal)
    })
  }

  test('an abort of all does not end the flight', async ({ ask, clock, google }) => {
    google.next('token', faults.latency(1 * SECOND))
    const controllers = [new AbortController(), new AbortController()]
    const calls = controllers.map(({ signal }) => rejects(ask({ signal })))
    await clock.advance(300)
    for (const controller of controllers) controller.abort()
    for (const error of await clock.atOnce(Promise.all(calls))) assert.is(error.name, 'AbortError')
    await clock.advance(700)
    await clock.atOnce(ask())
    assert.is(google.requests.length, 1)
  })

  test('who comes after an abort joins the flight', async ({ ask, clock, google }) => {
    google.next('token', faults.latency(1 * SECOND))
    const controller = new AbortController()
    const aborted = rejects(ask({ signal: controller.signal }))
    await clock.advance(300)
    controller.abort('enough')
    assert.is(await clock.atOnce(aborted), 'enough')
    await clock.until(ask())
    assert.is(google.requests.length, 1)
  })

  test('who was aborted before gets nothing and sends nothing', async ({ ask, clock, google }) => {
    const reason = new Error('over')
    const signal = AbortSignal.abort(reason)
    assert.is(await clock.atOnce(rejects(ask({ signal }))), reason)
    assert.is(await clock.atOnce(rejects(ask({ signal, forceRefresh: true }))), reason)
    assert.is(google.requests.length, 0)
    await ask()
    assert.is(await clock.atOnce(rejects(ask({ signal }))), reason)
  })

  test('an abort between two attempts ends the wait, too', async ({ ask, clock, google }) => {
    google.next('token', faults.json(503, {}, { 'retry-after': '4' }))
    const controller = new AbortController()
    const aborted = rejects(ask({ signal: controller.signal }))
    await clock.advance(2 * SECOND)
    controller.abort('enough')
    assert.is(await clock.atOnce(aborted), 'enough')
    await clock.until(ask())
    assert.is(google.requests.length, 2)
  })

  for (const [how, fault] of [
    ['it is served', faults.none()],
    ['it is served late', faults.latency(4 * SECOND)],
    ['Google says no', faults.refusal(tokenErrors.badSignature)],
    ['Google is down', faults.page(503)],
    ['no answer', faults.hang()]
  ] as const) {
    test(`no timer and no listener is left behind: ${how}`, async ({ ask, clock, google }) => {
      google.always('token', fault)
      const { signal, listeners } = watchedSignal()
      for (const forceRefresh of [false, false, true]) {
        await clock.until(Promise.allSettled([ask({ signal, forceRefresh }), ask({ signal, forceRefresh })]))
        assert.is(clock.timers.length, 0)
        assert.is(listeners.length, 0)
      }
    })
  }

  test('nor when a wait is aborted', async ({ ask, clock, google }) => {
    google.next('token', faults.hang())
    const { signal, listeners, abort } = watchedSignal()
    const leader = ask({ retries: 0 })
    await clock.settle()
    const before = clock.timers
    const follower = rejects(ask({ signal }))
    await clock.settle()
    assert.is(listeners.length, 1)
    abort()
    await clock.atOnce(follower)
    assert.is(listeners.length, 0)
    assert.equal(clock.timers, before)
    await fails(clock.until(leader), 'timeout')
  })

  test("a caller's signal may be kept for long, and used for many", async ({ ask, clock, google }) => {
    const { signal, listeners } = watchedSignal()
    google.always('token', faults.latency(10))
    for (let n = 0; n < 20; n++) {
      await clock.until(together(5, () => ask({ signal, audience: `number ${n}` })))
    }
    assert.is(listeners.length, 0)
  })

  test('a forced flight that comes and goes leaves the one before it to those who want it', async (scene) => {
    const { ask, clock, google } = scene
    google.next('token', faults.latency(4 * SECOND), faults.refusal(tokenErrors.badSignature))
    const first = ask()
    await clock.settle()
    await fails(clock.atOnce(ask({ forceRefresh: true })), 'rejected')
    const second = ask()
    assert.is(await clock.until(second), await clock.atOnce(first))
    assert.is(google.requests.length, 2)
  })

  test('nor does it make that one start anew', async ({ ask, clock, google }) => {
    google.next('token', faults.hang(), faults.refusal(tokenErrors.badSignature), faults.latency(4 * SECOND))
    const first = together(3, ask)
    await clock.settle()
    await fails(clock.atOnce(ask({ forceRefresh: true })), 'rejected')
    const tokens = await clock.until(first)
    assert.is(new Set(tokens).size, 1)
    assert.is(google.requests.length, 3)
  })

  test('who waits for a flight stays with it while it lives', async ({ ask, clock, google, spy }) => {
    spy(Math, 'random', () => MOST_RANDOM) // the second attempt comes after the lease of the first
    const start = clock.now
    google.next('token', faults.hang(), slowly(faults.refusal(tokenErrors.badSignature), 8 * SECOND))
    const first = together(3, ask)
    await clock.settle()
    const forced = rejects(ask({ forceRefresh: true, timeout: 20 * SECOND }))
    const tokens = await clock.until(first)
    assert.is(new Set(tokens).size, 1)
    assert.ok(clock.now - start <= ATTEMPT + 200, `after ${clock.now - start} ms`)
    assert.is((await clock.until(forced)).code, 'rejected')
    assert.is(google.requests.length, 3)
  })

  test('nobody gets an error while there is a token', async ({ ask, clock, google }) => {
    google.next('token', slowly(faults.refusal(tokenErrors.badSignature)))
    const first = together(3, ask)
    await clock.settle()
    const forced = await clock.atOnce(ask({ forceRefresh: true }))
    for (const token of await clock.until(first)) assert.is(token, forced)
    assert.is(google.requests.length, 2)
  })

  // The platform's waitUntil

  const shapes = {
    'a function': (waitUntil: (promise: Promise<unknown>) => void) => waitUntil,
    'the ctx that has it': (waitUntil: (promise: Promise<unknown>) => void) => ({
      mine: true,
      waitUntil(this: any, promise: Promise<unknown>) {
        assert.ok(this.mine, 'called as a method')
        waitUntil(promise)
      }
    })
  }
  for (const [what, shape] of Object.entries(shapes)) {
    test(`waitUntil is handed every flight, as ${what}`, async ({ ask, clock, google }) => {
      const handed: Promise<unknown>[] = []
      const waitUntil = shape((promise) => { handed.push(promise) })
      google.always('token', faults.latency(1 * SECOND))

      const cold = [ask({ waitUntil }), ask({ waitUntil })]
      assert.is(handed.length, 1, 'cold')
      await rejects(clock.atOnce(handed[0]!))
      await clock.until(Promise.all(cold))
      await clock.atOnce(handed[0]!)

      await clock.atOnce(ask({ waitUntil }))
      assert.is(handed.length, 1, 'nothing to wait for')

      const forced = ask({ waitUntil, forceRefresh: true })
      assert.is(handed.length, 2, 'forced')
      await clock.until(forced)

      await clock.advance(3400 * SECOND)
      await clock.atOnce(ask({ waitUntil }))
      assert.is(handed.length, 3, 'behind')
      await rejects(clock.atOnce(handed[2]!))
      await clock.until(handed[2]!)
      assert.is(google.requests.length, 3)
    })
  }

  test('what waitUntil is handed never rejects', async ({ ask, clock, google }) => {
    const handed: Promise<unknown>[] = []
    const waitUntil = (promise: Promise<unknown>) => { handed.push(promise) }
    google.next('token', slowly(faults.refusal(tokenErrors.badSignature)))
    await fails(clock.until(ask({ waitUntil })), 'rejected')
    google.next('token', faults.hang())
    await fails(clock.until(ask({ waitUntil, retries: 0 })), 'timeout')
    assert.is(handed.length, 2)
    await clock.atOnce(Promise.all(handed))
  })

  test('what waitUntil throws or rejects with is nobody’s trouble', async ({ ask, clock }) => {
    const hooks = [
      () => { throw new Error('not in the global scope') },
      () => Promise.reject(new Error('later')),
      () => ({ get then() { throw new Error('odd') } }),
      () => { throw undefined }
    ] as (() => never)[]
    for (const hook of hooks) {
      await clock.until(ask({ waitUntil: hook, forceRefresh: true }))
      await clock.until(ask({ waitUntil: { waitUntil: hook }, forceRefresh: true }))
    }
  })

  // A leader whose request is over: nothing that it began goes on.

  test('dead leader: a follower takes over after one attempt at most', async (scene) => {
    const { ask, clock, google } = scene
    const start = clock.now
    await deadLeader(scene)
    const followers = together(10, ask)
    const tokens = await clock.until(followers)
    assert.ok(clock.now - start <= ATTEMPT + GRACE, `after ${clock.now - start} ms`)
    assert.is(new Set(tokens).size, 1)
    assert.is(google.requests.length, 2)
    assert.is(await clock.atOnce(ask()), tokens[0])
  })

  test('dead leader: who comes later waits only for what is left', async (scene) => {
    const { ask, clock, google } = scene
    const start = clock.now
    await deadLeader(scene)
    await clock.advance(4 * SECOND)
    await clock.until(ask())
    assert.ok(clock.now - start <= ATTEMPT + GRACE, `after ${clock.now - start} ms`)
    assert.is(google.requests.length, 2)
  })

  test('dead leader: who comes when all patience is over waits for nothing', async (scene) => {
    const { ask, clock, google } = scene
    await deadLeader(scene)
    await clock.advance(ATTEMPT + GRACE)
    const before = clock.now
    await clock.until(ask())
    assert.ok(clock.now - before <= 1)
    assert.is(google.requests.length, 2)
  })

  test('dead leader: followers were there before', async (scene) => {
    const { ask, clock, google } = scene
    const start = clock.now
    const dead = ask({ fetch: silence })
    await clock.settle()
    const leaders = clock.timers
    const followers = together(10, ask)
    await clock.advance(1 * SECOND)
    clock.drop(leaders)
    const tokens = await clock.until(followers)
    assert.ok(clock.now - start <= ATTEMPT + GRACE, `after ${clock.now - start} ms`)
    assert.is(new Set(tokens).size, 1)
    assert.is(google.requests.length, 1)
    await rejects(clock.atOnce(dead))
  })

  test("dead leader: its own timeout is what counts, and the heir's own fetch", async (scene) => {
    const { ask, clock, sentAt } = scene
    const start = clock.now
    await deadLeader(scene, { timeout: 800, retries: 9 })
    await clock.until(ask({ timeout: 60 * SECOND }))
    assert.ok(sentAt[1]! - start <= 800 + GRACE, `after ${sentAt[1]! - start} ms`)
  })

  test('dead leader: in a pause', async (scene) => {
    const { ask, clock, google, sentAt } = scene
    google.next('token', faults.json(503, {}, { 'retry-after': '2' }))
    ask().catch(() => {})
    await clock.advance(500)
    clock.drop(clock.timers)
    await clock.until(ask())
    assert.is(google.requests.length, 2)
    assert.ok(sentAt[1]! - sentAt[0]! <= 2 * SECOND + GRACE, `after ${sentAt[1]! - sentAt[0]!} ms`)
  })

  test('dead leader: in a later attempt, followers there before', async (scene) => {
    const { ask, clock, google, fetch, sentAt } = scene
    google.next('token', faults.json(503, {}, { 'retry-after': '2' }))
    let calls = 0
    ask({ fetch: (url, init) => (calls++ ? silence() : fetch(url, init)) }).catch(() => {})
    await clock.settle()
    const start = clock.now
    const followers = together(3, ask)
    await clock.settle()
    const before = clock.timers
    await clock.advance(2 * SECOND + 10)
    assert.is(calls, 2)
    clock.drop(clock.timers.filter((id) => !before.includes(id)))
    await clock.until(followers)
    assert.is(google.requests.length, 2)
    assert.ok(sentAt[1]! - start <= 2 * SECOND + 2 * (ATTEMPT + GRACE), `after ${sentAt[1]! - start} ms`)
  })

  test('dead leader: two in a row', async (scene) => {
    const { ask, clock, google } = scene
    const start = clock.now
    await deadLeader(scene)
    const heir = ask({ fetch: silence })
    await clock.settle()
    while (clock.now - start < ATTEMPT + GRACE) await clock.advance(50)
    clock.drop(clock.timers)
    const tokens = await clock.until(together(3, ask))
    assert.is(new Set(tokens).size, 1)
    assert.is(google.requests.length, 2)
    assert.ok(clock.now - start <= 2 * (ATTEMPT + GRACE), `after ${clock.now - start} ms`)
    await rejects(clock.atOnce(heir))
  })

  test('dead leader: of a refresh behind, which another caller starts again', async (scene) => {
    const { ask, clock, google } = scene
    const old = await ask()
    await clock.advance(3375 * SECOND)
    assert.is(await clock.atOnce(ask({ fetch: silence })), old)
    clock.drop(clock.timers)
    assert.is(await clock.atOnce(ask()), old)
    assert.is(google.requests.length, 1)
    await clock.advance(ATTEMPT + GRACE)
    assert.is(await clock.atOnce(ask()), old)
    assert.is(google.requests.length, 2)
    assert.is.not(await clock.atOnce(ask()), old)
  })

  test('dead leader: of a forced flight', async (scene) => {
    const { ask, clock, google } = scene
    const old = await ask()
    const start = clock.now
    ask({ fetch: silence, forceRefresh: true }).catch(() => {})
    await clock.settle()
    clock.drop(clock.timers)
    google.next('token', faults.latency(100))
    const forced = together(5, () => ask({ forceRefresh: true }))
    assert.is(await clock.atOnce(ask()), old)
    const tokens = await clock.until(forced)
    assert.is(new Set(tokens).size, 1)
    assert.is.not(tokens[0], old)
    assert.is(await clock.atOnce(ask()), tokens[0])
    assert.is(google.requests.length, 2)
    assert.ok(clock.now - start <= ATTEMPT + GRACE + 100, `after ${clock.now - start} ms`)
  })

  test('dead leader: a clock that leapt back keeps nobody waiting for longer', async (scene) => {
    const { ask, clock } = scene
    await deadLeader(scene)
    clock.error = -3_600_000
    const start = clock.now
    await clock.until(ask())
    assert.ok(clock.now - start <= ATTEMPT + GRACE, `after ${clock.now - start} ms`)
  })

  test('dead leader: a clock that leapt ahead does no harm', async (scene) => {
    const { ask, clock } = scene
    await deadLeader(scene)
    clock.error = 3_600_000
    await clock.until(ask())
  })

  test('dead leader: a clock that stands still for good', async (scene) => {
    const { ask, clock, google } = scene
    clock.moves = 'never'
    const start = clock.now
    await deadLeader(scene)
    const tokens = await clock.until(together(10, ask))
    assert.is(new Set(tokens).size, 1)
    assert.is(google.requests.length, 2)
    assert.ok(clock.now - start <= ATTEMPT + GRACE, `after ${clock.now - start} ms`)
  })

  test('a live leader who is slow is never taken over', async ({ ask, clock, google }) => {
    google.always('token', faults.json(503, {}, { 'retry-after': '5' }))
    google.next('token', faults.hang(), slowly(faults.json(503, {}, { 'retry-after': '5' })), faults.hang())
    const calls = [rejects(ask({ retries: 4 }))]
    for (let second = 0; second < 20; second++) {
      calls.push(rejects(ask()))
      await clock.advance(1 * SECOND)
    }
    const errors = await clock.until(Promise.all(calls))
    for (const error of errors) assert.is(error.code, 'unavailable')
    assert.is(google.requests.length, 5)
  })

  for (const back of [1, 3600 * SECOND]) {
    test(`a live leader is joined though the clock went back by ${back} ms`, async ({ ask, clock, google }) => {
      google.next('token', faults.latency(1 * SECOND))
      const leader = ask()
      await clock.settle()
      clock.error = -back
      await clock.until(Promise.all([leader, ask(), ask()]))
      assert.is(google.requests.length, 1)
    })
  }

  test('a flight that cannot even begin says why', async ({ ask, google, spy, stopSpying }) => {
    const reason = new Error('not in the global scope')
    spy(globalThis, 'AbortController', (() => { throw reason }) as any)
    assert.is(await rejects(ask()), reason)
    stopSpying()
    await ask()
    assert.is(google.requests.length, 1)
  })

  test('a leader who was given up, and answers after all, takes nothing away', async (scene) => {
    const { ask, clock, google, fetch } = scene
    let answer = () => {}
    const released = new Promise<void>((resolve) => { answer = resolve })
    const first = ask({ fetch: async (url, init) => {
      const response = await fetch(url, { ...init, signal: null })
      await released
      return response
    } })
    await clock.settle()
    clock.drop(clock.timers)
    const fresh = await clock.until(ask())
    assert.is(google.requests.length, 2)

    google.next('token', faults.latency(1 * SECOND))
    const third = ask({ forceRefresh: true })
    await clock.settle()
    answer()
    assert.is.not(await clock.atOnce(first), fresh)
    assert.is(await clock.atOnce(ask()), fresh, 'what ends later stays')
    const fourth = ask({ forceRefresh: true })
    await clock.until(Promise.all([third, fourth]))
    assert.is(google.requests.length, 3, 'nor is the flight of others forgotten')
  })

  test('a forced leader who was given up takes nothing away either', async (scene) => {
    const { ask, clock, fetch } = scene
    await ask()
    let answer = () => {}
    const released = new Promise<void>((resolve) => { answer = resolve })
    const first = ask({ forceRefresh: true, fetch: async (url, init) => {
      const response = await fetch(url, { ...init, signal: null })
      await released
      return response
    } })
    await clock.settle()
    clock.drop(clock.timers)
    const fresh = await clock.until(ask({ forceRefresh: true }))
    answer()
    assert.is.not(await clock.atOnce(first), fresh)
    assert.is(await clock.atOnce(ask()), fresh)
  })

  // As newer Cloudflare Workers have it: what a request promised rejects once that request is over.

  for (const [when, wait] of [['before anybody follows', false], ['while others follow', true]] as const) {
    test(`a leader whose promises reject ${when}`, async (scene) => {
      const { ask, clock, google } = scene
      const start = clock.now
      const end = doomed(scene, () => ask({ fetch: silence }))
      await clock.settle()
      const leaders = clock.timers
      const early = wait ? [ask(), ask(), ask()] : []
      await clock.settle()
      clock.drop(leaders)
      end(new Error('This promise was created by a request that has since ended'))
      const tokens = await clock.until(Promise.all([...early, ask(), ask()]))
      assert.is(new Set(tokens).size, 1)
      assert.is(google.requests.length, 1)
      assert.is(clock.now, start, 'at once')
    })
  }

  test('a leader whose promises reject: of a forced flight', async (scene) => {
    const { ask, clock, google } = scene
    const old = await ask()
    const end = doomed(scene, () => ask({ fetch: silence, forceRefresh: true }))
    await clock.settle()
    clock.drop(clock.timers)
    end(new Error('This promise was created by a request that has since ended'))
    assert.is.not(await clock.until(ask({ forceRefresh: true })), old)
    assert.is(google.requests.length, 2)
  })

  test('a leader whose promises reject: of a refresh behind, which nobody waits for', async (scene) => {
    const { ask, clock, google } = scene
    const old = await ask()
    await clock.advance(3375 * SECOND)
    await ask({ fetch: silence })
    await clock.settle()
    clock.drop(clock.timers)
    await clock.advance(ATTEMPT + GRACE)
    assert.is(await ask(), old)
    await clock.settle()
    assert.is.not(await ask(), old)
    assert.is(google.requests.length, 2)
  })

  run()
}

/** The same answer, later. */
function slowly(fault: Fault, milliseconds = 1 * SECOND): Fault {
  return async (call, answer) => {
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
    return fault(call, answer)
  }
}

/** Neither answers nor hears of an abort, as a request that is over. */
function silence(): Promise<Response> {
  return new Promise(() => {})
}

/** A caller who leads a flight, asks Google, and is never heard of again. */
async function deadLeader({ ask, clock, fetch }: Scene, options = {}): Promise<void> {
  ask({ ...options, fetch: (url, init) => fetch(url, { ...init, signal: null }).then(silence) })
  await clock.settle()
  clock.drop(clock.timers)
}

/** Runs a leader; later, whoever waits for what it shares can be told that its request has ended. */
function doomed({ spy }: Scene, lead: () => Promise<unknown>): (reason: Error) => void {
  const original = Promise.prototype.catch
  const rejecters: ((reason: Error) => void)[] = []
  let leads = true
  let shared: unknown
  let over: Error | undefined
  spy(Promise.prototype, 'catch', function (this: Promise<unknown>, onRejected) {
    if (leads) shared = this // in the end, what the leader itself waits for
    if (leads || this !== shared) return original.call(this, onRejected)
    const end = new Promise<never>((_, reject) => over ? reject(over) : rejecters.push(reject))
    return original.call(Promise.race([this, end]), onRejected)
  } as typeof original)
  lead().then(() => {}, () => {})
  leads = false
  assert.ok(shared, 'it shares a promise')
  return (reason) => {
    over = reason
    for (const reject of rejecters) reject(reason)
  }
}

function watchedSignal(): { signal: AbortSignal, listeners: unknown[], abort: () => void } {
  const controller = new AbortController()
  const { signal } = controller
  const listeners: unknown[] = []
  const add = signal.addEventListener
  const remove = signal.removeEventListener
  signal.addEventListener = (...args: any[]) => {
    listeners.push(args[1])
    add.apply(signal, args as Parameters<typeof add>)
  }
  signal.removeEventListener = (...args: any[]) => {
    if (listeners.includes(args[1])) listeners.splice(listeners.indexOf(args[1]), 1)
    remove.apply(signal, args as Parameters<typeof remove>)
  }
  return { signal, listeners, abort: () => controller.abort() }
}
