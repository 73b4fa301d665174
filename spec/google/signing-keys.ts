import { SignJWT, createLocalJWKSet, exportJWK, jwtVerify } from 'jose'
import type { JSONWebKeySet, JWTPayload } from 'jose'
import { certificate } from './certificate.ts'
import { newKeyPair } from './key-pair.ts'
import { hex } from './random.ts'

export const ISSUER = 'https://accounts.google.com'

/** Google's own keys: two are published at any time, and the older of them signs. */
export interface SigningKeys {
  sign(claims: JWTPayload): Promise<string>
  /** The claims of an ID token that is Google's, and valid at that time; throws otherwise. */
  verify(token: string, now: number): Promise<JWTPayload>
  jwks(): Promise<JSONWebKeySet>
  certificates(): Promise<Record<string, string>>
  /** Sign with the next key from now on, and publish the one after it. */
  rotate(): void
}

export function signingKeys(): SigningKeys {
  let current = 0
  const published = () => Promise.all([keyAt(current), keyAt(current + 1)])

  return {
    async sign(claims) {
      const { id, pair } = await keyAt(current)
      const token = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: id, typ: 'JWT' })
      return token.sign(pair.privateKey)
    },
    async verify(token, now) {
      // Whatever signed is made by now; what is to follow need not be, and may leave a hole.
      const made = keys.slice(current, current + 2).flatMap(({ jwk }) => jwk)
      const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: made }), {
        algorithms: ['RS256'],
        issuer: ISSUER,
        requiredClaims: ['exp', 'iat', 'aud'],
        currentDate: new Date(now)
      })
      return payload
    },
    async jwks() {
      return { keys: (await published()).map(({ jwk }) => jwk) }
    },
    async certificates() {
      const entries = (await published()).map(async ({ id, pair }) =>
        [id, await certificate('federated-signon.system.gserviceaccount.com', pair)] as const)
      return Object.fromEntries(await Promise.all(entries))
    },
    rotate() {
      current++
    }
  }
}

// Keys are slow to make, and there is one Google: all instances in this realm share them.
const keys: SigningKey[] = []

async function keyAt(index: number): Promise<SigningKey> {
  const key = keys[index] ?? await newKey()
  return keys[index] ??= key
}

async function newKey(): Promise<SigningKey> {
  const pair = await newKeyPair()
  const id = hex(20)
  const { n, e } = await exportJWK(pair.publicKey)
  return { id, pair, jwk: { kty: 'RSA', alg: 'RS256', use: 'sig', kid: id, n: n!, e: e! } }
}

interface SigningKey {
  id: string
  pair: CryptoKeyPair
  jwk: { kty: 'RSA', alg: 'RS256', use: 'sig', kid: string, n: string, e: string }
}
