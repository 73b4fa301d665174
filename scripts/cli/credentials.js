// Where credentials are, in the order of Google's own clients. What is said of them names files and
// fields, and shows nothing that might be a secret.
// https://cloud.google.com/docs/authentication/application-default-credentials

import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { EXIT, Failure, nameOf } from './failure.js'

/** The credentials that the option, the environment or gcloud names, if any does. */
export function findCredentials(option, env) {
  if (option !== undefined) return read(option, '--credentials')
  const { GOOGLE_APPLICATION_CREDENTIALS: variable } = env
  if (variable) return read(variable, 'GOOGLE_APPLICATION_CREDENTIALS')
  const file = wellKnownFile(env)
  if (existsSync(file)) return read(file, "gcloud's file")
}

/** Where `gcloud auth application-default login` leaves them. */
export function wellKnownFile({ CLOUDSDK_CONFIG, APPDATA }) {
  const folder = CLOUDSDK_CONFIG || (APPDATA ? join(APPDATA, 'gcloud') : join(homedir(), '.config', 'gcloud'))
  return join(folder, 'application_default_credentials.json')
}

/** The kind of credentials, as far as that can be shown. */
export function describe({ text, json }) {
  const { type, client_email, private_key_id, service_account_impersonation_url: url } = json
  const account = shown(client_email, EMAIL)
  const target = shown(url?.split?.('/').pop().split(':')[0], EMAIL)
  if (type === 'external_account') return `workload identity federation, acting as ${target}`
  if (type === 'impersonated_service_account') return `impersonation of ${target}`
  if (type === 'authorized_user') return 'the login of a user'
  if (json.private_key) return `a key of ${account}, id ${shown(private_key_id, KEY_ID)}`
  return `${text.length} characters, not plain JSON of a known type`
}

/** Throws the error of the library; an option that is missing to it, here the credentials lack. */
export function blameCredentials(error) {
  const [option] = /^\w+(?= must be )/.exec(error.message) ?? []
  const field = error instanceof TypeError && FIELDS.get(option)
  throw field ? new Failure(EXIT.credentials, `the credentials lack ${field}: ${error.message}`) : error
}

/**
 * What gives the subject token of an `external_account`, where that is a file or a URL.
 *
 * @see https://google.aip.dev/auth/4117
 */
export function subjectTokenOf({ json: { type, credential_source: source } }) {
  if (type !== 'external_account') return
  // Those for AWS have a URL, too.
  const kind = ['environment_id', 'file', 'url'].find((name) => Object.hasOwn(Object(source), name))
  if (kind === 'file') return async () => tokenIn(source, await readFile(source.file, 'utf8').catch(fail))
  if (kind === 'url') return async () => tokenIn(source, await download(source).catch(fail))
  throw new Failure(EXIT.credentials, 'the credential_source is neither a file nor a URL; no other is read')
}

const EMAIL = /^[\w.+-]+@[\w.-]+$/
const KEY_ID = /^[\da-f]{40}$/
const LONGEST_PATH = 500
/** By option of the library, the field that it comes from. */
const FIELDS = new Map([
  ['serviceAccount', 'service_account_impersonation_url'],
  ['subjectToken', 'credential_source']
])

function read(path, from) {
  // Some put the JSON itself there, or base64 of it.
  if (path.length > LONGEST_PATH || /[{\n]/.test(path)) {
    throw new Failure(EXIT.credentials, `${from} must name a file, and holds something else`)
  }
  const file = `${from} names ${path}, which`
  let text
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Failure(EXIT.credentials, `${file} cannot be read (${nameOf(error)})`)
  }
  // A shell makes the file for a command's output before the command fails.
  if (!text.trim()) throw new Failure(EXIT.credentials, `${file} is empty: did what wrote it fail?`)
  return { from, path, text, json: parse(text) }
}

/** What is no plain JSON, the library may still know how to unwrap. */
function parse(text) {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

function shown(value, pattern) {
  return typeof value === 'string' && pattern.test(value) ? value : '(unknown)'
}

async function download({ url, headers }) {
  const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(5000) })
  if (response.ok) return response.text()
  throw Object.assign(new Error(), { code: `status ${response.status}` })
}

/** Without the message, which may quote a header. */
function fail(error) {
  throw new Error(`credential_source cannot be read (${nameOf(error)})`)
}

function tokenIn({ format }, text) {
  const isJson = format?.type === 'json'
  const token = isJson ? parse(text)[format.subject_token_field_name] : text.trim()
  if (token && typeof token === 'string') return token
  const place = isJson ? ' in the field that subject_token_field_name names' : ''
  throw new Error(`credential_source has no token${place}`)
}
