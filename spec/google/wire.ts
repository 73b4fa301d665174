import { decodeJwt, decodeProtectedHeader } from 'jose'

/** One request on its way through Google; a service reads the body itself, all others find it in `text`. */
export interface Call {
  request: Request
  url: URL
  text: string
}

export type Answer = (call: Call) => Response | Promise<Response>

/** What came over the wire, as Google saw it. */
export interface Seen {
  endpoint: string
  method: string
  url: string
  headers: Record<string, string>
  text: string
  form: Record<string, string>
  json?: any
  /** The assertion in the form, unverified, where it can be read. */
  assertion?: { header: Record<string, unknown>, claims: Record<string, unknown> }
  /** What `fetch` was given beside the URL; nothing, where the request came through a server. */
  init?: RequestInit | undefined
  /** Once answered. */
  status?: number
}

/** The connection went away: `fetch` rejects with it, and the server resets the socket. */
export class ConnectionLost extends TypeError {
  constructor() {
    super('fetch failed')
  }
}

export function seen(endpoint: string, { request, text }: Call, init: RequestInit | undefined): Seen {
  const form = isForm(request) ? Object.fromEntries(new URLSearchParams(text)) : {}
  const assertion = readable(form.assertion)
  return {
    endpoint,
    method: request.method,
    url: request.url,
    headers: Object.fromEntries(request.headers),
    text,
    form,
    ...isJson(request) && { json: parsed(text) },
    ...assertion && { assertion },
    init
  }
}

export function isForm(request: Request): boolean {
  return /^application\/x-www-form-urlencoded\s*(;|$)/i.test(request.headers.get('content-type') ?? '')
}

export function isJson(request: Request): boolean {
  return /^application\/json\s*(;|$)/i.test(request.headers.get('content-type') ?? '')
}

export function formOf({ request, text }: Call): URLSearchParams {
  return new URLSearchParams(isForm(request) ? text : '')
}

/** `fetch` with its own manners: an abort ends the wait, and redirects are followed unless told otherwise. */
export function fetchThrough(handle: (request: Request, init?: RequestInit) => Promise<Response>): Fetch {
  return async function fetch(input, init) {
    const request = new Request(input, init)
    const response = await untilAborted(init?.signal ?? request.signal, () => handle(request, init))
    const location = response.headers.get('location')
    if (request.redirect === 'manual' || !REDIRECTS.includes(response.status) || !location) return response
    if (request.redirect === 'error') throw new ConnectionLost()
    const becomesGet = response.status === 303 || (response.status < 303 && request.method === 'POST')
    const { body, method, ...rest } = init ?? {}
    return fetch(new URL(location, request.url), {
      ...rest,
      ...!becomesGet && { method: request.method, ...body != null && { body } }
    })
  }
}

const REDIRECTS = [301, 302, 303, 307, 308]

async function untilAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw signal.reason
  let abort: () => void
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([work(), aborted])
  } finally {
    signal.removeEventListener('abort', abort!)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function readable(assertion: string | undefined): Seen['assertion'] {
  try {
    return { header: { ...decodeProtectedHeader(assertion!) }, claims: decodeJwt(assertion!) }
  } catch {
    return undefined
  }
}

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>
