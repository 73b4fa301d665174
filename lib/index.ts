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
import { checkType, checkUniverse, GOOGLE, readCredentials } from './internal/credentials.ts'
import { IdTokenError } from './internal/errors.ts'
import { getToken } from './internal/flight.ts'
import { isUrl } from './internal/options.ts'
import type { CommonOptions } from './internal/options.ts'
import { form, sendForJson, timeAt } from './internal/request.ts'
import type { Attempt } from './internal/request.ts'
import { readServiceAccount, signJwt } from './internal/service-account.ts'
import type { ServiceAccount, ServiceAccountKey } from './internal/service-account.ts'

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
  checkType(json, 'service_account')
  checkUniverse(json, GOOGLE, 'Use gcp-id-token/impersonation')
  const account = readServiceAccount(json)
  const { identity, email, tokenUri } = account
  const endpoint = tokenUri ?? ENDPOINTS[0]
  checkEndpoint(endpoint)
  const exchange = (attempt: Attempt, audience: string) => exchangeAssertion(attempt, account, endpoint, audience)
  return getToken({ identity, endpoint, email, exchange }, options)
}

/** Google's token endpoint and its older names. Whoever is sent an assertion can use it, so it goes nowhere else. */
const ENDPOINTS = [
  'https://oauth2.googleapis.com/token',
  'https://www.googleapis.com/oauth2/v4/token',
  'https://accounts.google.com/o/oauth2/token'
] as const
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(\/\S*)?$/

function checkEndpoint(endpoint: string): void {
  if ((ENDPOINTS as readonly string[]).includes(endpoint) || (LOOPBACK.test(endpoint) && isUrl(endpoint))) return
  throw new IdTokenError('invalid_credentials', "token_uri in the credentials is none of Google's", {
    hint: `Expected ${ENDPOINTS[0]}`
  })
}

/** Trades a signed assertion (RFC 7523 section 2.1) for an ID token. */
async function exchangeAssertion(
  attempt: Attempt,
  account: ServiceAccount,
  endpoint: string,
  audience: string
): Promise<unknown> {
  const claims = { sub: account.email, aud: endpoint, target_audience: audience }
  const assertion = await signJwt(account, claims, timeAt(endpoint))
  attempt.secrets.push(assertion)
  const init = form({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion })
  const { id_token } = await sendForJson(attempt, endpoint, init, advise)
  return id_token
}

function advise(reason: string, description: string): string | undefined {
  return ADVICE.find(([sign]) => sign.test(`${reason} ${description}`))?.[1]
}

/** What Google's refusals mostly come from. */
const ADVICE: readonly [sign: RegExp, hint: string][] = [
  [/signature|verifier/i, 'The key was probably deleted or disabled: make a new one'],
  [/account not found|valid email/i, 'Was the service account deleted? Check client_email'],
  [/disabled_client/, 'Enable the service account and its key'],
  [/timeframe/, 'Set the clock of this machine'],
  [/audience provided/, 'Check the audience']
]
