import { advice, IdTokenError } from './errors.ts'
import { getToken } from './flight.ts'
import { check, isEmail } from './options.ts'
import type { CommonOptions } from './options.ts'
import { send } from './request.ts'
import type { Attempt } from './request.ts'
import { isText } from './text.ts'

/** What `getIdToken` takes. */
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

/** An ID token of the metadata server's; what goes wrong begins with the `lead`, if it is not the caller's mistake. */
export async function askMetadataServer(options: GetIdTokenOptions, lead = ''): Promise<string> {
  const { serviceAccount = 'default', host = 'metadata.google.internal', format, licenses } = options
  // What goes into the URL is held to characters that need no escaping there.
  const isDefault = serviceAccount === 'default'
  check(isDefault || isEmail(serviceAccount), 'serviceAccount', 'the email of an account')
  check(isText(host, /^([\w.-]+|\[[\w:]+\])(:\d+)?$/), 'host', 'a host or host:port')
  check(!format || format === 'full' || format === 'standard', 'format', '"standard" or "full"')
  check(!licenses || licenses === true, 'licenses', 'a boolean')
  const endpoint = `http://${host}/computeMetadata/v1/instance/service-accounts/${serviceAccount}/identity`
  let question = `${endpoint}?`
  if (format) question += `format=${format}&`
  if (licenses) question += 'licenses=TRUE&'
  const silence = `No metadata server answers at ${host}: is this running on Google Cloud?`

  async function exchange(attempt: Attempt, audience: string): Promise<string> {
    const url = question + new URLSearchParams({ audience })
    const init = { headers: { 'metadata-flavor': 'Google' } }
    const { headers, text } = await send(attempt, url, init, hints)
    if (headers.get('metadata-flavor') === 'Google') return text.trim()
    throw new IdTokenError('invalid_response', silence) // of some other server that has the address
  }

  const email = isDefault ? undefined : serviceAccount
  const source = { identity: [question], endpoint, email, repeats: true, exchange }
  return getToken(source, options).catch((error) => {
    if (options.signal?.aborted || !(error instanceof IdTokenError)) throw error
    const isSilent = !error.status && error.code !== 'invalid_response'
    // Another one, since those who wait for the same token share the first.
    throw Object.assign(new IdTokenError(error.code, lead + (isSilent ? silence : error.message)), error)
  })
}

/** What a 404 mostly comes of; GKE tells of one of IAM in its own words. */
const hints = advice([/ 404/, 'Is a service account attached here, on Google Cloud?'])
