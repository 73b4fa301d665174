import { getIdToken } from 'gcp-id-token'
import type { GetIdTokenOptions } from 'gcp-id-token'
import { decodeJwt } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle, faults, tokenErrors } from './google/index.ts'
import type { Account, Fault, Google, KeyFile } from './google/index.ts'
import { FakeClock } from './support/clock.ts'
import type { Moves } from './support/clock.ts'
import { newKey, together } from './support/scene.ts'

/** Put the seed of a failure here to see it again, or for Node into the environment as SOAK_SEED. */
const SEED: number | undefined = undefined

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOURS = 24
const BETWEEN_CALLS = 15 * SECOND
/** A token with less than this left is not served; Google's `Date` is good to a second. */
const LEAST_LIFE = 30 * SECOND
const DATE_STEP = 1 * SECOND
/** Three attempts and one more for a wrong clock, with pauses between them, after some leaders who died. */
const LONGEST_WAIT = (4 * 5 + 3 * 5 + 5 * 5) * SECOND
const MOST_ENTRIES = 500

const test = suite('soak')

test(`${HOURS} hours of faults and callers`, async () => {
  const seed = SEED ?? Number(globalThis.process?.env.SOAK_SEED ?? Math.floor(Math.random() * 2 ** 32))
  const { random } = Math
  const tables = watchTables()
  const soak = new Soak(seed % 2 ? 'always' : 'at I/O', generator(seed))
  Math.random = soak.random
  try {
    await soak.run()
    assert.ok(tables.largest() <= MOST_ENTRIES + 1, `a table has ${tables.largest()} entries`)
  } catch (error) {
    throw new Error(`seed ${seed}, ${soak.time()}: ${(error as Error).message}`, { cause: error })
  } finally {
    Math.random = random
    tables.restore()
    soak.clock.restore()
  }
  console.log(`seed ${seed}:`, JSON.stringify(soak.counts))
})

test.run()

class Soak {
  readonly clock: FakeClock
  readonly random: () => number
  readonly counts = { calls: 0, requests: 0, waited: 0, errors: 0, aborted: 0, died: 0, forced: 0, once: 0 }
  readonly #start: number
  #broken: string[] = []
  #open = 0
  #seen = new Set<string>()

  constructor(moves: Moves, random: () => number) {
    this.clock = new FakeClock(moves)
    this.clock.lateness = 50
    this.#start = this.clock.now
    this.random = random
  }

  async run(): Promise<void> {
    const { clock, random } = this
    const places = [await this.#place(7384.6), await this.#place(-1911.3)]
    const audiences = [0, 1, 2, 3].map((n) => `https://service-${n}.example`)
    const wanted = audiences.flatMap((audience) => places.map((place) => newWanted(place, audience)))

    while (clock.now < this.#start + HOURS * 60 * MINUTE) {
      await clock.advance(-Math.log(1 - random()) * BETWEEN_CALLS)
      this.#check(wanted)
      // The first are asked for often, the last seldom.
      const one = wanted[Math.floor(random() ** 2 * wanted.length)]!
      if (random() < 0.1) await this.#call(newWanted(one.place, `once ${this.counts.once++}`))
      else if (random() < 0.03) await together(2 + this.#below(40), () => this.#call(one))
      else await this.#call(one, random() < 0.05)
      this.#check(wanted)
    }
    await clock.advance(2 * LONGEST_WAIT)
    this.#check(wanted)
    assert.is(this.#open, 0, 'all have their answer')
    assert.is(clock.timers.length, 0, 'timers were left')
    this.counts.requests = places.reduce((sum, { google }) => sum + google.requests.length, 0)
    assert.ok(this.counts.errors && this.counts.waited && this.counts.died, 'it was no easy day')
  }

  time(): string {
    return `${((this.clock.now - this.#start) / SECOND).toFixed(3)} s`
  }

  /** A token endpoint with a clock and a weather of its own, and an account there. */
  async #place(clockOffset: number): Promise<Place> {
    const google = createGoogle({ now: () => this.clock.now, settings: { clockOffset } })
    const place = { google, key: await newKey(google), fineSince: Infinity }
    google.always('token', this.#weather(place))
    return place
  }

  /** One caller. Whose request ends early, as on Workers, neither hears nor does anything any more. */
  async #call(wanted: Wanted, endsEarly = false): Promise<void> {
    const { clock, random, counts } = this
    const { place: { google, key }, audience } = wanted
    const forceRefresh = random() < 0.02
    const controller = new AbortController()
    const timers = clock.timers
    const isCounted = !forceRefresh && !endsEarly
    const options: GetIdTokenOptions = {
      credentials: key,
      audience,
      fetch: endsEarly ? silence : (url, init) => google.fetch(url, init).finally(() => clock.io()),
      waitUntil: (flight) => {
        if (!isCounted) return
        wanted.flights++
        flight.finally(() => wanted.flights--)
      },
      forceRefresh,
      signal: controller.signal,
      ...random() < 0.1 && { timeout: 1000, retries: this.#below(4) }
    }
    const exists = !forceRefresh && this.#exists(wanted)
    counts.calls++
    if (forceRefresh) counts.forced++
    let outcome = ''
    clock.io()
    const call = getIdToken(options)
    call.then(() => { outcome = 'served' }, () => { outcome = 'failed' })
    await clock.settle()
    if (exists && outcome !== 'served') this.#broken.push(`${outcome || 'waits'} beside a token`)
    if (endsEarly) {
      clock.drop(clock.timers.filter((id) => !timers.includes(id)))
      counts.died++
    } else {
      this.#follow(call, wanted, forceRefresh, controller.signal)
      await clock.settle()
      if (outcome) return
      counts.waited++
      if (random() < 0.4) setTimeout(() => controller.abort('enough'), random() * 10 * SECOND)
    }
  }

  async #follow(call: Promise<string>, wanted: Wanted, forced: boolean, signal: AbortSignal): Promise<void> {
    const { clock, counts } = this
    const begun = clock.now
    this.#open++
    try {
      await this.#served(wanted, await call, forced)
    } catch (error) {
      if (signal.aborted && error === signal.reason) counts.aborted++
      else this.#failed(wanted, error as GivenError, forced)
    }
    this.#open--
    if (clock.now - begun > LONGEST_WAIT) this.#broken.push(`waited ${clock.now - begun} ms`)
  }

  #failed(wanted: Wanted, { name, code, stack }: GivenError, forced: boolean): void {
    this.counts.errors++
    const known = ['rejected', 'invalid_response', 'timeout', 'unavailable']
    if (name !== 'IdTokenError' || !known.includes(code)) this.#broken.push(`an odd error: ${stack}`)
    // What some other caller was given in this very moment may have come after that error.
    const isEarlier = wanted.given < this.clock.now
    if (!forced && isEarlier && this.#exists(wanted)) this.#broken.push(`an error beside a token: ${stack}`)
    const { fineSince } = wanted.place
    if (this.clock.now - fineSince > LONGEST_WAIT) this.#broken.push(`an error on a fine day: ${stack}`)
  }

  async #served(wanted: Wanted, token: string, forced: boolean): Promise<void> {
    const { place: { google, key }, audience } = wanted
    if (!this.#seen.has(token)) {
      this.#seen.add(token)
      const claims = await google.keys.verify(token, google.world.now())
      assert.is(claims.aud, audience)
      assert.is(claims.email, key.client_email)
    }
    const { aud, email, exp } = decodeJwt(token)
    assert.is(aud, audience)
    assert.is(email, key.client_email)
    const left = exp! * SECOND - google.world.now()
    assert.ok(left >= LEAST_LIFE - DATE_STEP, `served with ${left} ms left`)
    wanted.given = this.clock.now
    wanted.end = forced ? this.clock.now + left : Math.max(wanted.end, this.clock.now + left)
  }

  /** Is there a token that some caller was given, and others must be? */
  #exists({ end }: Wanted): boolean {
    return end - this.clock.now >= LEAST_LIFE
  }

  #check(wanted: Wanted[]): void {
    for (const { flights, audience } of wanted) {
      if (flights > 1) this.#broken.push(`${flights} flights at once for ${audience}`)
    }
    if (this.#broken.length) throw new Error(this.#broken.join('\n'))
  }

  /** Fine for a while, then bad for some minutes in one way or another. */
  #weather(place: Place): Fault {
    const { fine, ...others } = weathers(place.google, () => this.random())
    let weather = fine
    let until = 0
    return (call, answer) => {
      if (this.clock.now >= until) {
        weather = weather === fine ? this.#one(Object.values(others)) : fine
        until = this.clock.now + (weather === fine ? 10 + this.#below(60) : 1 + this.#below(15)) * MINUTE
        place.fineSince = weather === fine ? this.clock.now : Infinity
      }
      return this.#one(weather)(call, answer)
    }
  }

  #below(limit: number): number {
    return Math.floor(this.random() * limit)
  }

  #one<T>(all: T[]): T {
    return all[this.#below(all.length)]!
  }
}

function weathers(google: Google, random: () => number): { fine: Fault[], [weather: string]: Fault[] } {
  const other = google.createAccount()
  const late: Fault = (call, answer) => faults.latency(random() * 8 * SECOND)(call, answer)
  const behind: Fault = (call, answer) => {
    const date = new Date(google.world.now() - random() * 120 * MINUTE).toUTCString()
    return faults.headers({ date })(call, answer)
  }
  /** A token that is not what was asked for; its `Date` is right. */
  const token = (change: (asked: Asked) => Partial<Asked>): Fault => async ({ text }) => {
    const { iss, target_audience } = decodeJwt(new URLSearchParams(text).get('assertion')!)
    const account = google.world.accounts.get(iss!)!
    const asked = { account, audience: String(target_audience), iat: Math.floor(google.world.now() / SECOND) }
    const { account: of, audience, iat } = { ...asked, ...change(asked) }
    const id_token = await google.issueIdToken(of, audience, { iat, exp: iat + 3600 })
    return Response.json({ id_token })
  }
  return {
    fine: [faults.latency(50), faults.latency(200)],
    down: [
      faults.page(503), faults.page(502), faults.dropped(), faults.hang(), faults.stalled(), faults.broken(),
      faults.internalFailure(), faults.sorry(429),
      faults.json(503, {}, { 'retry-after': '3' }), faults.json(503, {}, { 'retry-after': '120' })
    ],
    silent: [faults.hang()],
    slow: [late],
    wrongClock: [
      behind, faults.headers({ date: 'soon' }), faults.refusal(tokenErrors.badTime), faults.page(503)
    ],
    garbage: [
      faults.html(200, '<html>'), faults.json(200, {}), faults.truncated(), faults.huge(100_000),
      faults.echo(), faults.redirect('https://elsewhere.example'),
      token(() => ({ audience: 'https://elsewhere.example' })),
      token(() => ({ account: other })),
      token(({ iat }) => ({ iat: iat - 3590 })),
      token(({ iat }) => ({ iat: iat - 40 }))
    ],
    refusing: [faults.refusal(tokenErrors.badSignature)]
  }
}

/** Neither answers nor hears of an abort, as a request that is over. */
function silence(): Promise<Response> {
  return new Promise(() => {})
}

function newWanted(place: Place, audience: string): Wanted {
  return { place, audience, given: 0, end: 0, flights: 0 }
}

/** How many entries the largest table has that anybody fills meanwhile. */
function watchTables(): { largest(): number, restore(): void } {
  const { set } = Map.prototype
  const sizes = new Map<object, number>()
  Map.prototype.set = function (...entry) {
    set.apply(this, entry)
    set.call(sizes, this, this.size)
    return this
  }
  return {
    largest: () => Math.max(...sizes.values()),
    restore() { Map.prototype.set = set }
  }
}

/** Numbers like those of Math.random, the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Place {
  google: Google
  key: KeyFile
  fineSince: number
}

/** A token that callers want, and what is known of it. */
interface Wanted {
  place: Place
  audience: string
  /** When some caller was last given something, by the true time. */
  given: number
  /** The end of that, by the true time. */
  end: number
  /** Those under way that nobody forced, and whose leaders live. */
  flights: number
}

type GivenError = Error & { code: string }

interface Asked {
  account: Account
  audience: string
  iat: number
}
