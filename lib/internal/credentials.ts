import { textFromBase64 } from './base64.ts'
import { IdTokenError } from './errors.ts'
import { Table } from './table.ts'

/** A credential JSON of any type, before anybody looked at its fields. */
export type CredentialJson = { readonly [field: string]: unknown }

/**
 * The credential JSON out of whatever wrapping it survived an environment variable in: an object, JSON text,
 * that stringified again, in quotes, with raw newlines in its strings (dotenv), or base64 of any of these.
 */
export function readCredentials(credentials: unknown): CredentialJson {
  if (typeof credentials === 'object' && credentials) return credentials as CredentialJson
  if (typeof credentials !== 'string' || !credentials.trim()) {
    const found = typeof (credentials ?? undefined)
    throw new TypeError(`credentials are ${found === 'string' ? 'empty' : found}, not the JSON of a key: is the secret bound?`)
  }
  let json = known.get(credentials)
  if (!json) known.set(credentials, (json = unwrap(credentials)))
  return json
}

/** The named fields as texts, each checked; a missing one of `required` is an error that names it. */
export function readFields<Required extends string, Optional extends string = never>(
  json: CredentialJson,
  required: readonly Required[],
  optional: readonly Optional[] = []
): { [field in Required]: string } & { [field in Optional]?: string | null } {
  const missing = required.filter((field) => (json[field] ?? '') === '')
  if (missing.length) throw invalidCredentials(`lack ${missing.join(' and ')}`)
  const wrong = [...required, ...optional].find((field) => typeof (json[field] ?? '') !== 'string')
  if (wrong) throw invalidCredentials(`have a ${wrong} that is no text`)
  return json as ReturnType<typeof readFields<Required, Optional>>
}

/** Refuses credentials of another `type`, and names the entry that takes them. */
export function checkType({ type }: CredentialJson, expected: string): void {
  if (type == null || type === expected) return
  const entry = ENTRIES.get(type)
  // Only a type that is known is shown: by mistake, a field may hold anything.
  throw unsupported(entry ? `of type ${type}` : `not of type ${expected}`, `Use ${entry ?? 'a service-account key'}`)
}

/** Refuses credentials of another universe, such as a sovereign cloud. */
export function checkUniverse({ universe_domain }: CredentialJson, universe: string, hint: string): void {
  const found = universe_domain ?? GOOGLE
  if (found === universe) return
  const name = typeof found === 'string' && /^[a-z\d.-]{1,60}$/.test(found) ? found : 'of another name'
  throw unsupported(`for the universe ${name}`, hint)
}

/** Credentials that are not for this entry. */
export function unsupported(what: string, hint: string): IdTokenError {
  return new IdTokenError('unsupported_credentials', `credentials are ${what}`, { hint })
}

/** The universe that is meant when none is named. */
export const GOOGLE = 'googleapis.com'

const ENTRIES = new Map<unknown, string>([
  ['service_account', 'gcp-id-token'],
  ['external_account', 'gcp-id-token/federation'],
  ['impersonated_service_account', 'gcp-id-token/impersonation'],
  [
    'authorized_user',
    'gcp-id-token/impersonation and "gcloud auth application-default login --impersonate-service-account=EMAIL"'
  ]
])
const LONGEST_TEXT = 65_536
/** JSON in quotes in base64 in quotes: more than that is no accident. */
const MOST_WRAPPINGS = 5
/** Text that was unwrapped before: no request should pay for it again. */
const known = new Table<CredentialJson>()

function unwrap(text: string): CredentialJson {
  for (let wrapping = 0; wrapping < MOST_WRAPPINGS; wrapping++) {
    if (text.length > LONGEST_TEXT) throw invalidCredentials('are longer than 64 KiB')
    text = text.trim() // takes a byte order mark, too
    if (text.startsWith('{')) return parseObject(text)
    if (/^["']/.test(text)) text = unquote(text)
    else if (text.includes('-----BEGIN')) {
      throw invalidCredentials('are only a PEM block', 'Use the whole JSON file, or { client_email, private_key }')
    } else text = textFromBase64(text) ?? ''
  }
  throw invalidCredentials('are neither JSON nor base64 of it')
}

function parseObject(text: string): CredentialJson {
  const json = tryParse(text) ?? tryParse(escapeBreaks(text))
  if (json) return json as CredentialJson
  throw invalidCredentials(`are ${text.includes('}') ? 'not valid JSON' : `JSON cut short after ${text.length} characters`}`)
}

/** Without the error of JSON.parse, which quotes what it read. */
function tryParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {}
}

/** Raw line breaks and tabs inside strings, as dotenv makes them of `\n`, become what JSON allows. */
function escapeBreaks(text: string): string {
  let inString = false
  return text.replace(/\\.|["\n\r\t]/gs, (found) => {
    if (found === '"') inString = !inString
    return inString && found < ' ' ? '\\n' : found
  })
}

function unquote(text: string): string {
  const inner = tryParse(text)
  return typeof inner === 'string' ? inner : text.slice(1, -1)
}

/** Credentials that are broken. */
export function invalidCredentials(what: string, hint?: string): IdTokenError {
  return new IdTokenError('invalid_credentials', `credentials ${what}`, { hint })
}
