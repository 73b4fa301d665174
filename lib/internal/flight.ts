import { requestToken } from './attempts.ts'
import type { Source } from './attempts.ts'
import { toBase64url } from './base64.ts'
import { identityOf } from './identity.ts'
import { check, readOptions } from './options.ts'
import type { CommonOptions, Settings } from './options.ts'
import { Table } from './table.ts'
import { LEAST_LIFE, readToken } from './token.ts'
import type { Token } from './token.ts'
import { within } from './within.ts'

/**
 * A token out of memory, or from the flight that is under way for it, or from a new one.
 *
 * On Cloudflare Workers the request that leads a flight may die, and with it everything that it began: promises
 * that it made then hang or reject, timers never fire (https://github.com/cloudflare/workerd/issues/210). So what
 * a flight shares is plain data, its promise never rejects of itself, and those who wait trust their own timers.
 */
export async function getToken(source: Source, options: CommonOptions): Promise<string> {
  const settings = readOptions(options)
  const { audience, signal, forceRefresh } = settings
  // From 2001 to 2286. Outside of requests, Cloudflare Workers have no time.
  check(/^\d{13}\b/.test(`${Date.now()}`), 'Date.now()', 'the time: in Workers, handlers have it')
  const key = identityOf([...source.identity, audience])
  let flight: Flight | undefined
  let outcome: Outcome | undefined
  for (;;) {
    signal?.throwIfAborted()
    const held = usableToken(key)
    if (held && !forceRefresh) {
      if (Date.now() >= held.refresh && !underWay(key)) lead(key, source, settings)
      return held.text
    }
    // Only now, since another flight may have brought a token meanwhile.
    if (outcome) throw outcome.error
    flight ??= underWay(key, forceRefresh) ?? lead(key, source, settings)
    const { lease } = flight
    outcome = await within(restOf(lease), flight.outcome.catch(() => undefined), signal)
    if (outcome?.text) return outcome.text
    // Lost, or silent for a whole lease: the leader's request is gone. Whoever sees it first leads.
    if (!outcome && flight.lease === lease) {
      flight.lease = OVER
      flight = undefined
    }
  }
}

/** What a store may cost a caller. */
const STORE_PATIENCE = 1000
/** Mean of how much earlier than others an isolate refreshes a token that it shares with them, in milliseconds. */
export const SPREAD = 120_000

const tokens = new Table<HeldToken>()
/** By the key of their token; those that were forced stand beside the others, with a word before it. */
const flights = new Table<Flight>()
const OVER: Lease = [0, 0]

function usableToken(key: string): HeldToken | undefined {
  const token = tokens.get(key)
  const left = token ? token.end - Date.now() : 0
  // With more than its whole life left, our clock went back.
  return left >= LEAST_LIFE && left <= token!.life ? token : undefined
}

/** What is left of a lease, by a clock that may have stood still or jumped. */
const restOf = ([since, milliseconds]: Lease): number =>
  Math.max(0, Math.min(since + milliseconds - Date.now(), milliseconds))

/** The flight to wait for; one that was not forced is not good enough for all. */
function underWay(key: string, forced?: boolean): Flight | undefined {
  const found = [flights.get(`forced ${key}`), forced ? undefined : flights.get(key)]
  return found.find((flight) => flight && restOf(flight.lease))
}

/** Begins a flight; whoever calls is its leader. */
function lead(key: string, source: Source, settings: Settings): Flight {
  const { audience, store, waitUntil, forceRefresh } = settings
  const before = tokens.get(key)
  const endBefore = before?.exp ?? 0
  const flight = {} as Flight
  let writing: Promise<any> | undefined

  const announce = (milliseconds: number): void => {
    // With some more, so that the leader's own timer has fired before those of its followers.
    flight.lease = [Date.now(), milliseconds + 100]
  }

  async function fly(): Promise<Outcome> {
    announce(STORE_PATIENCE)
    try {
      const storeKey = store && (await digest(JSON.stringify([source.identity, audience])))
      const stored = storeKey && !forceRefresh ? await attempt(() => readStore(storeKey)) : undefined
      // A refresh takes only what is fresher.
      const isFresh = stored && stored.exp > endBefore
      const token = isFresh ? stored : await requestToken(source, settings, announce)
      keep(token)
      if (storeKey && !isFresh) {
        const ttl = Math.floor((token.end - Date.now()) / 1000)
        writing = attempt(() => store.set(storeKey, token.text, { ttl }))
        announce(STORE_PATIENCE)
        if (!waitUntil) await within(STORE_PATIENCE, writing)
      }
      return { text: token.text }
    } catch (error) {
      keep()
      return { error }
    } finally {
      flight.lease = OVER
    }
  }

  async function readStore(storeKey: string): Promise<Token> {
    return readToken(await within(STORE_PATIENCE, store!.get(storeKey)), audience, source)
  }

  /**
   * Into memory with what the flight brought, unless a token that ends later got there meanwhile; the one from
   * before, a forced flight replaces in any case. After one that brought nothing fresher, the next waits for 30 s.
   */
  function keep(token?: Token): void {
    const held = usableToken(key)
    const end = held?.exp ?? 0
    const isBetter =
      token &&
      (token.exp > end ||
        token.text === held?.text || // whose end may be known better now
        (forceRefresh && (token.exp === end || held === before)))
    const best = (isBetter ? token : held) as HeldToken | undefined
    if (!best) return
    const pause = best.exp > endBefore ? 0 : 30_000
    const due = refreshTime(best, store && !source.repeats ? SPREAD : 0)
    best.refresh = Math.max(due, Date.now() + pause)
    tokens.set(key, best)
  }

  flights.set(forceRefresh ? `forced ${key}` : key, flight)
  flight.outcome = fly()
  attempt(() => waitUntil?.(flight.outcome.then(() => writing)))
  return flight
}

/**
 * When a token is to be refreshed, by our clock: 225 s before its end, since until then Google's metadata server may
 * hand out the same one, or a quarter of its life if that is less. Isolates that share it draw times of their own, so
 * that mostly one is first and the others find its token (Vattani, Chierichetti, Lowenstein:
 * https://doi.org/10.14778/2757807.2757813).
 */
export const refreshTime = ({ life, end }: Token, spread: number): number =>
  end - Math.min(225_000, life / 4) + spread * Math.log(1 - Math.random())

/** SHA-256 (FIPS 180-4), so that a store never sees the key that is part of an identity. */
async function digest(text: string): Promise<string> {
  return toBase64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
}

/** What a foreign function comes to, or nothing when it fails, at once or later. */
async function attempt<T>(call: () => T): Promise<Awaited<T> | undefined> {
  try {
    return await call()
  } catch {}
}

/** A token in memory. */
interface HeldToken extends Token {
  /** From then on, by our clock, a refresh is due. */
  refresh: number
}

/** What a flight comes to: plain data, that requests may share. */
interface Outcome {
  readonly text?: string
  readonly error?: unknown
}

/** For so long, the leader may be silent. Each renewal is another lease. */
type Lease = readonly [since: number, milliseconds: number]

interface Flight {
  outcome: Promise<Outcome>
  lease: Lease
}
