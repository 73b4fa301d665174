import { IdTokenError, redact } from './errors.ts'
import { parseJson } from './json.ts'
import { remember } from './remember.ts'

/** `fetch`, as far as this package calls it: with a URL as text and a plain init. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** What one attempt to get a token works with. */
export interface Attempt {
  readonly fetch: Fetch
  /** Aborted when the attempt's time is up. */
  readonly signal: AbortSignal
  /** What no error may show. */
  readonly secrets: string[]
  /** How long the last refusal asked to wait, in milliseconds; less than 0 or `NaN` when it did not. */
  retryAfter?: number
}

/** What to do about a refusal, by what the error will say of it: its status and Google's words. */
export type Hints = (message: string) => string | undefined

/**
 * One request to Google and the answer to it: `rejected` when Google would say the same no again, `unavailable`
 * when it may not.
 */
export async function send(attempt: Attempt, url: string, init: RequestInit, hints?: Hints): Promise<Answer> {
  const { fetch, signal, secrets } = attempt // called bare: Workers and browsers refuse `fetch` as a method
  const place = url.split('?')[0]!
  let response
  let text
  try {
    response = await fetch(url, { ...init, signal, redirect: 'manual' }) // Workers have no 'error'
    const date = Date.parse(response.headers.get('date')!)
    // A browser may hide the header.
    if (date) remember(clockOffsets, place, date - Date.now())
    text = await readText(response)
  } catch (error: any) {
    // By its name and code: the message of a foreign error may quote what it was given.
    const name = redact(error?.name, secrets)
    const code = redact(error?.cause?.code ?? error?.code, secrets)
    throw new IdTokenError('unavailable', sentence(`${place} did not answer`, name, code))
  }
  const { ok, status, headers } = response
  const json = parseJson(text!)
  const { error, error_description } = Object(json)
  // OAuth (RFC 6749 section 5.2) or google.rpc.Status (https://google.aip.dev/193)
  const reason = redact(error?.status ?? error, secrets)
  const fault =
    text === undefined ? 'a redirect or over 64 KiB'
    : ok && !json && /^\s*({|$)/.test(text) ? 'cut short'
    : ''
  if (ok && !reason && !fault) return { text: text!, headers, json }

  // What is neither is quoted as far as it is plain text; Google's pages in HTML say no more than the status.
  const description = redact(json ? (error?.message ?? error_description) : text?.split(/[<{]/)[0], secrets)
  const message = sentence(`${place} answered ${status}`, reason, description, fault)
  const retryAfter = headers.get('retry-after')
  attempt.retryAfter = parseInt(retryAfter!) * 1000 || Date.parse(retryAfter!) - timeAt(place)
  const isTransient = fault === 'cut short' || TRANSIENT.test(`${status} ${text}`)
  const code = isTransient ? 'unavailable' : fault ? 'invalid_response' : 'rejected'
  throw new IdTokenError(code, message, { status, reason, description, hint: hints?.(message) })
}

/** The form-encoded POST of OAuth (RFC 6749 section 3.2); `fetch` adds the content type. */
export const form = (fields: Record<string, string>): RequestInit =>
  ({ method: 'POST', body: new URLSearchParams(fields) })

/** The time where `url` is, in milliseconds. */
export const timeAt = (url: string): number => Date.now() + (clockOffsets.get(url) ?? 0)

const TRANSIENT = /^(408|429|5)|"(internal_failure|server_error|temporarily_unavailable)"/
/** How far the clock where a URL is was ahead of ours when it last sent a `Date`, in milliseconds. */
const clockOffsets = new Map<string, number>()

/**
 * The text, or `undefined` when it is over 64 KiB or that of a redirect, which browsers show as status 0. The bytes are
 * counted as they come out of any compression.
 */
async function readText({ body, ok, status }: Response): Promise<string | undefined> {
  const reader = body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let room = ok || status >= 400 ? 65_536 : -1
  while (room >= 0) {
    const { done = true, value } = (await reader?.read()) ?? {}
    if (done) return text
    room -= value!.length
    text += decoder.decode(value, { stream: true })
  }
  reader?.cancel().catch(() => {})
}

function sentence(...parts: readonly string[]): string {
  return parts.filter(Boolean).join(': ')
}

interface Answer {
  readonly text: string
  readonly headers: Headers
  readonly json: any
}
