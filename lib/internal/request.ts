import { IdTokenError, redact } from './errors.ts'
import { Table } from './table.ts'

/** `fetch`, as far as this package calls it: with a URL as text and a plain init. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** What one attempt to get a token works with. */
export interface Attempt {
  readonly fetch: Fetch
  /** Aborted when the attempt's time is up. */
  readonly signal: AbortSignal
  /** What no error may show. */
  readonly secrets: string[]
  /** How long the last answer asked to wait, in milliseconds. */
  retryAfter?: number | undefined
}

/** What to do about a refusal, by Google's word and sentence for it. */
export type Hints = (reason: string, description: string, response: Response) => string | undefined

/**
 * One request to Google and the answer to it: `rejected` when Google would say the same no again, `unavailable`
 * when it may not.
 */
export async function send(attempt: Attempt, url: string, init: RequestInit, hints?: Hints): Promise<Answer> {
  const { fetch, signal, secrets } = attempt // called bare: Workers and browsers refuse `fetch` as a method
  const place = url.split('?')[0]
  let response
  let text
  try {
    response = await fetch(url, { ...init, signal, redirect: 'manual' }) // Workers have no 'error'
    learnTime(url, response)
    text = isRedirect(response) ? void discard(response.body) : await readText(response.body)
  } catch (error) {
    throw new IdTokenError('unavailable', `${place} did not answer (${redact(nameOf(error), secrets)})`)
  }
  const { status } = response
  if (isRedirect(response)) throw unexpected(`${place} answered with a redirect`, status)
  if (response.ok && text === undefined) throw unexpected(`${place} answered with more than 64 KiB`, status)

  const json = readObject(text ?? '')
  const { error, error_description } = json ?? {}
  // OAuth (RFC 6749 section 5.2) or google.rpc.Status (https://google.aip.dev/193)
  const reason = clean(error?.status ?? error, secrets)
  // What is neither is quoted as far as it is plain text; Google's pages in HTML say no more than the status.
  const description = clean(json ? (error?.message ?? error_description) : text?.split('<')[0], secrets)
  if (response.ok && !reason) return { text: text!, headers: response.headers, json }

  attempt.retryAfter = readRetryAfter(url, response)
  const transient =
    status === 408 || status === 429 || status >= 500 || TRANSIENT.has(reason) || TRANSIENT.has(description)
  throw new IdTokenError(
    transient ? 'unavailable' : 'rejected',
    [`${place} answered ${status}`, reason, description].filter(Boolean).join(': '),
    { status, reason, description, hint: transient ? undefined : hints?.(reason, description, response) }
  )
}

/** {@link send} where the contract is a JSON object. */
export async function sendForJson(attempt: Attempt, url: string, init: RequestInit, hints?: Hints): Promise<any> {
  const { text, json } = await send(attempt, url, init, hints)
  if (json) return json
  if (/^\s*({|$)/.test(text)) throw new IdTokenError('unavailable', `The answer of ${url} is cut short`)
  throw unexpected(`${url} answered without JSON`)
}

/** The form-encoded POST of OAuth (RFC 6749 section 3.2). */
export function form(fields: Record<string, string>): RequestInit {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return { method: 'POST', headers, body: new URLSearchParams(fields).toString() }
}

/** The time where `url` is, in milliseconds. */
export function timeAt(url: string): number {
  return Date.now() + clockOffset(url)
}

/** How far the clock where `url` is was ahead of ours when it last sent a `Date`, in milliseconds. */
export function clockOffset(url: string): number {
  return clockOffsets.get(new URL(url).origin) ?? 0
}

const LONGEST_BODY = 65_536
const TRANSIENT = new Set(['internal_failure', 'server_error', 'temporarily_unavailable'])
const clockOffsets = new Table<number>()

function learnTime(url: string, { headers }: Response): void {
  const date = readHttpDate(headers.get('date'))
  if (date >= 0) clockOffsets.set(new URL(url).origin, date - Date.now()) // a browser may hide the header
}

/** Browsers show a redirect that they do not follow as status 0. */
function isRedirect({ ok, status }: Response): boolean {
  return !ok && status < 400
}

function discard(body: ReadableStream<Uint8Array> | null): void {
  body?.cancel().catch(() => {})
}

/** The text, or `undefined` when it is too long; the bytes are counted as they come out of any compression. */
async function readText(body: ReadableStream<Uint8Array> | null): Promise<string | undefined> {
  const reader = body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  while (reader) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.length
    if (length > LONGEST_BODY) return void reader.cancel().catch(() => {})
    text += decoder.decode(value, { stream: true })
  }
  return text
}

function readObject(text: string): any {
  try {
    const json = JSON.parse(text)
    return typeof json === 'object' && json ? json : undefined
  } catch {
    return undefined
  }
}

/** Seconds or a date (RFC 9110 section 10.2.3). */
function readRetryAfter(url: string, { headers }: Response): number | undefined {
  const value = headers.get('retry-after') ?? ''
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : readHttpDate(value) - timeAt(url)
  return wait >= 0 ? wait : undefined
}

/** Only what looks like an HTTP date: `Date.parse` alone makes a date of almost anything. */
function readHttpDate(value: string | null): number {
  return value?.endsWith(' GMT') ? Date.parse(value) : NaN
}

/** A foreign error by its name and code; its message may quote what it was given. */
function nameOf(error: any): string {
  return [error?.name, error?.code, error?.cause?.code].filter((word) => typeof word === 'string').join(' ')
}

function clean(text: unknown, secrets: readonly string[]): string {
  return typeof text === 'string' ? redact(text.trim(), secrets) : ''
}

function unexpected(message: string, status?: number): IdTokenError {
  return new IdTokenError('invalid_response', message, { status })
}

interface Answer {
  readonly text: string
  readonly headers: Headers
  readonly json: any
}
