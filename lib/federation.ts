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
import { getTokenOf, readAccount, readOrigin } from './internal/iam.ts'
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
  /** Google's STS endpoint; only its host, held against Google's own, is used. Default: `sts.googleapis.com`. */
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
  const { provider: named, credentials, universeDomain, subjectToken, identity, store } = options
  const isRight = named === undefined || (isText(named, PROVIDER) && !credentials)
  check(isRight, 'provider', 'projects/NUMBER/..., without credentials')
  const json = named
    ? { audience: named.replace(PROVIDER, '//iam.googleapis.com/$3'), universe_domain: universeDomain }
    : readCredentials(credentials)
  checkName(json, 'type', 'external_account')
  const [provider, tokenType] = readFields(json, ['audience', 'subject_token_type'], 1) as [string, string]
  const account = readAccount(json, options)
  const stsUrl = `${readOrigin(json, 'token_url', 'sts', account.universe)}/v1/token`

  const { credential_source: source } = json as CredentialJson
  if (!subjectToken && source) {
    // The first field tells what it is; of AWS, that is `"environment_id": "aws1"`.
    const kind = /"(aws|executable|file|url)/.exec(JSON.stringify(source))?.[1] ?? 'unknown'
    throw unsupported(`of credential_source ${kind}`, 'Pass subjectToken')
  }
  const isFunction = typeof subjectToken === 'function'
  check(isFunction || isText(subjectToken), 'subjectToken', TOKEN_KIND)
  const isKnown = identity === undefined ? !store || !isFunction : isText(identity)
  check(isKnown, 'identity', 'a text where there is a store')

  async function get(attempt: Attempt): Promise<unknown> {
    let token: unknown = subjectToken
    try {
      // Providers take their own name as audience, with or without "https:"; platforms mostly want a URL.
      if (isFunction) token = await subjectToken(`https:${provider}`)
    } catch (error: any) {
      throw new IdTokenError('unavailable', `subjectToken failed: ${redact(error?.message ?? error, attempt.secrets)}`)
    }
    check(isText(token), 'subjectToken', TOKEN_KIND)
    attempt.secrets.push(token)
    const init = form({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      audience: provider,
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      subject_token_type: tokenType || 'urn:ietf:params:oauth:token-type:jwt',
      subject_token: token
    })
    return (await send(attempt, stsUrl, init, hints)).json?.access_token
  }

  const whose = [stsUrl, provider, tokenType, identity, isFunction ? undefined : subjectToken]
  return getTokenOf(account, { identity: whose, get }, options)
}

/** The number of a project, and the names of a pool and of a provider in it. */
const PROVIDER = /^((https:)?\/\/iam\.googleapis\.com\/)?(projects\/\d+\/[\w/-]+\/providers\/[\w-]+)$/
const TOKEN_KIND = 'a text or a function that gives one'

/** What STS's refusals mostly come from. */
const hints = advice(
  [/stale/, 'Pass subjectToken as a function'],
  [/audience/, 'Check the provider and its allowed audiences']
)
