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
import { getToken } from './internal/flight.ts'
import type { CommonOptions } from './internal/options.ts'
import { check, isEmail } from './internal/options.ts'
import { send } from './internal/request.ts'
import type { Attempt } from './internal/request.ts'
import { isText, parseUrl } from './internal/text.ts'

export { IdTokenError }
export type { CommonOptions }
export type { IdTokenErrorCode, IdTokenErrorDetails } from './internal/errors.ts'
export type { TokenStore, WaitUntil } from './internal/options.ts'
export type { Fetch } from './internal/request.ts'

/** What {@link getIdToken} takes. */
export interface GetIdTokenOptions extends CommonOptions {
  /** The email of an account that is attached here. Default: `default`. */
  serviceAccount?: string
  /** Host, with port if need be, of the metadata server or its emulator. Default: `metadata.google.internal`. */
  host?: string
  /** `full` adds facts about the virtual machine to the token. Default: the server's, `standard`. */
  format?: 'standard' | 'full'
  /** With `format: 'full'`, adds the licences of the machine's images. Default: `false`. */
  licenses?: boolean
}

/**
 * A Google-signed ID token of the service account that this code runs as.
 *
 * @param options the audience; the rest has defaults
 * @returns the token, a JWT that is good for at least 30 seconds
 * @throws {TypeError} an option is missing or of the wrong type
 * @throws {IdTokenError} everything else; `unavailable` off Google Cloud
 * @see https://cloud.google.com/compute/docs/instances/verifying-instance-identity
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token/metadata'
 *
 * const token = await getIdToken({ audience: 'https://my-service-abc123-ew.a.run.app' })
 * ```
 */
export async function getIdToken(options: GetIdTokenOptions): Promise<string> {
  const { serviceAccount = 'default', host = 'metadata.google.internal', format, licenses } = options
  // What goes into the URL is held to characters that need no escaping there.
  const isDefault = serviceAccount === 'default'
  check(isDefault || isEmail(serviceAccount), 'serviceAccount', 'the email of an account')
  check(isText(host, HOST) && parseUrl(`http://${host}`), 'host', 'a host or host:port')
  check(!format || format === 'full' || format === 'standard', 'format', '"standard" or "full"')
  check(!licenses || licenses === true, 'licenses', 'true or false')
  const endpoint = `http://${host}/computeMetadata/v1/instance/service-accounts/${serviceAccount}/identity`
  let question = `${endpoint}?`
  if (format) question += `format=${format}&`
  if (licenses) question += 'licenses=TRUE&'
  const silence = `No metadata server answers at ${host}: is this running on Google Cloud?`

  async function exchange(attempt: Attempt, audience: string): Promise<string> {
    const url = question + new URLSearchParams({ audience })
    const init = { method: 'GET', headers: { 'metadata-flavor': 'Google' } }
    const answer = await send(attempt, url, init, (_message, response) => {
      if (!isGenuine(response)) return silence
      if (response.status === 404) return 'No such service account is attached here'
    })
    if (isGenuine(answer)) return answer.text.trim()
    throw new IdTokenError('invalid_response', silence)
  }

  const email = isDefault ? undefined : serviceAccount
  const source = { identity: [question], endpoint, email, repeats: true, exchange }
  return getToken(source, options).catch((error) => explain(error, silence, options))
}

const HOST = /^([\w.-]+|\[[\da-f:]+\])(:\d+)?$/i

function explain(error: unknown, silence: string, { signal }: CommonOptions): never {
  const { code, status } = Object(error)
  const isSilent = !status && (code === 'timeout' || code === 'unavailable')
  if (!isSilent || signal?.aborted) throw error
  throw new IdTokenError(code, silence)
}

/** What lacks the header is some other server that has the address. */
function isGenuine({ headers }: { headers: Headers }): boolean {
  return headers.get('metadata-flavor') === 'Google'
}
