import * as assert from 'uvu/assert'
import { faults, tokenErrors } from './google/index.ts'
import type { Fault } from './google/index.ts'
import { fails } from './support/errors.ts'
import { AUDIENCE, scenes, together } from './support/scene.ts'

const SECOND = 1000
/** When an hour's token is due for its refresh. */
const DUE = 3375 * SECOND

/** Each with the attempts that a flight makes of it. */
const failures: [how: string, fault: Fault, attempts: number][] = [
  ['Google says no', faults.refusal(tokenErrors.badSignature), 1],
  ['Google is down', faults.page(503), 3],
  ['the connection is lost', faults.dropped(), 3],
  ['no answer', faults.hang(), 3],
  ['garbage', faults.html(200, '<html>'), 1]
]

for (const moves of ['always', 'at I/O'] as const) {
  const { test, run } = scenes(`life of a token: refresh, with a clock that moves ${moves}`, moves)

  test('ahead: a caller gets the old token at once while one refresh runs behind', async (scene) => {
    const { ask, clock, google } = scene
    const old = await ask()
    await clock.advance(DUE - 1)
    assert.is(await clock.atOnce(ask()), old)
    assert.is(google.requests.length, 1)

    await clock.advance(1)
    google.next('token', faults.latency(2 * SECOND))
    for (const token of await clock.atOnce(together(100, ask))) assert.is(token, old)
    await clock.advance(1 * SECOND)
    for (const token of await clock.atOnce(together(100, ask))) assert.is(token, old)
    assert.is(google.requests.length, 2)

    await clock.advance(1 * SECOND)
    const [fresh] = await clock.atOnce(together(100, ask))
    assert.is.not(fresh, old)
    assert.is(google.requests.length, 2)
    await clock.advance(DUE - 2 * SECOND)
    assert.is(await clock.atOnce(ask()), fresh)
    assert.is(google.requests.length, 2)
  })

  for (const [life, due] of [[900, 675], [600, 450], [160, 120], [899, 674.25], [3900, 3675]] as const) {
    test(`a life of ${life} s is refreshed after ${due} s`, async ({ ask, clock, google }) => {
      google.settings.idTokenLifetime = life
      const old = await ask()
      await clock.advance(due * SECOND - 1)
      await clock.atOnce(ask())
      assert.is(google.requests.length, 1)
      await clock.advance(1)
      assert.is(await clock.atOnce(ask()), old)
      assert.is(google.requests.length, 2)
      assert.is.not(await clock.atOnce(ask()), old)
    })
  }

  for (const [age, due] of [[40, 3335], [3500, 0]] as const) {
    test(`a token that arrives ${age} s old is refreshed after ${due} s`, async ({ ask, clock, google }) => {
      google.settings.idTokenAge = age
      const old = await ask()
      google.settings.idTokenAge = 0
      if (due) {
        await clock.advance(due * SECOND - 1)
        await clock.atOnce(ask())
        assert.is(google.requests.length, 1)
        await clock.advance(1)
      }
      assert.is(await clock.atOnce(ask()), old)
      assert.is(google.requests.length, 2)
      assert.is.not(await clock.atOnce(ask()), old)
    })
  }

  for (const [how, fault, perFlight] of failures) {
    test(`a failed refresh disturbs nobody, and pauses for 30 s: ${how}`, async (scene) => {
      const { ask, clock, google, sentAt } = scene
      const old = await ask()
      await clock.advance(DUE)
      google.always('token', fault)
      for (let left = 225; left >= 30; left--) {
        assert.is(await clock.atOnce(ask()), old, `with ${left} s left`)
        if (left > 30) await clock.advance(1 * SECOND)
      }
      const attempts = sentAt.slice(1)
      assert.ok(attempts.length >= 4 * perFlight, `${attempts.length} attempts`)
      for (let i = perFlight; i < attempts.length; i += perFlight) {
        const pause = attempts[i]! - attempts[i - 1]!
        assert.ok(pause >= 30 * SECOND && pause <= 37 * SECOND, `the next after ${pause} ms`)
      }

      google.always('token')
      await clock.advance(30 * SECOND)
      assert.is.not(await clock.until(ask()), old)
    })
  }

  test('a refresh that fails leaves the next caller to wait once the token is over', async (scene) => {
    const { ask, clock, google } = scene
    await ask()
    google.always('token', faults.refusal(tokenErrors.badSignature))
    await clock.advance(3571 * SECOND)
    await fails(clock.until(ask()), 'rejected')
    await fails(clock.until(ask()), 'rejected')
    assert.is(google.requests.length, 3)
    google.always('token')
    await ask()
  })

  test('a caller in the last 30 s joins the refresh that is under way', async ({ ask, clock, google }) => {
    const old = await ask()
    await clock.advance(3569 * SECOND)
    google.next('token', faults.latency(3 * SECOND))
    assert.is(await clock.atOnce(ask()), old)
    await clock.advance(1 * SECOND)
    assert.is(await clock.atOnce(ask()), old, 'the last moment')
    await clock.advance(1)
    const late = await clock.until(together(10, ask))
    assert.is.not(late[0], old)
    assert.is(new Set(late).size, 1)
    assert.is(google.requests.length, 2)
  })

  const repeated = [['the same token'], ['one with the same end', 0], ['an older one', 100]] as const
  for (const [what, older] of repeated) {
    test(`a refresh that brings ${what} is followed by none for 30 s`, async (scene) => {
      const { ask, clock, google, key } = scene
      const old = await ask()
      const iat = clock.now / SECOND - (older ?? 0)
      const account = google.world.accounts.get(key.client_email)!
      const other = await google.issueIdToken(account, AUDIENCE, { iat, exp: iat + 3600 })
      google.always('token', faults.body(() => ({ id_token: older === undefined ? old : other })))
      await clock.advance(DUE)
      assert.is(await clock.atOnce(ask()), old)
      const held = older === 0 ? other : old // of two that end together, the last stays
      for (let second = 0; second < 30; second++) {
        assert.is(await clock.atOnce(ask()), held)
        assert.is(google.requests.length, 2, `after ${second} s`)
        await clock.advance(1 * SECOND)
      }
      assert.is(await clock.atOnce(ask()), held)
      assert.is(google.requests.length, 3)
      google.always('token')
      await clock.advance(30 * SECOND)
      await clock.atOnce(ask())
      assert.is.not(await clock.atOnce(ask()), held)
    })
  }

  test('a refresh that brings a token of somebody else changes nothing', async ({ ask, clock, google }) => {
    const old = await ask()
    await clock.advance(DUE)
    const foreign = await google.issueIdToken(google.createAccount(), 'https://elsewhere.example')
    google.next('token', faults.body(() => ({ id_token: foreign })))
    assert.is(await clock.atOnce(ask()), old)
    assert.is(await clock.atOnce(ask()), old)
    assert.is(google.requests.length, 2)
  })

  test('the signal of who starts a refresh does not end it', async ({ ask, clock, google }) => {
    const old = await ask()
    await clock.advance(DUE)
    google.next('token', faults.latency(2 * SECOND))
    const controller = new AbortController()
    assert.is(await clock.atOnce(ask({ signal: controller.signal })), old)
    controller.abort()
    await clock.advance(2 * SECOND)
    assert.is.not(await clock.atOnce(ask()), old)
    assert.is(google.requests.length, 2)
  })

  test('forced: skips what is cached, and replaces it', async ({ ask, clock, google }) => {
    const old = await ask()
    const forced = await clock.until(ask({ forceRefresh: true }))
    assert.is.not(forced, old)
    assert.is(await clock.atOnce(ask()), forced)
    assert.is.not(await clock.until(ask({ forceRefresh: true })), forced)
    assert.is(google.requests.length, 3)
  })

  test('ten forced at once are one exchange', async ({ ask, clock, google }) => {
    const old = await ask()
    const forced = await clock.until(together(10, () => ask({ forceRefresh: true })))
    assert.is(new Set(forced).size, 1)
    assert.is.not(forced[0], old)
    assert.is(google.requests.length, 2)
  })

  test('forced replaces even a token that ends later', async ({ ask, clock, google }) => {
    await ask()
    google.settings.idTokenLifetime = 600
    await clock.advance(60 * SECOND)
    const forced = await ask({ forceRefresh: true })
    assert.is(await clock.atOnce(ask()), forced)
  })

  test('forced joins no flight that was not forced', async ({ ask, clock, google }) => {
    google.next('token', faults.latency(1 * SECOND), faults.latency(3 * SECOND))
    const plain = ask()
    await clock.settle()
    const forced = await clock.until(ask({ forceRefresh: true }))
    assert.is.not(forced, await clock.atOnce(plain))
    assert.is(google.requests.length, 2)
    assert.is(await clock.atOnce(ask()), forced)
  })

  test('forced joins no refresh behind', async ({ ask, clock, google }) => {
    const old = await ask()
    await clock.advance(DUE)
    google.next('token', faults.latency(1 * SECOND), faults.latency(3 * SECOND))
    assert.is(await clock.atOnce(ask()), old)
    const forced = await clock.until(ask({ forceRefresh: true }))
    assert.is(google.requests.length, 3)
    assert.is(await clock.atOnce(ask()), forced)
  })

  test('no refresh behind starts beside a forced flight', async ({ ask, clock, google }) => {
    const old = await ask()
    await clock.advance(DUE)
    google.always('token', faults.latency(1 * SECOND))
    const forced = ask({ forceRefresh: true })
    assert.is(await clock.atOnce(ask()), old)
    await clock.until(forced)
    assert.is(google.requests.length, 2)
  })

  test('who is not forced joins a forced flight when nothing is there', async ({ ask, clock, google }) => {
    google.always('token', faults.latency(1 * SECOND))
    const [forced, plain] = await clock.until(Promise.all([ask({ forceRefresh: true }), ask()]))
    assert.is(plain, forced)
    assert.is(google.requests.length, 1)
  })

  test('others are served at once while a forced flight runs, and after it failed', async (scene) => {
    const { ask, clock, google } = scene
    const old = await ask()
    google.always('token', faults.latency(1 * SECOND))
    const forced = ask({ forceRefresh: true, retries: 0, timeout: 500 })
    assert.is(await clock.atOnce(ask()), old)
    await fails(clock.until(forced), 'timeout')
    assert.is(await clock.atOnce(ask()), old)
    assert.is(google.requests.length, 2)
  })

  // Seconds after the first flight began: its answer, the forced flight, and the answer to that.
  const orders = [[3, 1, 1], [3, 1, 2], [2, 1, 3], [0.8, 0.4, 0.9], [1.5, 1.1, 1.3]] as const
  for (const [answered, forcedAt, forcedAnswered] of orders) {
    const when = `${answered} s, forced ${forcedAt} to ${forcedAnswered} s`
    test(`a forced result stays, whenever the other comes: ${when}`, async ({ ask, clock, google }) => {
      google.next('token', late(answered * SECOND), late((forcedAnswered - forcedAt) * SECOND))
      const plain = ask()
      await clock.advance(forcedAt * SECOND)
      const forced = ask({ forceRefresh: true })
      await clock.advance(5 * SECOND)
      assert.is.not(await clock.atOnce(forced), await clock.atOnce(plain))
      assert.is(await clock.atOnce(ask()), await forced)
      assert.is(google.requests.length, 2)
    })
  }

  run()
}

/** The answer is made at once, and comes so much later. */
function late(milliseconds: number): Fault {
  return async (_, answer) => {
    const response = await answer()
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
    return response
  }
}
