/**
 * Google-signed OIDC ID tokens from the Compute metadata server: for code on Cloud Run, Cloud Functions, GCE, GKE.
 *
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token/metadata'
 *
 * const token = await getIdToken({ audience: 'https://my-service-abc123-ew.a.run.app' })
 * ```
 *
 * @module
 */
import { IdTokenError } from './internal/errors.ts'
import { askMetadataServer } from './internal/metadata-server.ts'
import type { GetIdTokenOptions } from './internal/metadata-server.ts'
import type { CommonOptions } from './internal/options.ts'

export { IdTokenError }
export type { CommonOptions, GetIdTokenOptions }
export type { IdTokenErrorCode, IdTokenErrorDetails } from './internal/errors.ts'
export type { TokenStore, WaitUntil } from './internal/options.ts'
export type { Fetch } from './internal/request.ts'

/**
 * A Google-signed ID token of the service account that this code runs as.
 *
 * @param options the audience; the rest has defaults
 * @returns the token, a JWT that is good for at least 30 seconds
 * @throws {TypeError} an option is missing or of the wrong type
 * @throws {IdTokenError} everything else; off Google Cloud mostly `unavailable` or `timeout`
 * @see https://cloud.google.com/compute/docs/instances/verifying-instance-identity
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token/metadata'
 *
 * const token = await getIdToken({ audience: 'https://my-service-abc123-ew.a.run.app' })
 * ```
 */
export async function getIdToken(options: GetIdTokenOptions): Promise<string> {
  return askMetadataServer(options)
}
