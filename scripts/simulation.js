// A discrete-event simulation of isolates that all want one token, around the library's own refresh decision.
// That one is the idea of XFetch, with one draw per isolate and token (Vattani, Chierichetti, Lowenstein:
// Optimal Probabilistic Cache Stampede Prevention, PVLDB 8(8), 2015, https://doi.org/10.14778/2757807.2757813).

import { build } from 'esbuild'
import { root } from './project.js'

/** All times are in seconds. */
export const DAY = {
  isolates: 10_000,
  hours: 24,
  /** The first isolates start within a few minutes, on average in this time; the store is empty then. */
  rollout: 60,
  /** From this hour on, the start is over and its isolates are warm. */
  steadyFrom: 2,
  /** On average, exponentially distributed; where one ended, a new one starts with nothing in memory. */
  isolateLife: 3600,
  /** Requests per second to an isolate, evenly on a logarithmic scale from idle to busy; Poisson arrivals. */
  rates: [1 / 300, 10],
  tokenLife: 3600,
  /** A token with less life is not served (LEAST_LIFE in lib/internal/token.ts). */
  leastLife: 30,
  exchangeTime: 0.3
}
/** The step of the simulation's clock. */
const TICK = 0.05

/** Every read shows what was there so long ago. Cloudflare says 60 s or more; 60 is the usual most. */
export const KV = { readTime: 0.05, staleness: 60 }
export const CONSISTENT = { readTime: 0.05, staleness: 0 }

/** What is under test: when the library refreshes a token, and how far it spreads that over isolates. */
export const { refreshTime, SPREAD } = await loadLibrary()

/**
 * One day, hour by hour. The same seed gives the same day.
 *
 * @param {{ store?: typeof KV, spread: number, isolates?: number, seed?: number }} settings spread in milliseconds
 */
export function simulate({ store, spread, isolates = DAY.isolates, seed = 1 }) {
  const { random } = Math
  Math.random = seeded(seed)
  const newHour = () => ({ requests: 0, exchanges: 0, forGoogle: 0, forStore: 0 })
  const hours = Array.from({ length: DAY.hours }, newHour)
  const thisHour = () => hours[Math.floor(now / 3600)]
  const writes = []
  let visible = -1
  let now = 0

  /** A place where one isolate follows another. It yields when it will have something to do. */
  function* isolatesInARow() {
    for (;;) {
      const rate = logarithmic(...DAY.rates)
      const end = now + exponential(DAY.isolateLife)
      countRequests(rate, now, end)
      for (let held; now < end;) {
        held = yield* newerToken(held, rate)
        // Until then, requests are served from memory; how far the next one is does not depend on them.
        const refresh = Math.max(now, refreshTime(held, spread) / 1000)
        yield Math.min(end, refresh + exponential(1 / rate))
      }
    }
  }

  /** What a request sets off that finds no token in memory, or one whose refresh is due. */
  function* newerToken(held, rate) {
    const isServed = isUsable(held)
    const start = now
    let token
    if (store) {
      yield now + store.readTime
      token = inStore()
    }
    const isFound = isUsable(token) && !(held?.exp >= token.exp)
    if (!isFound) {
      thisHour().exchanges++
      yield now + DAY.exchangeTime
      const iat = Math.floor(now)
      token = { exp: iat + DAY.tokenLife, life: DAY.tokenLife * 1000, since: iat * 1000 }
      writes.push({ token, time: now })
    }
    // The request itself, and those that came meanwhile.
    if (!isServed) thisHour()[isFound ? 'forStore' : 'forGoogle'] += 1 + rate * (now - start)
    return token
  }

  function inStore() {
    while (writes[visible + 1]?.time <= now - store.staleness) visible++
    return writes[visible]?.token
  }

  function isUsable(token) {
    return token !== undefined && token.exp - now >= DAY.leastLife
  }

  function countRequests(rate, from, to) {
    for (let time = from; time < Math.min(to, DAY.hours * 3600);) {
      const hour = Math.floor(time / 3600)
      const next = Math.min(to, (hour + 1) * 3600)
      hours[hour].requests += rate * (next - time)
      time = next
    }
  }

  const agenda = Array(DAY.hours * 3600 / TICK)
  const enter = (place, time) => {
    const tick = Math.ceil(time / TICK)
    if (tick < agenda.length) (agenda[tick] ??= []).push(place)
  }
  for (let i = 0; i < isolates; i++) enter(isolatesInARow(), exponential(DAY.rollout))
  for (let tick = 0; tick < agenda.length; tick++) {
    if (!agenda[tick]) continue
    now = tick * TICK
    for (const place of agenda[tick]) enter(place, place.next().value)
    agenda[tick] = undefined
  }
  Math.random = random
  return hours
}

/** The day after its start: exchanges per hour, and the share of requests that waited. */
export function summary(day) {
  const steady = day.slice(DAY.steadyFrom)
  const total = (name) => steady.reduce((sum, hour) => sum + hour[name], 0)
  const share = (name) => total(name) && `${(total(name) / total('requests') * 100).toFixed(3)} %`
  return {
    'first hour': day[0].exchanges,
    'per hour': Number((total('exchanges') / steady.length).toFixed(1)),
    'most in an hour': Math.max(...steady.map(({ exchanges }) => exchanges)),
    'waited for Google': share('forGoogle'),
    'waited for the store': share('forStore')
  }
}

function exponential(mean) {
  return -mean * Math.log(1 - Math.random())
}

function logarithmic(least, most) {
  return least * (most / least) ** Math.random()
}

/** Xorshift (Marsaglia 2003, https://doi.org/10.18637/jss.v008.i14), after a step away from small seeds. */
function seeded(seed) {
  let state = Math.imul(seed, 0x9e3779b1) || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

async function loadLibrary() {
  const { outputFiles: [{ text }] } = await build({
    entryPoints: ['lib/internal/flight.ts'],
    absWorkingDir: root,
    bundle: true,
    format: 'esm',
    write: false
  })
  return import(`data:text/javascript,${encodeURIComponent(text)}`)
}
