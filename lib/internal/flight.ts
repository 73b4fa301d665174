import { requestToken } from './attempts.ts'
import type { Source, Wait } from './attempts.ts'
import { toBase64url } from './base64.ts'
import { check, readOptions } from './options.ts'
import type { CommonOptions, Settings } from './options.ts'
import { remember } from './remember.ts'
import { LEAST_LIFE, readToken } from './token.ts'
import type { Span, Token } from './token.ts'
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
  check(Date.now() > 1e12 && Date.now() < 1e13, 'Date.now()', 'the time: in Workers, use handlers')
  // One text out of many, which no others come to: before each stands its length.
  const name = [...source.identity, audience].map((part: any) => `${part?.length}:${part}`).join()
  const place = remember(places, name, places.get(name) ?? { name, token: OVER })
  let outcome: Outcome | undefined
  signal?.throwIfAborted()
  for (;;) {
    const { token } = place
    if (isUsable(token) && !forceRefresh) {
      if (Date.now() >= place.refresh!) join(place, source, settings)
      return token.text
    }
    // Only now, since another flight may have brought a token meanwhile.
    if (outcome) throw outcome
    const flight = join(place, source, settings)
    const { lease } = flight
    outcome = await within(leftOf(lease), flight.outcome.catch(() => undefined), signal)
    signal?.throwIfAborted()
    if (outcome?.text) return outcome.text
    // Lost, or silent for a whole lease: the leader's request is gone. Whoever sees it first leads.
    if (flight.lease === lease) flight.lease = OVER
  }
}

/** What a store may cost a caller. */
const STORE_PATIENCE = 1000
/** Mean of how much earlier than others an isolate refreshes a token that it shares with them, in milliseconds. */
export const SPREAD = 120_000

const places = new Map<string, Place>()
/** A token or a lease that has nothing left. */
const OVER = { text: '', exp: 0, since: 0, life: 0 }

/** What is left of it, in milliseconds: never more than all of it, though our clock may have gone back. */
const leftOf = ({ since, life }: Span): number => Math.min(life, since + life - Date.now())

/** Before a token began, our clock must have gone back: when that token ends is not known any more. */
const isUsable = (token: Token): boolean => Date.now() >= token.since && leftOf(token) >= LEAST_LIFE

/** The flight that is under way, or a new one, whose leader is whoever calls. */
function join(place: Place, source: Source, settings: Settings): Flight {
  const { audience, store, waitUntil, forceRefresh } = settings
  // One that was not forced is not good enough for all; it comes first, so that who waits for it finds it again.
  const flights = [!forceRefresh && place.flight, place.forced]
  const found = flights.find((flight) => flight && leftOf(flight.lease) > 0)
  if (found) return found
  const before = place.token
  const flight = { lease: { since: Date.now(), life: STORE_PATIENCE } } as Flight
  let writing: Promise<any> | undefined

  const wait: Wait = (milliseconds, work) => {
    // With some more, so that the leader's own timer has fired before those of its followers.
    flight.lease = { since: Date.now(), life: milliseconds + 100 }
    return within(milliseconds, work)
  }

  async function fly(): Promise<Outcome> {
    try {
      const readStore = async (key: string) => readToken(await store!.get(key), audience, source)
      const stored = store && !forceRefresh && await wait(STORE_PATIENCE, withKey(readStore))
      // A refresh takes only what is fresher.
      const isFresh = stored && stored.exp > before.exp
      const token = isFresh ? stored : await requestToken(source, settings, wait)
      keep(token)
      if (store && !isFresh) {
        writing = withKey((key) => store.set(key, token.text, { ttl: Math.floor(leftOf(token) / 1000) }))
        if (!waitUntil) await wait(STORE_PATIENCE, writing)
      }
      return token
    } catch (error) {
      keep(place.token)
      return error as Error
    } finally {
      flight.lease = OVER
    }
  }

  /** What the store does under its key: by SHA-256 (FIPS 180-4), it never sees the key that is part of an identity. */
  function withKey<T>(call: (key: string) => T) {
    const name = new TextEncoder().encode(place.name)
    return attempt(async () => call(toBase64url(await crypto.subtle.digest('SHA-256', name))))
  }

  /**
   * Into memory with what the flight brought, unless what is there ends later; the one from before, a forced flight
   * replaces in any case. After one that failed or brought nothing fresher, the next waits for 30 s.
   */
  function keep(token: Token): void {
    const { token: held } = place
    const isLate = isUsable(held) && token.exp < held.exp && !(forceRefresh && held === before)
    if (!isLate) place.token = token
    const earliest = place.token.exp > before.exp ? 0 : Date.now() + 30_000
    place.refresh = Math.max(refreshTime(place.token, store && !source.repeats ? SPREAD : 0), earliest)
  }

  place[forceRefresh ? 'forced' : 'flight'] = flight
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
export const refreshTime = ({ since, life }: Span, spread: number): number =>
  since + life - Math.min(225_000, life / 4) + spread * Math.log(1 - Math.random())

/** What a foreign function comes to, or nothing when it fails, at once or later. */
async function attempt<T>(call: () => T): Promise<Awaited<T> | undefined> {
  try {
    return await call()
  } catch {}
}

/** What is known of one token, by everything that it depends on. */
interface Place {
  readonly name: string
  token: Token
  /** From then on, by our clock, a refresh of the token is due. */
  refresh?: number
  flight?: Flight
  forced?: Flight
}

/** What a flight comes to, a token or an error: plain data, that requests may share. */
type Outcome = Partial<Token> | (Error & { text?: never })

interface Flight {
  outcome: Promise<Outcome>
  /** For so long, the leader may be silent, from the first moment on. Each renewal is another lease. */
  lease: Span
}
