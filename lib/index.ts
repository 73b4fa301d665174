/**
 * Google-signed OIDC ID tokens from a service-account key, on any runtime with `fetch` and `crypto.subtle`.
 *
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token'
 *
 * const audience = 'https://my-service-abc123-ew.a.run.app'
 * const token = await getIdToken({ credentials: env.GOOGLE_KEY, audience })
 * await fetch(audience, { headers: { authorization: `Bearer ${token}` } })
 * ```
 *
 * @module
 */
import { checkName, GOOGLE, invalidCredentials, readCredentials } from './internal/credentials.ts'
import { advice, IdTokenError } from './internal/errors.ts'
import { getToken } from './internal/flight.ts'
import type { CommonOptions } from './internal/options.ts'
import { form, send, timeAt } from './internal/request.ts'
import type { Attempt } from './internal/request.ts'
import { readServiceAccount, signJwt } from './internal/service-account.ts'
import type { ServiceAccountKey } from './internal/service-account.ts'

export { IdTokenError }
export type { CommonOptions, ServiceAccountKey }
export type { IdTokenErrorCode, IdTokenErrorDetails } from './internal/errors.ts'
export type { TokenStore, WaitUntil } from './internal/options.ts'
export type { Fetch } from './internal/request.ts'

/** What {@link getIdToken} takes. */
export interface GetIdTokenOptions extends CommonOptions {
  /**
   * The service-account key: the JSON file as an object or text, or base64 of it. Text that was escaped, quoted or
   * encoded on its way through an environment variable is read all the same.
   */
  credentials: ServiceAccountKey | string
}

/**
 * A Google-signed ID token for the audience, from memory where possible. At most one exchange per token is under way.
 *
 * @param options the key and the audience; the rest has defaults
 * @returns the token, a JWT that is good for at least 30 seconds, mostly for an hour
 * @throws {TypeError} an option is missing or of the wrong type
 * @throws {IdTokenError} everything else; see its `code`
 * @see https://developers.google.com/identity/protocols/oauth2/service-account
 * @see https://www.rfc-editor.org/rfc/rfc7523 (JWT bearer assertions)
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token'
 *
 * const token = await getIdToken({ credentials: env.GOOGLE_KEY, audience: 'https://my-service-abc123-ew.a.run.app' })
 * ```
 */
export async function getIdToken(options: GetIdTokenOptions): Promise<string> {
  const json = readCredentials(options.credentials)
  checkName(json, 'type', 'service_account')
  checkName(json, 'universe_domain', GOOGLE, 'Use gcp-id-token/impersonation')
  const account = readServiceAccount(json)
  const [email, , , tokenUri] = account
  const endpoint = tokenUri || ENDPOINT
  if (!ENDPOINTS.includes(endpoint) && !LOOPBACK.test(endpoint)) {
    throw invalidCredentials('have a foreign token_uri', `Use ${ENDPOINT}`)
  }

  /** Trades a signed assertion (RFC 7523 section 2.1) for an ID token. */
  const exchange = async (attempt: Attempt, audience: string): Promise<unknown> => {
    const assertion = await signJwt(account, { aud: endpoint, target_audience: audience }, timeAt(endpoint))
    attempt.secrets.push(assertion)
    const init = form({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion })
    return (await send(attempt, endpoint, init, hints)).json?.id_token
  }

  return getToken({ identity: account, endpoint, email, exchange }, options)
}

const ENDPOINT = 'https://oauth2.googleapis.com/token'
/** Google's token endpoint and its older names. Whoever is sent an assertion can use it, so it goes nowhere else. */
const ENDPOINTS = [
  ENDPOINT,
  'https://www.googleapis.com/oauth2/v4/token',
  'https://accounts.google.com/o/oauth2/token'
]
/** Where emulators are. */
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(\/\S*)?$/

/** What Google's refusals mostly come from. */
const hints = advice(
  [/ignature|verifier|not found|email|disabled/, 'Was the key or account deleted or disabled?'],
  [/timeframe/, 'Set the clock'],
  [/audience provided/, 'Check the audience']
)
