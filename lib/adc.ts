/**
 * Google-signed OIDC ID tokens from application default credentials, as far as they go without a file system: a
 * credential JSON of any type, or, when none is given, the metadata server.
 *
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token/adc'
 *
 * const token = await getIdToken({ audience: 'https://my-service-abc123-ew.a.run.app' })
 * ```
 *
 * @module
 */
import * as federation from './federation.ts'
import * as impersonation from './impersonation.ts'
import * as key from './index.ts'
import { readCredentials, unsupported } from './internal/credentials.ts'
import { IdTokenError } from './internal/errors.ts'
import { askMetadataServer } from './internal/metadata-server.ts'
import type { CommonOptions } from './internal/options.ts'

export { IdTokenError }
export type { CommonOptions }
export type { ExternalAccount, SubjectToken } from './federation.ts'
export type { ImpersonatedServiceAccount } from './impersonation.ts'
export type { ServiceAccountKey } from './index.ts'
export type { IdTokenErrorCode, IdTokenErrorDetails } from './internal/errors.ts'
export type { TokenStore, WaitUntil } from './internal/options.ts'
export type { Fetch } from './internal/request.ts'

/** What {@link getIdToken} takes. */
export interface GetIdTokenOptions extends CommonOptions {
  /**
   * A credential JSON of type `service_account`, `external_account` or `impersonated_service_account`, as an object,
   * text, or base64 of it. Leave the property away for the metadata server: `undefined` is taken for a secret that
   * is not bound, a `TypeError`.
   */
  credentials?: key.ServiceAccountKey | federation.ExternalAccount | impersonation.ImpersonatedServiceAccount | string
  /** For `external_account`: the platform's OIDC token, or a function that gives it. */
  subjectToken?: federation.SubjectToken
  /** For `external_account`: whose tokens a `subjectToken` function gives. Needed when there is a `store`. */
  identity?: string
}

/**
 * A Google-signed ID token from whatever credentials there are.
 *
 * @param options the audience, and credentials if there are any
 * @returns the token, a JWT that is good for at least 30 seconds
 * @throws {TypeError} an option is missing or of the wrong type
 * @throws {IdTokenError} everything else; see its `code`
 * @see https://cloud.google.com/docs/authentication/application-default-credentials
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token/adc'
 *
 * const token = await getIdToken({
 *   credentials: env.GOOGLE_CREDENTIALS,
 *   audience: 'https://my-service-abc123-ew.a.run.app'
 * })
 * ```
 */
export async function getIdToken(options: GetIdTokenOptions): Promise<string> {
  if (!('credentials' in options)) return askMetadataServer(options, 'No credentials were given. ')
  const { type } = readCredentials(options.credentials)
  if (type === 'authorized_user') {
    throw unsupported(
      'of type authorized_user',
      'Use gcloud auth application-default login --impersonate-service-account=EMAIL'
    )
  }
  if (type === 'external_account') return federation.getIdToken(options as federation.GetIdTokenOptions)
  if (type === 'impersonated_service_account') {
    return impersonation.getIdToken(options as impersonation.GetIdTokenOptions)
  }
  return key.getIdToken(options as key.GetIdTokenOptions) // which refuses all other types
}
