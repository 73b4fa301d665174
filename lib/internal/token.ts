import { textFromBase64 } from './base64.ts'
import { IdTokenError } from './errors.ts'
import { timeAt } from './request.ts'

/** An ID token that was held against what was asked for. */
export interface Token {
  readonly text: string
  /** Seconds, as Google wrote them. */
  readonly iat: number
  readonly exp: number
  /** Its end in milliseconds by our own clock. */
  readonly end: number
}

/** Less life than this, in milliseconds, and a token is not served: it must outlast the request that it is for. */
export const LEAST_LIFE = 30_000

/**
 * The ID token in an answer or a store, checked as to audience, account and time. Its signature is the receiver's to
 * check: here it comes straight from Google, or from a store that the app trusts.
 */
export function readToken(text: unknown, audience: string, source: Origin): Token {
  const { aud, email, iat, exp } = readClaims(text)
  if (aud !== audience) throw invalidToken('is for another audience')
  if (source.email && email !== undefined && email !== source.email) throw invalidToken('is of another account')
  const life = (exp - iat) * 1000
  if (!Number.isFinite(iat) || !Number.isFinite(exp) || life <= 0 || life > LONGEST_LIFE) {
    throw invalidToken('has an iat and exp that make no sense')
  }
  const left = Math.min(exp * 1000 - timeAt(source.endpoint), life)
  if (left < LEAST_LIFE) throw invalidToken('is too old')
  return { text: text as string, iat, exp, end: Date.now() + left }
}

/** Google gives an hour, and tolerates 65 minutes. */
const LONGEST_LIFE = 3_900_000

/** The payload of a JWT (RFC 7519 section 3). */
function readClaims(text: unknown): { [name in 'aud' | 'email' | 'iat' | 'exp']: any } {
  const parts = typeof text === 'string' ? text.split('.') : []
  try {
    if (parts.length === 3) return Object(JSON.parse(textFromBase64(parts[1]!)!))
  } catch {}
  throw invalidToken(text ? 'is not a JWT' : 'is missing')
}

function invalidToken(what: string): IdTokenError {
  return new IdTokenError('invalid_response', `The ID token ${what}`)
}

/** Where a token comes from, as far as it says something about the token. */
interface Origin {
  readonly endpoint: string
  readonly email?: string | undefined
}
