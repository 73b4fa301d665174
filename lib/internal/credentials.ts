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
  if (typeof credentials === 'object' && credentials && !Array.isArray(credentials)) {
    return credentials as CredentialJson
  }
  if (typeof credentials !== 'string' || !credentials.trim()) {
    const found = credentials === null ? 'null' : typeof credentials === 'string' ? 'empty' : typeof credentials
    throw new TypeError(`credentials are ${found}: is the secret bound? Pass the JSON of a key, as object or text`)
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
  const missing = required.filter((field) => json[field] == null || json[field] === '')
  if (missing.length) throw invalidCredentials(`lack ${missing.join(' and ')}`)
  for (const field of [...required, ...optional]) {
    if (json[field] != null && typeof json[field] !== 'string') throw invalidCredentials(`have a ${field} that is no text`)
  }
  return json as ReturnType<typeof readFields<Required, Optional>>
}

/** Credentials that another entry takes, or none. */
export function unsupported(what: string, hint: string): IdTokenError {
  return new IdTokenError('unsupported_credentials', `credentials are ${what}`, { hint })
}

/** Refuses credentials of another universe. */
export function checkUniverse({ universe_domain }: CredentialJson, universe: string, hint: string): void {
  if ((universe_domain ?? GOOGLE) === universe) return
  // By mistake, a field may hold anything: only what can be a domain is shown.
  const name = /^[a-z\d.-]{1,60}$/.exec(String(universe_domain)) ?? 'another one'
  throw unsupported(`for the universe ${name}`, hint)
}

/** The universe that is meant when none is named. */
export const GOOGLE = 'googleapis.com'

/** Refuses credentials of another `type`, and names the entry that takes them. */
export function checkType({ type }: CredentialJson, expected: string): void {
  if (type == null || type === expected) return
  const entry = ENTRIES.get(type)
  // Only a known type is shown: by mistake, a field may hold anything.
  throw unsupported(entry ? `of type ${type}` : `not of type ${expected}`, `Use ${entry ?? 'a service-account key'}`)
}

const ENTRIES = new Map<unknown, string>([
  ['service_account', 'gcp-id-token'],
  ['external_account', 'gcp-id-token/federation'],
  ['impersonated_service_account', 'gcp-id-token/impersonation'],
  ['authorized_user', 'gcp-id-token/impersonation and gcloud with --impersonate-service-account']
])

/** Text that has been unwrapped before: a request should not pay for it again. */
const known = new Table<CredentialJson>()
const LONGEST_TEXT = 65_536
/** JSON in quotes in base64 in quotes: more than that is no accident. */
const MOST_WRAPPINGS = 5

function unwrap(text: string): CredentialJson {
  for (let wrapping = 0; wrapping < MOST_WRAPPINGS; wrapping++) {
    if (text.length > LONGEST_TEXT) throw invalidCredentials('are longer than 64 KiB')
    text = text.trim() // takes a byte order mark, too
    if (text.startsWith('{')) return parseObject(text)
    if (/^["']/.test(text)) text = unquote(text)
    else if (text.includes('-----BEGIN ')) {
      throw invalidCredentials('are only a PEM block', 'Pass the whole JSON file, or { client_email, private_key }')
    } else text = textFromBase64(text) ?? ''
  }
  throw invalidCredentials('are neither JSON nor base64 of it')
}

function parseObject(text: string): CredentialJson {
  return tryParse(text) ?? tryParse(escapeNewlines(text)) ?? fail(text)
}

function fail(text: string): never {
  throw invalidCredentials(text.endsWith('}') ? 'are not valid JSON' : `are JSON cut short after ${text.length} characters`)
}

/** JSON.parse without its error, which quotes the text. */
function tryParse(text: string): CredentialJson | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Raw line breaks inside JSON strings, as dotenv makes them of `\n`, back to what JSON allows. */
function escapeNewlines(text: string): string {
  let inString = false
  return text.replace(/\\.|["\n\r\t]/gs, (found) => {
    if (found === '"') inString = !inString
    return inString && found < ' ' ? JSON.stringify(found).slice(1, -1) : found
  })
}

function unquote(text: string): string {
  const inner = tryParse(text)
  return typeof inner === 'string' ? inner : text.slice(1, -1)
}

function invalidCredentials(what: string, hint?: string): IdTokenError {
  return new IdTokenError('invalid_credentials', `credentials ${what}`, { hint })
}
