import type { Fetch } from './request.ts'

/** The options that every `getIdToken` takes, wherever the identity comes from. */
export interface CommonOptions {
  /**
   * Who the token is for: it becomes the token's `aud` as it stands. For Cloud Run and Cloud Functions (2nd gen)
   * the origin of the service's URL, for Cloud Functions (1st gen) the whole URL, for IAP the OAuth client id.
   * Anything but a text is a `TypeError`.
   *
   * @see https://cloud.google.com/run/docs/authenticating/service-to-service
   */
  audience: string
  /**
   * Used for every request to Google; forms come to it as `URLSearchParams`, and a GET without a `method`. Default:
   * `globalThis.fetch`, looked up at each call.
   */
  fetch?: Fetch
  /** Ends this caller's wait, with the signal's `reason`; an exchange that others share goes on. */
  signal?: AbortSignal
  /** Milliseconds for one attempt with everything in it. Default: 5000. Then: `timeout`. */
  timeout?: number
  /**
   * How often to try again after the first attempt, for transient faults only, with growing random pauses of at
   * most 5 s. Default: 2. Then: `unavailable`, or `timeout` when no attempt was answered in time.
   */
  retries?: number
  /**
   * The platform's, as a function or as the `ctx` that has it. Lets a refresh go on when the request that started
   * it is over: Cloudflare Workers refresh ahead of time only with it.
   *
   * @see https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil
   */
  waitUntil?: WaitUntil | { waitUntil: WaitUntil }
  /** Tokens shared between isolates, see `gcp-id-token/store`. The cache in memory always stands before it. */
  store?: TokenStore
  /** Skip every cache, and replace what they hold. Default: `false`. */
  forceRefresh?: boolean
}

/** Keeps the runtime alive until the promise is settled. */
export type WaitUntil = (promise: Promise<void>) => void

/**
 * Where isolates share tokens. It is handed a SHA-256 digest as key and a token as value, so give it only what may
 * hold tokens, or wrap it by `encryptedStore` of `gcp-id-token/store`. If it throws or hangs, that is a miss.
 */
export interface TokenStore {
  /** The value under the key, or nothing. Waited for one second. */
  get(key: string): Promise<string | null | undefined>
  /** Keep the value for `ttl` seconds. */
  set(key: string, value: string, options: { ttl: number }): Promise<unknown>
}

/** The options with their defaults, each checked: a mistake is a `TypeError` that names the option. */
export function readOptions(options: CommonOptions): Settings {
  const { audience, fetch = globalThis.fetch, signal, timeout = 5000, retries = 2 } = options
  const { waitUntil, store, forceRefresh } = options
  check(typeof audience === 'string' && audience, 'audience', 'a text: .origin of a URL, or .href for Functions gen1')
  check(typeof fetch === 'function', 'fetch', 'a function')
  check(!signal || signal.throwIfAborted as unknown, 'signal', 'an AbortSignal')
  check(typeof timeout === 'number' && timeout >= 0, 'timeout', 'a number from 0')
  check(typeof retries === 'number' && retries >= 0, 'retries', 'a number from 0')
  check(!store || (store.get as unknown && store.set), 'store', 'a TokenStore')
  check(!forceRefresh || forceRefresh === true, 'forceRefresh', 'a boolean')
  const hold = (waitUntil as any)?.waitUntil?.bind?.(waitUntil) ?? waitUntil
  check(!hold || typeof hold === 'function', 'waitUntil', 'a function')
  return { audience, fetch, signal, timeout, retries, waitUntil: hold, store, forceRefresh }
}

/** A caller's mistake is a native `TypeError`. */
export function check(right: unknown, option: string, kind: string): asserts right {
  if (!right) throw new TypeError(`${option} must be ${kind}`)
}

/** What may stand in a URL as a service account, as it is. */
export function isEmail(text: unknown): text is string {
  return typeof text === 'string' && text.length < 256 && /^[\w.+-]+@[\w.-]+$/.test(text)
}

/** Options after {@link readOptions}. */
export interface Settings {
  readonly audience: string
  readonly fetch: Fetch
  readonly signal: AbortSignal | undefined
  readonly timeout: number
  readonly retries: number
  readonly waitUntil: WaitUntil | undefined
  readonly store: TokenStore | undefined
  readonly forceRefresh: boolean | undefined
}
