// Many RSA keys in little time: of 46 primes, each two make another key.

import { createPrivateKey, generatePrimeSync } from 'node:crypto'

const BITS = 2048
const E = 65_537n

/** So many private keys, as PEM. */
export function newKeys(count) {
  const primes = []
  const pems = []
  while (pems.length < count) {
    const p = generatePrimeSync(BITS / 2, { bigint: true })
    if (p % E === 1n) continue
    for (const q of primes) pems.push(pemOf(p, q))
    primes.push(p)
  }
  return pems.slice(0, count)
}

/** By RFC 8017 section 3.2, in the names of RFC 7518 section 6.3. */
function pemOf(p, q) {
  const d = inverse(E, (p - 1n) * (q - 1n))
  const numbers = { n: p * q, e: E, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) }
  const jwk = Object.entries(numbers).map(([name, number]) => [name, toBase64url(number)])
  const key = createPrivateKey({ key: { kty: 'RSA', ...Object.fromEntries(jwk) }, format: 'jwk' })
  if (key.asymmetricKeyDetails.modulusLength !== BITS) throw new Error('A prime is too small')
  return key.export({ type: 'pkcs8', format: 'pem' })
}

/** Euclid's algorithm, extended. */
function inverse(number, modulus) {
  let [a, b, x, y] = [number, modulus, 1n, 0n]
  while (b) [a, b, x, y] = [b, a % b, y, x - a / b * y]
  return (x + modulus) % modulus
}

function toBase64url(number) {
  const hex = number.toString(16)
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex').toString('base64url')
}
