import { errorPage, html, json, sorryPage } from './answers.ts'
import { refuse, tokenErrors } from './token-errors.ts'
import type { Refusal } from './token-errors.ts'
import { ConnectionLost } from './wire.ts'
import type { Call } from './wire.ts'

/** Stands between a caller and an endpoint: may answer itself, and may change what the endpoint answers. */
export type Fault = (call: Call, answer: () => Promise<Response>) => Response | Promise<Response>

export const faults = {
  /** The endpoint itself answers: for a place in the row. */
  none: (): Fault => (_, answer) => answer(),
  respond: (make: () => Response): Fault => () => make(),
  json: (status: number, body: unknown, headers?: HeadersInit): Fault => () => json(status, body, headers),
  html: (status: number, body: string, headers?: HeadersInit): Fault => () => html(status, body, headers),
  /** One of `tokenErrors`. */
  refusal: (refusal: Refusal, headers?: HeadersInit): Fault => () => refuse(refusal, headers),
  /** Google's front end, where nobody behind it answered. */
  page: (status: 404 | 500 | 502 | 503): Fault => () => errorPage(status),
  sorry: (status: 429 | 503 = 429): Fault => () => sorryPage(status),
  internalFailure: (): Fault => () => refuse(tokenErrors.internalFailure),
  /** The older wording for a bad signature, which quotes the assertion. */
  echo: (): Fault => ({ text }) => {
    const assertion = new URLSearchParams(text).get('assertion')
    const description = `java.security.SignatureException: Invalid signature for token: ${assertion}`
    return refuse({ status: 400, error: 'invalid_grant', description })
  },
  latency: (milliseconds: number): Fault => async ({ request }, answer) => {
    await pause(milliseconds, request.signal)
    return answer()
  },
  /** The connection goes away before an answer, although Google got the request. */
  dropped: (): Fault => async (_, answer) => {
    await answer()
    throw new ConnectionLost()
  },
  /** No answer, ever. */
  hang: (): Fault => ({ request }) => pause(Infinity, request.signal) as Promise<never>,
  /** The answer ends early, as if it were whole. */
  truncated: (length = 20): Fault => async (_, answer) => {
    const response = await answer()
    return replaced(response, (await response.text()).slice(0, length))
  },
  /** The head of the answer comes, and a part of its body; then nothing. */
  stalled: (length = 20): Fault => async ({ request }, answer) => {
    const response = await answer()
    const start = new TextEncoder().encode((await response.text()).slice(0, length))
    return replaced(response, new ReadableStream({
      start(controller) {
        controller.enqueue(start)
        const { signal } = request
        signal.addEventListener('abort', () => controller.error(signal.reason), { once: true })
      }
    }))
  },
  /** The connection goes away within the body. */
  broken: (length = 20): Fault => async ({ request }, answer) => {
    const response = await answer()
    const start = new TextEncoder().encode((await response.text()).slice(0, length))
    let sent = false
    return replaced(response, new ReadableStream({
      async pull(controller) {
        if (!sent) controller.enqueue(start)
        // A server needs a moment to send the start before it hears of the end.
        else await pause(10, request.signal).finally(() => controller.error(new ConnectionLost()))
        sent = true
      }
    }))
  },
  /** So many bytes of JSON, made as they are read. */
  huge: (bytes: number, status = 200): Fault => () => {
    const chunk = new TextEncoder().encode(' '.repeat(16384))
    let left = bytes
    return new Response(new ReadableStream({
      pull(controller) {
        controller.enqueue(chunk.subarray(0, Math.min(left, chunk.length)))
        left -= chunk.length
        if (left <= 0) controller.close()
      }
    }), { status, headers: { 'content-type': 'application/json; charset=utf-8' } })
  },
  /** The same, small on the wire; only a server's client will unpack it. */
  zipped: (bytes: number): Fault => async (call, answer) => {
    const { body } = await faults.huge(bytes)(call, answer)
    return new Response(body!.pipeThrough(new CompressionStream('gzip')), {
      headers: { 'content-type': 'application/json; charset=utf-8', 'content-encoding': 'gzip' }
    })
  },
  redirect: (location: string, status: 301 | 302 | 303 | 307 | 308 = 307): Fault =>
    () => new Response(null, { status, headers: { location } }),
  /** How a browser shows a redirect that it was told not to follow. */
  opaqueRedirect: (): Fault => () => Object.defineProperties(new Response(null), {
    status: { value: 0 },
    ok: { value: false },
    type: { value: 'opaqueredirect' }
  }),
  /** Changes the answer's JSON. */
  body: (change: (body: any) => unknown): Fault => async (_, answer) => {
    const response = await answer()
    return replaced(response, JSON.stringify(change(JSON.parse(await response.text()))))
  },
  /** Changes the answer's headers; null takes one away. */
  headers: (changes: Record<string, string | null>): Fault => async (_, answer) => {
    const response = await answer()
    const headers = new Headers(response.headers)
    for (const [name, value] of Object.entries(changes)) {
      value === null ? headers.delete(name) : headers.set(name, value)
    }
    return new Response(response.body, { status: response.status, headers })
  }
}

function replaced({ status, headers }: Response, body: BodyInit): Response {
  return new Response(body, { status, headers })
}

/** Waits so long, or until the caller goes away. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = milliseconds < Infinity ? setTimeout(resolve, milliseconds) : undefined
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    }, { once: true })
  })
}
