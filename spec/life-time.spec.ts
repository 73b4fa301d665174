import { base64url } from 'jose'
import * as assert from 'uvu/assert'
import { faults, tokenErrors } from './google/index.ts'
import type { Fault, Google } from './google/index.ts'
import { fails, misused } from './support/errors.ts'
import { AUDIENCE, newKey, scenes } from './support/scene.ts'
import type { Scene } from './support/scene.ts'

const { test, run } = scenes('life of a token: what is left of it')

const SECOND = 1000

test('an hour, of which the last 30 seconds are not served', async (scene) => {
  await scene.ask()
  await servedFor(scene, 3570 * SECOND)
})

for (const [age, served] of [[40, 3530], [3500, 70], [3570, 0]] as const) {
  test(`a token that arrives ${age} s old is served for ${served} s`, async (scene) => {
    scene.google.settings.idTokenAge = age
    await scene.ask()
    await servedFor(scene, served * SECOND)
  })
}

for (const age of [3571, 3580, 3600, 7200]) {
  test(`a token that arrives ${age} s old is too old`, async ({ ask, google }) => {
    google.settings.idTokenAge = age
    await fails(ask(), 'invalid_response', /too old/)
    assert.is(google.requests.length, 1)
    google.settings.idTokenAge = 0
    await ask()
  })
}

// Google's clock is so many seconds ahead, and the token is good for an hour.
for (const offset of [-7200, -3600, -50, 0.5, 50, 3600, 7200, 86_400 * 365]) {
  test(`Google's time is the answer's Date: ${offset} s ahead`, async (scene) => {
    scene.google.settings.clockOffset = offset
    const token = await scene.ask()
    assert.ok(await scene.google.keys.verify(token, scene.google.world.now()))
    await servedFor(scene, 3570 * SECOND)
  })
}

const noDates = { missing: null, empty: '', word: 'soon', number: '1800007200' }
for (const [how, date] of Object.entries(noDates)) {
  test(`where Date is ${how}, Google's time is ours`, async (scene) => {
    const { ask, google } = scene
    google.settings.clockOffset = -50
    google.next('token', faults.headers({ date: date! }))
    google.settings.dateHeader = false
    await ask()
    await servedFor(scene, 3520 * SECOND)
  })
}

test('where Date is missing, what was learned from that endpoint counts', async (scene) => {
  const { ask, google } = scene
  google.settings.clockOffset = -50
  await ask({ audience: 'first' })
  google.settings.dateHeader = false
  await ask()
  await servedFor(scene, 3570 * SECOND)
})

test('what was learned from another endpoint does not', async (scene) => {
  const { ask, google } = scene
  const credentials = await newKey(google)
  google.settings.clockOffset = -50
  await ask()
  google.settings.dateHeader = false
  await ask({ credentials })
  await servedFor({ ...scene, ask: () => ask({ credentials }) }, 3520 * SECOND)
})

test('never more than its whole life, whatever Date says', async (scene) => {
  const { ask, clock, google } = scene
  google.next('token', faults.headers({ date: new Date(clock.now - 3_000 * SECOND).toUTCString() }))
  await ask()
  await servedFor(scene, 3570 * SECOND)
})

for (const leap of [3400, 3580]) {
  test(`a clock that leapt ${leap} s ahead is set right even by the same token`, async (scene) => {
    const { ask, clock, google } = scene
    const token = await ask()
    google.always('token', faults.body(() => ({ id_token: token })))
    clock.error = leap * SECOND
    assert.is(await ask(), token)
    await clock.settle()
    await servedFor(scene, 3570 * SECOND)
  })
}

test('a token that cannot be served keeps no other out of the cache', async ({ ask, clock, google }) => {
  await ask()
  clock.error = 3580 * SECOND
  google.settings.idTokenLifetime = 600
  const token = await ask()
  assert.is(await clock.atOnce(ask()), token)
})

const good: Record<string, object> = {
  'no email': { email: undefined },
  'a life of 65 minutes': { exp: 1_800_003_900 },
  'fractions of a second': { iat: 1_800_000_000.25, exp: 1_800_003_600.75 },
  'claims that nobody knows': { google: { compute_engine: {} }, aud2: 'x' }
}

for (const [what, claims] of Object.entries(good)) {
  test(`takes a token with ${what}`, async ({ ask, clock, google }) => {
    Object.assign(google.settings.idTokenClaims, claims)
    const token = await ask()
    assert.is(await clock.atOnce(ask()), token)
  })
}

const bad: Record<string, object> = {
  'another audience': { aud: 'https://elsewhere.example' },
  'an audience in a list': { aud: [AUDIENCE] },
  'no audience': { aud: undefined },
  'another account': { email: 'other@example.iam.gserviceaccount.com' },
  'no iat': { iat: undefined },
  'no exp': { exp: undefined },
  'iat null': { iat: null },
  'exp as text': { exp: '1800003600' },
  'iat as text': { iat: '1800000000' },
  'exp in a list': { exp: [1_800_003_600] },
  'exp true': { exp: true },
  'exp before iat': { iat: 1_800_003_600, exp: 1_800_003_000 },
  'no life at all': { iat: 1_800_003_600, exp: 1_800_003_600 },
  'a life over 65 minutes': { exp: 1_800_003_901 },
  'a life of ages': { exp: 1e300 },
  'a past end': { iat: 1_799_990_000, exp: 1_799_993_600 }
}

for (const [what, claims] of Object.entries(bad)) {
  test(`refuses a token with ${what}`, async ({ ask, google }) => {
    const { idTokenClaims } = google.settings
    google.settings.idTokenClaims = { ...idTokenClaims, ...claims }
    await fails(ask(), 'invalid_response')
    assert.is(google.requests.length, 1)
    google.settings.idTokenClaims = idTokenClaims
    await ask()
    assert.is(google.requests.length, 2)
  })
}

const { encode } = base64url
const AUD = `"aud":"${AUDIENCE}"`
const texts: Record<string, unknown> = {
  'an endless life': `e30.${encode(`{${AUD},"iat":1800000000,"exp":1e999}`)}.e30`,
  'an endless past': `e30.${encode(`{${AUD},"iat":-1e999,"exp":1800003600}`)}.e30`,
  'two parts': `e30.${encode('{}')}`,
  'claims that are no JSON': `e30.${encode('{')}.e30`,
  'claims that are null': `e30.${encode('null')}.e30`,
  'claims that are no base64': 'e30.%%%.e30',
  'no text': 7,
  'no length': '',
  nothing: null
}

for (const [what, id_token] of Object.entries(texts)) {
  test(`refuses what is no token: ${what}`, async ({ ask, google }) => {
    google.next('token', faults.json(200, { id_token }))
    await fails(ask(), 'invalid_response')
    assert.is(google.requests.length, 1)
  })
}

for (const offset of [7200, -7200]) {
  test(`a clock that is ${offset} s off costs one more attempt, once`, async ({ ask, google, sentAt }) => {
    google.settings.clockOffset = offset
    await ask({ retries: 0 })
    assert.is(google.requests.length, 2)
    assert.is(sentAt[1], sentAt[0], 'at once')
    const { iat, exp } = google.requests[1]!.assertion!.claims as { iat: number, exp: number }
    const ahead = iat - google.world.now() / SECOND
    assert.ok(ahead <= 0 && ahead >= -60, `iat is ${ahead} s ahead of Google's time`)
    assert.ok(exp - iat <= 3600)

    await ask({ audience: 'second', retries: 0 })
    await ask({ forceRefresh: true, retries: 0 })
    assert.is(google.requests.length, 4)
  })
}

for (const offset of [7200, -7200]) {
  test(`and so it does for each of those who find out together: ${offset} s off`, async ({ ask, clock, google }) => {
    google.settings.clockOffset = offset
    const audiences = ['first', 'second', 'third']
    await clock.until(Promise.all(audiences.map((audience) => ask({ audience, retries: 0 }))))
    assert.is(google.requests.length, 6)
  })
}

test('it is known for all accounts of an endpoint, and for no other endpoint', async (scene) => {
  const { ask, google, key } = scene
  google.settings.clockOffset = 7200
  await ask()
  const other = await newKey(google)
  await ask({ credentials: { ...other, token_uri: key.token_uri } })
  assert.is(google.requests.length, 3)
  await ask({ credentials: other })
  assert.is(google.requests.length, 5)
})

test('the one more attempt is none of the retries', async ({ ask, clock, google, sentAt }) => {
  google.settings.clockOffset = 7200
  google.next('token', dated(google, false, faults.page(503)), dated(google, true))
  await clock.until(ask({ retries: 1 }))
  assert.is(google.requests.length, 3)
  assert.ok(sentAt[1]! > sentAt[0]!, 'after a pause')
  assert.is(sentAt[2], sentAt[1])
})

test('and there is only one of it', async ({ ask, clock, google }) => {
  const wrong = (hours: number) => {
    return faults.refusal(tokenErrors.badTime, { date: httpDate(clock.now + hours * 3600 * SECOND) })
  }
  google.next('token', wrong(1), wrong(2), wrong(1), wrong(0))
  await fails(ask(), 'rejected', /reasonable timeframe/)
  assert.is(google.requests.length, 2)
})

for (const [offset, requests] of [[15, 1], [-15, 1], [16, 2], [-16, 2]] as const) {
  test(`a refusal that comes with a clock ${offset} s off means ${requests} in all`, async (scene) => {
    const { ask, clock, google } = scene
    const date = httpDate(clock.now + offset * SECOND)
    const refusal = faults.refusal(tokenErrors.badTime, { date })
    google.next('token', refusal, refusal)
    await fails(ask(), 'rejected')
    assert.is(google.requests.length, requests)
  })
}

test('a difference that was known before is no news', async ({ ask, google }) => {
  google.settings.clockOffset = 7200
  await ask()
  google.next('token', faults.refusal(tokenErrors.badTime))
  await fails(ask({ audience: 'second' }), 'rejected')
  assert.is(google.requests.length, 3)
})

test('a clock that goes back by more than the token has lived makes a miss of it', async ({ ask, clock }) => {
  clock.error = 3595 * SECOND
  const token = await ask()
  assert.is(await ask(), token)
  clock.error = 0
  assert.is.not(await ask(), token)
})

test('without a Date, the refusal says what to do', async ({ ask, google }) => {
  google.settings.clockOffset = 7200
  google.settings.dateHeader = false
  const { hint } = await fails(ask(), 'rejected')
  assert.match(hint, /clock/i)
  assert.is(google.requests.length, 1)
})

for (const time of [0, 1, -1, 1_800_000_000, 8.64e15 + 1, 1e300, Infinity, NaN]) {
  test(`a clock that says ${time} gets an error that says so`, async ({ ask, clock, google }) => {
    clock.error = time - clock.now
    await misused(ask(), /Date\.now/, /in Workers, use handlers/)
    assert.is(google.requests.length, 0)
    clock.error = 0
    await ask()
  })
}

run()

/** Google is gone, and so long from now on the token is there all the same. */
async function servedFor({ ask, clock, google }: Scene, milliseconds: number): Promise<void> {
  google.always('token', faults.page(503))
  const token = await clock.atOnce(ask())
  await clock.advance(milliseconds)
  assert.is(await clock.atOnce(ask()), token)
  await clock.advance(1)
  await fails(clock.until(ask()), 'unavailable')
}

/** From this answer on, Google sends its time or does not. */
function dated(google: Google, dateHeader: boolean, fault = faults.none()): Fault {
  return (call, answer) => {
    google.settings.dateHeader = dateHeader
    return fault(call, answer)
  }
}

function httpDate(time: number): string {
  return new Date(time).toUTCString()
}
