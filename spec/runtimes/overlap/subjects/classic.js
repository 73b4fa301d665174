import { exchange } from './exchange.js'

const tokens = new Map()
const inflight = new Map()

// The recipe that every second library has: one promise for all.
export async function getIdToken(options) {
  const { audience } = options
  if (tokens.has(audience)) return tokens.get(audience)
  if (!inflight.has(audience)) {
    const flight = exchange(options)
      .then((token) => {
        tokens.set(audience, token)
        return token
      })
      .finally(() => inflight.delete(audience))
    options.waitUntil?.(flight)
    inflight.set(audience, flight)
  }
  return inflight.get(audience)
}
