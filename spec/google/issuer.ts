import { SignJWT, exportJWK } from 'jose'
import type { JWK } from 'jose'
import { errorPage, json } from './answers.ts'
import { hex } from './random.ts'
import type { Call } from './wire.ts'

/** Somebody else's OIDC issuer, which workload identity federation can trust. */
export interface Issuer {
  /** `https://…`, without a slash at the end. */
  url: string
  /** While it is, nobody can read its keys. */
  isDown: boolean
  /** Signs these claims; `iss`, `iat` and `exp` (in five minutes) are there unless they are given. */
  issue(claims: Record<string, unknown>): Promise<string>
  /** Sign with a new key from now on, and publish no other. */
  rotate(): Promise<void>
  answer(call: Call): Response
}

export async function newIssuer(
  url: string, now: () => number, alg: 'RS256' | 'ES256', newPair: () => Promise<CryptoKeyPair>
): Promise<Issuer> {
  let key = await keyOf(await newPair(), alg)
  const issuer: Issuer = {
    url,
    isDown: false,
    issue(claims) {
      const iat = Math.floor(now() / 1000)
      const token = new SignJWT({ iss: url, iat, exp: iat + 300, ...claims })
      return token.setProtectedHeader({ alg, kid: key.id, typ: 'JWT' }).sign(key.privateKey)
    },
    async rotate() {
      key = await keyOf(await newPair(), alg)
    },
    answer({ url: asked }) {
      if (issuer.isDown) return errorPage(503)
      if (asked.href === `${url}/.well-known/jwks`) return json(200, { keys: [key.jwk] })
      if (asked.href !== `${url}/.well-known/openid-configuration`) return errorPage(404, asked.pathname)
      return json(200, {
        issuer: url,
        jwks_uri: `${url}/.well-known/jwks`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [alg]
      })
    }
  }
  return issuer
}

async function keyOf({ publicKey, privateKey }: CryptoKeyPair, alg: string): Promise<Key> {
  const id = hex(8)
  return { id, jwk: { ...await exportJWK(publicKey), alg, use: 'sig', kid: id }, privateKey }
}

interface Key {
  id: string
  jwk: JWK
  privateKey: CryptoKey
}
