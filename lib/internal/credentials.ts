import { textFromBase64 } from './base64.ts'
import { advice, IdTokenError } from './errors.ts'
import { parseJson } from './json.ts'
import { check } from './options.ts'
import { remember } from './remember.ts'

/** A credential JSON of any type, before anybody looked at its fields. */
export type CredentialJson = { readonly [field: string]: unknown }

/**
 * The credential JSON out of whatever wrapping it survived an environment variable in: an object, JSON text,
 * that stringified again or escaped, in quotes, with raw newlines in its strings (dotenv), or base64 of any of these.
 */
export function readCredentials(credentials: unknown): CredentialJson {
  if (typeof credentials === 'object' && credentials) return credentials as CredentialJson
  check(typeof credentials === 'string' && credentials.trim(), 'credentials', 'set: is the secret bound?')
  return remember(known, credentials, known.get(credentials) ?? unwrap(credentials))
}

/** The named fields, all or the first few of them required, as texts; what is amiss is an error that names them. */
export function readFields(
  json: CredentialJson,
  fields: readonly string[],
  required: number = fields.length
): string[] {
  const lacking = fields.filter((field, i) => !json[field] ? i < required : typeof json[field] !== 'string')
  if (lacking.length) throw invalidCredentials(`lack ${lacking.join(' and ')}`)
  return fields.map((field) => json[field] || '') as string[]
}

/** Refuses credentials whose `type` or `universe_domain` is another one, and says what takes them. */
export function checkName(json: CredentialJson, field: string, expected: string, hint?: string): void {
  const found = json[field] ?? expected
  if (found === expected) return
  // By mistake, a field may hold anything: only what looks like a name is shown.
  const name = typeof found === 'string' && /^[a-z\d_.-]{1,60}$/.test(found) ? found : 'unknown'
  throw unsupported(`of ${field} ${name}, not ${expected}`, hint ?? entryFor(name))
}

/** Credentials that are not for this entry. */
export const unsupported = (what: string, hint?: string): IdTokenError =>
  new IdTokenError('unsupported_credentials', `credentials are ${what}`, { hint })

/** Credentials that are broken. */
export const invalidCredentials = (what: string, hint = 'Use the JSON file as it came'): IdTokenError =>
  new IdTokenError('invalid_credentials', `credentials ${what}`, { hint })

/** The universe that is meant when none is named. */
export const GOOGLE = 'googleapis.com'

/** Text that was unwrapped before: no request should pay for it again. */
const known = new Map<string, CredentialJson>()

/** The entry that takes credentials of a type. */
const entryFor = advice(
  [/external/, 'Use gcp-id-token/federation'],
  [/impersonated/, 'Use gcp-id-token/impersonation'],
  [/^/, 'Use gcp-id-token with a service-account key']
)

function unwrap(credentials: string): CredentialJson {
  const { length } = credentials
  let text = credentials
  // More than JSON in quotes in base64 in quotes, or than 64 KiB, is no accident.
  for (let wrapping = 0; wrapping < 5 && length <= 65_536; wrapping++) {
    const begin = text.indexOf('{')
    if (begin < 0) {
      if (text.includes('-----BEGIN')) throw invalidCredentials('are a PEM block, not JSON')
      text = textFromBase64(text)
      continue
    }
    // Strings of JSON have no raw line breaks, but dotenv makes some of `\n`. Keys are read with blanks in their place.
    text = text.slice(begin, text.lastIndexOf('}') + 1).replace(/[\n\r\t]/g, ' ')
    // Its lines may have been escaped, too.
    const json = parseJson(text) ?? parseJson(text.replace(/\\[nr]/g, ' '))
    if (json) return json
    // Perhaps it is the inside of a string.
    text = parseJson(`"${text}"`) ?? ''
  }
  throw invalidCredentials(`of ${length} characters are neither JSON nor base64 of it: cut short or over 64 KiB?`)
}
