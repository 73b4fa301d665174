/**
 * What went wrong, as a word that code can rely on.
 *
 * - `invalid_credentials`: the credentials are malformed or lack a field.
 * - `unsupported_credentials`: credentials of another type or universe; the message names the entry for them.
 * - `invalid_key`: the private key is unusable; the message names the shape that was found.
 * - `rejected`: Google said a permanent no.
 * - `invalid_response`: an answer outside the contract, which is never served.
 * - `timeout`: no attempt was answered in time. Worth trying again later.
 * - `unavailable`: transient faults outlasted the retries, the network failed, or a `subjectToken` function did. Worth
 *   trying again later.
 */
export type IdTokenErrorCode =
  | 'invalid_credentials'
  | 'unsupported_credentials'
  | 'invalid_key'
  | 'rejected'
  | 'invalid_response'
  | 'timeout'
  | 'unavailable'

/** What an {@link IdTokenError} knows beyond its code and message. */
export interface IdTokenErrorDetails {
  /** The HTTP status of the answer, where there was one. */
  status?: number | undefined
  /** Google's own word for it, such as `invalid_grant` or `PERMISSION_DENIED`. */
  reason?: string | undefined
  /** Google's own sentence. `***` stands for what looks like a token, or for all of it where it quotes a secret. */
  description?: string | undefined
  /** What the reader should do. It ends the message, too. */
  hint?: string | undefined
}

/**
 * Every failure that is not a caller's mistake (those are native `TypeError`s).
 *
 * Look at `name` and `code` rather than at `instanceof`: an app may hold two copies of this package.
 * No property, nor `stack`, holds key bytes, an assertion or a token.
 *
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token'
 *
 * try {
 *   await getIdToken({ credentials: '{}', audience: 'https://my-service.a.run.app' })
 * } catch (error) {
 *   console.log(error.name, error.code) //=> IdTokenError invalid_credentials
 * }
 * ```
 */
export class IdTokenError extends Error {
  /** `IdTokenError`: a literal, because a minifier renames the class and with it `this.constructor.name`. */
  override name = 'IdTokenError'
  /** What went wrong, see {@link IdTokenErrorCode}. */
  declare readonly code: IdTokenErrorCode
  /** The HTTP status of the answer, where there was one. */
  declare readonly status?: number
  /** Google's own word for it, such as `invalid_grant` or `PERMISSION_DENIED`. */
  declare readonly reason?: string
  /** Google's own sentence. `***` stands for what looks like a token, or for all of it where it quotes a secret. */
  declare readonly description?: string
  /** What the reader should do. */
  declare readonly hint?: string

  /** Made by this package; apps only catch it. */
  constructor(code: IdTokenErrorCode, message: string, details: IdTokenErrorDetails = {}) {
    super(details.hint ? `${message} - ${details.hint}` : message)
    for (const [name, value] of Object.entries({ code, ...details })) {
      if (value) (this as any)[name] = value
    }
  }
}

/**
 * What is said elsewhere, fit for an error: one line, short, without anything JWT-shaped, since Google is known to
 * echo assertions (`Invalid signature for token: <jwt>`). What has 12 characters in a row of any of the `secrets` is
 * not shown at all.
 */
export function redact(said: unknown, secrets: readonly string[]): string {
  if (typeof said !== 'string') return ''
  const text = said.slice(0, 300).replace(/[\s\p{C}]+/gu, ' ').replace(/eyJ[\w.-]{9,}/g, '***').trim()
  for (let end = 12; end <= text.length; end++) {
    if (secrets.some((secret) => secret.includes(text.slice(end - 12, end)))) return '***'
  }
  return text
}

/** What to do about faults, by what is said of them: the first that fits. */
export const advice = (...rules: readonly (readonly [sign: RegExp, hint: string])[]) =>
  (said: string): string | undefined => rules.find(([sign]) => sign.test(said))?.[1]
