/**
 * Google-signed OIDC ID tokens without a key: by workload identity federation, from the OIDC token that Vercel, Deno
 * Deploy, GitHub Actions and others give to what runs there.
 *
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token/federation'
 * import { getVercelOidcToken } from '@vercel/oidc'
 *
 * const token = await getIdToken({
 *   provider: 'projects/123456789012/locations/global/workloadIdentityPools/vercel/providers/vercel',
 *   serviceAccount: 'caller@my-project.iam.gserviceaccount.com',
 *   subjectToken: () => getVercelOidcToken(),
 *   audience: 'https://my-service-abc123-ew.a.run.app'
 * })
 * ```
 *
 * @module
 */
import { checkName, readCredentials, readFields, unsupported } from './internal/credentials.ts'
import type { CredentialJson } from './internal/credentials.ts'
import { advice, IdTokenError, redact } from './internal/errors.ts'
import { getTokenOf, readAccount, readGoogleUrl } from './internal/iam.ts'
import { check } from './internal/options.ts'
import type { CommonOptions } from './internal/options.ts'
import { form, send } from './internal/request.ts'
import type { Attempt } from './internal/request.ts'
import { isText } from './internal/text.ts'

export { IdTokenError }
export type { CommonOptions }
export type { IdTokenErrorCode, IdTokenErrorDetails } from './internal/errors.ts'
export type { TokenStore, WaitUntil } from './internal/options.ts'
export type { Fetch } from './internal/request.ts'

/** The OIDC token of the platform: a text, or a function that is asked for it at each exchange. */
export type SubjectToken = string | ((providerAudience: string) => string | Promise<string>)

/** The fields of an `external_account` JSON that matter here. */
export interface ExternalAccount {
  /** What makes it one. */
  type: 'external_account'
  /** The provider's full resource name, `//iam.googleapis.com/projects/…`. */
  audience: string
  /** Default: `urn:ietf:params:oauth:token-type:jwt`. */
  subject_token_type?: string
  /** Google's STS endpoint, held against its patterns. Default: `https://sts.googleapis.com/v1/token`. */
  token_url?: string
  /** Names the service account; only its host, held against Google's own, and the email are used. */
  service_account_impersonation_url?: string
  /** Never acted on: pass `subjectToken`. */
  credential_source?: object
  /** `googleapis.com`, where present. */
  universe_domain?: string
}

/** What {@link getIdToken} takes. */
export interface GetIdTokenOptions extends CommonOptions {
  /** The provider: `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`, or its URL. */
  provider?: string
  /** Instead of `provider`: the `external_account` JSON as an object, text, or base64 of it. */
  credentials?: ExternalAccount | string
  /** The email of the account to act as. Required with `provider`; the JSON mostly names it itself. */
  serviceAccount?: string
  /**
   * The platform's OIDC token, or a function that gives it. The function is handed the audience that the provider
   * accepts by default (`https://iam.googleapis.com/projects/…`), and its token is never kept. What it throws makes
   * the call `unavailable`; what is no text is a `TypeError`.
   */
  subjectToken: SubjectToken
  /**
   * Whose tokens a `subjectToken` function gives. Needed when there is a `store`, or when the function stands for
   * several identities; else a function stands for the deployment's own.
   */
  identity?: string
  /** The universe to go to, if it is not `googleapis.com`; the credentials must say the same. */
  universeDomain?: string
}

/**
 * A Google-signed ID token of the service account that the platform's identity may act as. Two requests: the subject
 * token is exchanged at STS, and what comes of it asks for the ID token.
 *
 * @param options provider or credentials, subject token, audience
 * @returns the token, a JWT that is good for at least 30 seconds
 * @throws {TypeError} an option is missing or of the wrong type
 * @throws {IdTokenError} everything else; see its `code`
 * @see https://cloud.google.com/iam/docs/workload-identity-federation
 * @see https://www.rfc-editor.org/rfc/rfc8693 (token exchange)
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token/federation'
 * import { getVercelOidcToken } from '@vercel/oidc'
 *
 * const token = await getIdToken({
 *   provider: 'projects/123456789012/locations/global/workloadIdentityPools/vercel/providers/vercel',
 *   serviceAccount: 'caller@my-project.iam.gserviceaccount.com',
 *   subjectToken: () => getVercelOidcToken(),
 *   audience: 'https://my-service-abc123-ew.a.run.app'
 * })
 * ```
 */
export async function getIdToken(options: GetIdTokenOptions): Promise<string> {
  const { subjectToken, identity = '', store } = options
  const json = readJson(options)
  const [provider = '', tokenType] = readFields(json, ['audience', 'subject_token_type'], 1)
  const account = readAccount(json, options)
  const [stsUrl] = readGoogleUrl(json, 'token_url', 'sts', account.universe, '/v1/token')

  const { credential_source: source } = json
  if (!subjectToken && source) {
    throw unsupported(`for a token from ${kindOf(Object(source))}`, 'Pass subjectToken')
  }
  const isFunction = typeof subjectToken === 'function'
  check(isFunction || isText(subjectToken), 'subjectToken', TOKEN_KIND)
  const isOptional = identity === '' && !(isFunction && store)
  check(isOptional || isText(identity), 'identity', 'a text where a subjectToken function meets a store')

  async function get(attempt: Attempt): Promise<unknown> {
    const init = form({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      audience: provider,
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      subject_token_type: tokenType || 'urn:ietf:params:oauth:token-type:jwt',
      subject_token: await getSubjectToken(attempt, subjectToken, provider)
    })
    const { json } = await send(attempt, stsUrl!, init, hints)
    return json?.access_token
  }

  const whose = [stsUrl, provider, tokenType, identity, isFunction ? undefined : subjectToken]
  return getTokenOf(account, { identity: whose, get }, options)
}

/** Pools and providers have names of small letters, digits and dashes. */
const PROVIDER =
  /^((https:)?\/\/iam\.googleapis\.com\/)?(projects\/\d+\/locations\/global\/workloadIdentityPools\/[\w-]+\/providers\/[\w-]+)$/
const TOKEN_KIND = 'a text that is not empty, or a function that gives one'

/** The credentials that were given, or such as `provider` makes. */
function readJson(options: GetIdTokenOptions): CredentialJson {
  const { provider, credentials, universeDomain } = options
  if (provider !== undefined || !('credentials' in options)) {
    const isRight = isText(provider, PROVIDER) && credentials === undefined
    check(isRight, 'provider', 'projects/NUMBER/.../providers/PROVIDER, without credentials')
    return { audience: provider.replace(PROVIDER, '//iam.googleapis.com/$3'), universe_domain: universeDomain }
  }
  const json = readCredentials(credentials)
  checkName(json, 'type', 'external_account')
  return json
}

/** What a `credential_source` is, by the field that it has; that of AWS has a url, too. */
function kindOf(source: object): string {
  if ('environment_id' in source) return 'aws'
  return ['executable', 'file', 'url'].find((field) => field in source) ?? 'elsewhere'
}

/** The subject token, which no error may show from now on; a function is asked for it each time. */
async function getSubjectToken(attempt: Attempt, subjectToken: SubjectToken, provider: string): Promise<string> {
  let token: unknown = subjectToken
  try {
    // Providers take their own name as audience, with or without "https:"; platforms mostly want a URL.
    if (typeof subjectToken === 'function') token = await subjectToken(provider.replace(/^\/\//, 'https://'))
  } catch (error) {
    const said = (error as Error | undefined)?.message ?? error
    const quote = isText(said) ? `: ${redact(said, attempt.secrets)}` : ''
    throw new IdTokenError('unavailable', `subjectToken failed${quote}`)
  }
  check(isText(token), 'subjectToken', TOKEN_KIND)
  attempt.secrets.push(token)
  return token
}

/** What STS's refusals mostly come from. */
const hints = advice(
  [/stale/, 'Pass subjectToken as a function'],
  [/audience|condition/, "Check the provider's allowed audiences and attribute condition"]
)
