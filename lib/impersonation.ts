/**
 * Google-signed OIDC ID tokens of another service account than the one whose key is at hand; also the road outside
 * of `googleapis.com`, where the token endpoint gives none.
 *
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token/impersonation'
 *
 * const token = await getIdToken({
 *   credentials: env.GOOGLE_KEY,
 *   serviceAccount: 'caller@my-project.iam.gserviceaccount.com',
 *   audience: 'https://my-service-abc123-ew.a.run.app'
 * })
 * ```
 *
 * @module
 */
import { checkName, invalidCredentials, readCredentials, readFields } from './internal/credentials.ts'
import type { CredentialJson } from './internal/credentials.ts'
import { IdTokenError } from './internal/errors.ts'
import { getTokenOf, readAccount, readUniverse, RESOURCE } from './internal/iam.ts'
import type { Bearer } from './internal/iam.ts'
import { check, isEmail } from './internal/options.ts'
import type { CommonOptions } from './internal/options.ts'
import { form, send, timeAt } from './internal/request.ts'
import { readServiceAccount, signJwt } from './internal/service-account.ts'
import type { ServiceAccountKey } from './internal/service-account.ts'

export { IdTokenError }
export type { CommonOptions, ServiceAccountKey }
export type { IdTokenErrorCode, IdTokenErrorDetails } from './internal/errors.ts'
export type { TokenStore, WaitUntil } from './internal/options.ts'
export type { Fetch } from './internal/request.ts'

/** What `gcloud auth application-default login --impersonate-service-account=EMAIL` writes. */
export interface ImpersonatedServiceAccount {
  /** What makes it one. */
  type: 'impersonated_service_account'
  /** Names the account to act as; only its host, held against Google's own, and the email are used. */
  service_account_impersonation_url: string
  /** Emails or resource names of the accounts in between. */
  delegates?: string[]
  /** A service-account key, or an `authorized_user`. */
  source_credentials: { [field: string]: unknown }
  /** `googleapis.com`, where present. */
  universe_domain?: string
}

/** What {@link getIdToken} takes. */
export interface GetIdTokenOptions extends CommonOptions {
  /** A service-account key, or gcloud's impersonation JSON: as an object, text, or base64 of it. */
  credentials: ServiceAccountKey | ImpersonatedServiceAccount | string
  /** The email of the account to act as. Required with a key; gcloud's JSON names it itself. */
  serviceAccount?: string
  /** Emails of the accounts in between, each of which may create tokens of the next. Default: the JSON's, or none. */
  delegates?: string[]
  /** Whether the token names the account's email, which Cloud Run needs to know the caller by. Default: `true`. */
  includeEmail?: boolean
  /** The universe to go to, if it is not `googleapis.com`; the credentials must say the same. */
  universeDomain?: string
}

/**
 * A Google-signed ID token of the service account that the credentials may act as.
 *
 * @param options credentials, audience, and the account to act as
 * @returns the token, a JWT that is good for at least 30 seconds
 * @throws {TypeError} an option is missing or of the wrong type
 * @throws {IdTokenError} everything else; see its `code`
 * @see https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token/impersonation'
 *
 * const token = await getIdToken({
 *   credentials: env.GOOGLE_KEY,
 *   serviceAccount: 'caller@my-project.iam.gserviceaccount.com',
 *   audience: 'https://my-service-abc123-ew.a.run.app'
 * })
 * ```
 */
export async function getIdToken(options: GetIdTokenOptions): Promise<string> {
  const json = readCredentials(options.credentials)
  const { delegates = readDelegates(json), includeEmail = true } = options
  check(isEmails(delegates), 'delegates', 'emails')
  check(typeof includeEmail === 'boolean', 'includeEmail', 'a boolean')
  const isFromGcloud = json.type === 'impersonated_service_account'
  const source = (isFromGcloud ? json.source_credentials : json) as CredentialJson | undefined
  if (!source) throw invalidCredentials('lack source_credentials')
  const isUser = isFromGcloud && source.type === 'authorized_user'
  if (!isUser) checkName(source, 'type', 'service_account')
  const account = readAccount(json, options)
  readUniverse(source, account.universe)
  const bearer = isUser ? byLogin(source) : byKey(source, account.url)
  return getTokenOf(account, bearer, options, delegates, includeEmail)
}

/** Emails, in order, out of their resource names as gcloud writes them. */
function readDelegates({ delegates }: any): readonly string[] {
  const emails = (delegates || []).map?.((name: any) => name?.replace?.(RESOURCE, ''))
  if (isEmails(emails)) return emails
  throw invalidCredentials('lack delegates as emails')
}

const isEmails = (list: any): list is string[] => list?.every?.(isEmail)

/** The bearer is what a key has signed for itself. */
function byKey(source: CredentialJson, url: string): Bearer {
  const account = readServiceAccount(source)
  const claims = { scope: 'https://www.googleapis.com/auth/iam' }
  return { identity: account, get: () => signJwt(account, claims, timeAt(url)) }
}

/** The bearer is what the refresh token of a user is traded for. */
function byLogin(source: CredentialJson): Bearer {
  const identity = readFields(source, ['client_id', 'client_secret', 'refresh_token'])
  const [client_id, client_secret, refresh_token] = identity as [string, string, string]
  return {
    identity,
    async get(attempt) {
      attempt.secrets.push(client_secret, refresh_token)
      const init = form({ grant_type: 'refresh_token', client_id, client_secret, refresh_token })
      return (await send(attempt, 'https://oauth2.googleapis.com/token', init)).json?.access_token
    }
  }
}
