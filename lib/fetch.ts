/**
 * A `fetch` that authorizes itself: each request carries a Google-signed ID token for the service it goes to.
 *
 * @example
 * ```ts
 * import { authorizedFetch } from 'gcp-id-token/fetch'
 * import { getIdToken } from 'gcp-id-token/metadata'
 *
 * const fetch = authorizedFetch(getIdToken)
 * const response = await fetch('https://my-service-abc123-ew.a.run.app/orders')
 * ```
 *
 * @module
 */
import { check } from './internal/options.ts'
import { isText, parseUrl, VISIBLE } from './internal/text.ts'

/** What {@link authorizedFetch} takes beside the source of its tokens. */
export interface AuthorizedFetchOptions {
  /**
   * The `aud` of the tokens, where it is not the origin of the URL: for Cloud Functions (1st gen) the function's
   * URL, for IAP the OAuth client id. Default: the origin of each request's URL, as Cloud Run takes it.
   *
   * @see https://cloud.google.com/run/docs/authenticating/service-to-service
   */
  audience?: string
  /**
   * Where tokens may go, such as `https://api.example.com`: origins of https, or of http on loopback, with no slash
   * at the end. A request to elsewhere is a `TypeError`, and nothing is sent. Default: the origin of `audience`, which
   * therefore must be a URL; without an `audience`, everywhere, as the token is then good for no other place than the
   * one that it goes to.
   */
  origins?: readonly string[]
  /**
   * The header for the token. Default: `auto`, which is `Authorization`, or `X-Serverless-Authorization` where
   * the request has an `Authorization` of its own. That one reaches the service untouched then. An
   * `X-Serverless-Authorization` of the request itself is always dropped: Cloud Run would look at it instead.
   *
   * @see https://cloud.google.com/run/docs/authenticating/service-to-service
   */
  header?: 'auto' | 'authorization' | 'x-serverless-authorization'
  /**
   * Sends the authorized request. Default: `globalThis.fetch`, looked up at each call. Also the place for what a
   * `Request` does not keep of its init: `(request) => fetch(request, { next: { revalidate: 60 } })`.
   */
  fetch?: (request: Request) => Promise<Response>
}

/** What a {@link GetToken} is asked for. */
export interface TokenRequest {
  /** Who the token is for. */
  audience: string
  /** Set when the service refused the token that is in the caches. */
  forceRefresh?: boolean
  /** The request's. */
  signal?: AbortSignal
}

/** Gives an ID token: `getIdToken` of any entry, or a function that adds credentials to it. */
export type GetToken = (request: TokenRequest) => Promise<string>

/** The signature of `fetch`. */
export type AuthorizedFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/**
 * Makes a `fetch` that adds an ID token to each request. Bodies and responses stream through it untouched.
 *
 * Tokens go over https or to loopback. A redirect is followed for GET and HEAD, to the same origin, up to ten
 * times; any other is returned as it came, and `redirect: 'manual'` and `'error'` are honoured. Browsers hide
 * where a redirect goes: there it is a `TypeError`, unless with `'manual'`. `response.redirected` is `false`.
 *
 * When the service calls a token invalid that is over a minute old (a 401 that says `invalid_token`), the request
 * is sent once more with a fresh one, if that can be had and its body is no stream. A `Request` with a body has a
 * stream.
 *
 * @param getToken where tokens come from
 * @param options none is needed where the audience is the origin of the URL
 * @returns what takes the place of `fetch`, for other clients too; beside what `fetch` throws it rejects with a
 * `TypeError` for a URL that no token may go to, and with what `getToken` throws
 * @throws {TypeError} an option is of the wrong type
 * @see https://cloud.google.com/run/docs/authenticating/service-to-service
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token'
 * import { authorizedFetch } from 'gcp-id-token/fetch'
 *
 * const fetch = authorizedFetch((request) => getIdToken({ credentials: env.GOOGLE_KEY, ...request }))
 * const response = await fetch('https://my-service-abc123-ew.a.run.app/orders', { method: 'POST', body: '{}' })
 * ```
 */
export function authorizedFetch(getToken: GetToken, options: AuthorizedFetchOptions = {}): AuthorizedFetch {
  const { audience, header = 'auto', fetch } = options
  const { origins = (audience && [parseUrl(audience)?.origin]) as string[] } = options
  check(typeof getToken === 'function', 'getToken', 'a function')
  check(audience === undefined || isText(audience), 'audience', 'a text')
  check(origins === undefined || origins?.every?.((one) => SAFE.test(one)), 'origins', 'a list of https://HOST')
  check(HEADERS.includes(header), 'header', `one of ${HEADERS}`)
  check(!fetch || typeof fetch === 'function', 'fetch', 'a function')

  return async (input, init) => {
    // Proxies write `fetch(url, request)`, and the copy below would keep nothing of that.
    if (init instanceof Request) {
      input = new Request(input, init)
      init = undefined
    }
    const mode = init?.redirect ?? (input as Request).redirect
    const settings: RequestInit = { ...init, redirect: 'manual' } // Workers have no 'error'

    for (let hops = 0; ; hops++) {
      const request = new Request(input, settings)
      const token = await authorize(request)
      const send = fetch ?? globalThis.fetch
      let response = await send(request)
      // A stream of the web's, or of Node's, or that of a Request, which Firefox does not show.
      const body: any = init?.body ?? (input as Request).body
      const isStream = (input as Request).bodyUsed || body?.getReader || body?.[Symbol.asyncIterator]
      if (!isStream && isStale(token, response)) {
        const again = new Request(input, settings)
        // What fails here takes nothing from the caller, who has a response.
        const fresh = await authorize(again, { forceRefresh: true }).catch(() => token)
        if (fresh !== token) {
          discard(response)
          response = await send(again)
        }
      }
      const { status } = response // 0 is how browsers show a redirect that they were told not to follow
      if (mode === 'manual' || !/^(0|30[12378])$/.test(status as never)) return response
      if (!status || mode === 'error') {
        discard(response)
        throw new TypeError('A redirect came, unwanted or hidden by the browser')
      }
      const { method, url } = request
      const location = response.headers.get('location')
      const next = location && /^(GET|HEAD)$/.test(method) && parseUrl(location, url)?.href
      // As text, to which a URL with a password in it is foreign, too: a Request takes no such URL.
      if (!next || !next.startsWith(new URL('/', url).href) || hops === 10) return response
      discard(response)
      input = input instanceof Request ? new Request(next, input) : next
    }
  }

  /** Puts a token on the request, if it may go where that goes. */
  async function authorize({ headers, signal, url }: Request, more?: { forceRefresh: true }): Promise<string> {
    const { origin } = new URL(url)
    check(SAFE.test(origin), 'The URL', SAFE_KIND)
    check(!origins || origins.includes(origin), 'The URL', `one of origins: ${origins}`)
    const token = await getToken({ audience: audience ?? origin, signal, ...more })
    // What is no token, Headers would quote in their error.
    check(isText(token, VISIBLE), 'getToken', 'a function that gives a token')
    const name = header !== 'auto' ? header : headers.has('authorization') ? SERVERLESS : 'authorization'
    headers.delete(SERVERLESS)
    headers.delete('host') // of a request that is passed on: Bun would send it, and Google goes by it
    headers.set(name, `Bearer ${token}`)
    return token
  }
}

const SERVERLESS = 'x-serverless-authorization'
const HEADERS = ['auto', 'authorization', SERVERLESS]
/** Origins to which a token travels unseen. */
const SAFE = /^https:\/\/[^/]+$|^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/
const SAFE_KIND = 'https://HOST or http on loopback'

/** Whether the service calls the token invalid (RFC 6750 section 3.1), and a fresh one may do better. */
function isStale(token: string, { status, headers }: Response): boolean | undefined {
  if (status !== 401 || !headers.get('www-authenticate')?.includes('invalid_token')) return
  try {
    const payload = atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/'))
    // In seconds. A younger token was not refused for its age, and a fresh one would be refused, too.
    return Date.now() / 1000 - JSON.parse(payload).iat > 60
  } catch {} // no JWT
}

function discard({ body }: Response): void {
  body?.cancel().catch(() => {})
}
