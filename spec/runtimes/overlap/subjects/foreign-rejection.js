import { exchange } from './exchange.js'

const tokens = new Map()
const inflight = new Map()

// A follower that has a timer of its own and takes over when it fires, but believes a foreign rejection.
export async function getIdToken(options) {
  const { audience, timeout } = options
  if (tokens.has(audience)) return tokens.get(audience)

  const flight = inflight.get(audience)
  if (flight) {
    let timer
    const silence = new Promise((resolve) => timer = setTimeout(resolve, timeout))
    const token = await Promise.race([flight, silence]).finally(() => clearTimeout(timer))
    if (token) return token
    if (inflight.get(audience) === flight) inflight.delete(audience)
    return getIdToken(options)
  }

  const own = exchange(options)
    .then((token) => {
      tokens.set(audience, token)
      return token
    })
    .finally(() => inflight.get(audience) === own && inflight.delete(audience))
  options.waitUntil?.(own)
  inflight.set(audience, own)
  return own
}
