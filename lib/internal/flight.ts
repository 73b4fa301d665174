import { requestToken } from './attempts.ts'
import type { Source } from './attempts.ts'
import { toBase64url } from './base64.ts'
import { IdTokenError } from './errors.ts'
import { readOptions } from './options.ts'
import type { CommonOptions, Settings, TokenStore } from './options.ts'
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
  if (signal?.aborted) throw signal.reason
  checkClock()
  const key = `${idOf(source.identity)} ${audience}`
  let flight: Flight | undefined
  let failure: Failure | undefined
  for (;;) {
    const held = forceRefresh ? undefined : usableToken(key)
    if (held) {
      if (Date.now() >= held.refresh && !isUnderWay(key)) lead(key, source, settings)
      return held.text
    }
    if (failure) throw failure.error
    flight ??= flights.get(FORCED + key) ?? (forceRefresh ? undefined : flights.get(key)) ?? lead(key, source, settings)
    const { renewals } = flight
    const outcome = await within(restOfLease(flight), flight.outcome.catch(() => LOST), signal)
    if (outcome && 'text' in outcome) return outcome.text
    // Before it is thrown, one more look: another flight may have brought a token meanwhile.
    if (outcome && 'error' in outcome) failure = outcome
    // Lost, or silent for a whole lease: the leader's request is gone. Whoever sees it first leads.
    else if (outcome || flight.renewals === renewals) {
      forget(flight)
      flight = undefined
    }
  }
}

/** How long before its end a token is refreshed: until then, Google's metadata server may hand out the same one. */
const REFRESH_AHEAD = 225_000
/** After a refresh that brought nothing. */
const REFRESH_PAUSE = 30_000
/** What a store may cost a caller. */
const STORE_PATIENCE = 1000
/** Mean of how much earlier than others an isolate refreshes a token that it shares with them, in milliseconds. */
export const SPREAD = 120_000
/** What a leader gets on top of its time, so that its own timer has fired before those of its followers. */
const LEASE_MARGIN = 100

const tokens = new Table<HeldToken>()
const flights = new Table<Flight>()
/** Before the key of forced flights, which stand beside the others: those are not good enough for all. */
const FORCED = 'forced '
const LOST = {}
const ids = new Table<number>()
let lastId = 0

/** A short stand-in for an identity, so that looking up a token need not hash a whole key. */
function idOf(identity: string): number {
  let id = ids.get(identity)
  if (!id) ids.set(identity, (id = ++lastId))
  return id
}

function checkClock(): void {
  const now = Date.now()
  // 2020 to 2286. Outside of requests, Cloudflare Workers have no time.
  if (now > 1.6e12 && now < 1e13) return
  throw new IdTokenError('unavailable', `The clock says ${now}`, {
    hint: 'On Cloudflare Workers, call getIdToken inside of a handler: there is no time in the global scope'
  })
}

function usableToken(key: string): HeldToken | undefined {
  const token = tokens.get(key)
  return token && token.end - Date.now() >= LEAST_LIFE ? token : undefined
}

/** What is left of the lease, by a clock that may have stood still or jumped. */
function restOfLease({ since, lease }: Flight): number {
  return Math.min(Math.max(since + lease - Date.now(), 0), lease)
}

function isUnderWay(key: string): boolean {
  const found = [flights.get(key), flights.get(FORCED + key)]
  return found.some((flight) => flight && restOfLease(flight) > 0)
}

function renew(flight: Flight, milliseconds: number): void {
  flight.since = Date.now()
  flight.lease = milliseconds + LEASE_MARGIN
  flight.renewals++
}

function forget(flight: Flight): void {
  if (flights.get(flight.key) === flight) flights.delete(flight.key)
}

function lead(key: string, source: Source, settings: Settings): Flight {
  let land!: (outcome: Outcome) => void
  const outcome = new Promise<Outcome>((resolve) => (land = resolve))
  const forced = settings.forceRefresh
  const flight = { forced, key: forced ? FORCED + key : key, outcome, since: 0, lease: 0, renewals: 0 }
  flights.set(flight.key, flight)
  const work = fly(key, flight, land, source, settings)
  attempt(() => settings.waitUntil?.(work))
  return flight
}

/** The whole course of a flight, and the write to the store after it. Never rejects. */
async function fly(
  key: string,
  flight: Flight,
  land: (outcome: Outcome) => void,
  source: Source,
  settings: Settings
): Promise<void> {
  const { audience, store, waitUntil } = settings
  const announce = (milliseconds: number) => renew(flight, milliseconds)
  const before = tokens.get(key)
  let outcome: Outcome
  let writing: Promise<unknown> | undefined
  try {
    announce(STORE_PATIENCE)
    const storeKey = store && (await digest(source.identity + audience))
    let token = storeKey && !flight.forced ? await readStore(store, storeKey, audience, source, before) : undefined
    if (!token) {
      token = await requestToken(source, settings, announce)
      if (storeKey) writing = writeStore(store, storeKey, token)
    }
    keep(key, token, flight.forced, before, store && !source.repeats ? SPREAD : 0)
    outcome = { text: token.text }
  } catch (error) {
    outcome = { error }
    postponeRefresh(tokens.get(key))
  }
  if (!waitUntil) {
    announce(STORE_PATIENCE)
    await writing
  }
  forget(flight)
  land(outcome)
  await writing
}

/** A token of the store, unless that is no better than what is there already; then, as with any fault, nothing. */
async function readStore(
  store: TokenStore,
  key: string,
  audience: string,
  source: Source,
  held: Token | undefined
): Promise<Token | undefined> {
  const text = await within(STORE_PATIENCE, attempt(() => store.get(key)))
  try {
    const token = text ? readToken(text, audience, source) : undefined
    if (!held || (token && token.exp > held.exp && token.iat >= held.iat)) return token
  } catch {}
}

async function writeStore(store: TokenStore, key: string, { text, end }: Token): Promise<void> {
  const ttl = Math.floor((end - Date.now()) / 1000)
  await within(STORE_PATIENCE, attempt(() => store.set(key, text, { ttl })))
}

/** Into memory with a token, unless one that ends later got there; what a forced flight found must go in any case. */
function keep(key: string, token: Token, forced: boolean, before: HeldToken | undefined, spread: number): void {
  const held = usableToken(key)
  if (!held || token.exp > held.exp || (forced && (held === before || token.exp === held.exp))) {
    return tokens.set(key, { ...token, refresh: refreshTime(token, spread) })
  }
  if (held.text === token.text) held.end = token.end // by what is known of the time now
  postponeRefresh(held)
}

/**
 * When a token is to be refreshed, by our clock. Isolates that share it draw times of their own, so that mostly one is
 * first and the others find its token (Vattani, Chierichetti, Lowenstein: https://doi.org/10.14778/2757807.2757813).
 */
export function refreshTime({ iat, exp, end }: Token, spread: number): number {
  return end - Math.min(REFRESH_AHEAD, (exp - iat) * 250) + spread * Math.log(1 - Math.random())
}

function postponeRefresh(token: HeldToken | undefined): void {
  if (token) token.refresh = Math.max(token.refresh, Date.now() + REFRESH_PAUSE)
}

/** SHA-256 (FIPS 180-4), so that a store never sees the key that is part of an identity. */
async function digest(text: string): Promise<string> {
  return toBase64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))))
}

/** What a foreign function comes to, or nothing when it fails, at once or later. */
async function attempt<T>(call: () => T): Promise<Awaited<T> | undefined> {
  try {
    return await call()
  } catch {}
}

/** A token in memory. */
interface HeldToken extends Token {
  end: number
  /** From then on, by our clock, a refresh is due. */
  refresh: number
}

/** What a flight comes to: plain data, that requests may share. */
type Outcome = { readonly text: string } | Failure

interface Failure {
  readonly error: unknown
}

interface Flight {
  readonly forced: boolean
  /** Under which it is found while it is under way. */
  readonly key: string
  readonly outcome: Promise<Outcome>
  /** Until `since + lease` the leader may be silent. */
  since: number
  lease: number
  renewals: number
}
