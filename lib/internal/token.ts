import { textFromBase64 } from './base64.ts'
import { IdTokenError } from './errors.ts'
import { parseJson } from './json.ts'
import { timeAt } from './request.ts'

/** An ID token that was held against what was asked for. */
export interface Token extends Span {
  readonly text: string
  /** Seconds, as Google wrote them. */
  readonly exp: number
}

/** Milliseconds from a time by our own clock. */
export interface Span {
  readonly since: number
  readonly life: number
}

/** Less life than this, in milliseconds, and a token is not served: it must outlast the request that it is for. */
export const LEAST_LIFE = 30_000

/**
 * The ID token in an answer or a store, checked as to audience, account and time. Its signature is the receiver's to
 * check: here it comes straight from Google, or from a store that the app trusts.
 */
export function readToken(text: unknown, audience: string, { email, endpoint }: Origin): Token {
  const [token, payload = ''] = (typeof text === 'string' && /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(text)) || []
  const { aud, iat, exp, email: holder = email } = Object(parseJson(textFromBase64(payload)))
  // What is no finite number is left out, and then there is no end: objects may refuse to be counted with.
  const [begin, end] = [iat, exp].filter(Number.isFinite)
  const life = (end! - begin!) * 1000 // Google gives an hour, and tolerates 65 minutes
  const age = Math.max(timeAt(endpoint) - begin! * 1000, 0)
  const fault =
    !token ? 'is missing or not a JWT'
    : aud !== audience ? 'has another audience'
    : email && holder !== email ? 'has another account'
    : !(life > 0 && life <= 3_900_000) ? 'has a wrong iat or exp'
    : life - age < LEAST_LIFE && 'is too old'
  if (fault) throw new IdTokenError('invalid_response', `The ID token ${fault}`)
  return { text: token!, exp, life, since: Date.now() - age }
}

/** Where a token comes from, as far as it says something about the token. */
interface Origin {
  readonly endpoint: string
  readonly email?: string | undefined
}
