/**
 * Stores in which isolates share tokens, so that thousands of them make a few exchanges an hour. Hand one to
 * `getIdToken` as `store`.
 *
 * @example
 * ```ts
 * import { getIdToken } from 'gcp-id-token'
 * import { workersKvStore } from 'gcp-id-token/store'
 *
 * export default {
 *   async fetch(request, env, ctx) {
 *     const store = workersKvStore(env.TOKENS, { secret: env.TOKENS_SECRET })
 *     const audience = 'https://my-service-abc123-ew.a.run.app'
 *     const token = await getIdToken({ credentials: env.GOOGLE_KEY, audience, store, waitUntil: ctx })
 *     return fetch(audience, { headers: { authorization: `Bearer ${token}` } })
 *   }
 * }
 * ```
 *
 * @module
 */
import { fromBase64, toBase64url } from './internal/base64.ts'
import { check } from './internal/options.ts'
import type { TokenStore } from './internal/options.ts'
import { isText } from './internal/text.ts'

export type { TokenStore }

/** What {@link encryptedStore} and {@link workersKvStore} take. */
export interface StoreOptions {
  /**
   * Random text of at least 32 characters that all isolates share, as `openssl rand -base64 32` makes it.
   * Keep it like a key: with it, whoever reads the store reads tokens. What another secret wrote is a miss.
   */
  secret: string
}

/** The part of a Workers KV namespace that {@link workersKvStore} uses; its binding fits. */
export interface KvNamespace {
  /** The value under the key, or null. */
  get(key: string): Promise<string | null>
  /** Keeps the value for `expirationTtl` seconds. */
  put(key: string, value: string, options: { expirationTtl: number }): Promise<unknown>
}

/**
 * A store in which names and values tell nothing: around whatever keeps texts by name for a time.
 *
 * Whoever reads it learns when tokens are written and how long they are, nothing else. Whoever writes to it
 * can cause a miss, or at worst put back an older token of the same identity and audience that is still good.
 *
 * A name, and a key for its values, come from the secret by HKDF-SHA-256. Values are AES-256-GCM with a random IV;
 * the version of this format and what the name stands for are authenticated with them.
 *
 * @param store where texts are kept
 * @param options the secret
 * @returns the store for `getIdToken`; it can be made in the global scope of Cloudflare Workers
 * @throws {TypeError} the store or the secret is missing, or the secret is too short
 * @see https://www.rfc-editor.org/rfc/rfc5869
 * @see https://doi.org/10.6028/NIST.SP.800-38D
 * @example
 * ```ts
 * import { encryptedStore } from 'gcp-id-token/store'
 *
 * const kv = await Deno.openKv()
 *
 * export const store = encryptedStore({
 *   get: async (key) => (await kv.get<string>(['id-tokens', key])).value,
 *   set: (key, value, { ttl }) => kv.set(['id-tokens', key], value, { expireIn: ttl * 1000 })
 * }, { secret: Deno.env.get('TOKENS_SECRET')! })
 * ```
 */
export function encryptedStore(store: TokenStore, { secret }: StoreOptions): TokenStore {
  check(store?.set as unknown, 'store', 'a TokenStore: is it bound?')
  check(isText(secret, /[^]{32}/), 'secret', '32 characters or more: is it bound?')
  const { subtle } = crypto
  // Settled only: on Cloudflare Workers, a promise of a request that is gone would never settle.
  let source: CryptoKey | undefined

  /** What stands for a key in the store, what encrypts its values, and how. */
  async function derive(key: string) {
    source ??= await subtle.importKey('raw', encode(secret), 'HKDF', false, ['deriveBits', 'deriveKey'])
    const info = encode(VERSION + key)
    const hkdf = (salt: string) => ({ name: 'HKDF', hash: 'SHA-256', salt: encode(salt), info })
    const aes = { name: 'AES-GCM', length: 256, additionalData: info }
    const name = toBase64url(await subtle.deriveBits(hkdf('name'), source, 256))
    return [name, await subtle.deriveKey(hkdf('value'), source, aes, false, ['encrypt', 'decrypt']), aes] as const
  }

  return {
    async get(key) {
      const [name, values, aes] = await derive(key)
      const sealed = await store.get(name)
      try {
        const bytes = fromBase64(sealed!) as Uint8Array<ArrayBuffer>
        const iv = bytes.subarray(0, IV_LENGTH)
        const value = await subtle.decrypt({ ...aes, iv }, values, bytes.subarray(IV_LENGTH))
        return new TextDecoder().decode(value)
      } catch {
        // Whatever was not encrypted for this key with this secret is a miss.
      }
    },
    async set(key, value, options) {
      const [name, values, aes] = await derive(key)
      const iv = crypto.getRandomValues(new Uint8Array(IV_LENGTH))
      const sealed = await subtle.encrypt({ ...aes, iv }, values, encode(value))
      // Twelve bytes are sixteen characters of base64 and no rest, so the two parts are base64 as one.
      await store.set(name, toBase64url(iv) + toBase64url(sealed), options)
    }
  }
}

/**
 * An {@link encryptedStore} in Workers KV, which shows a new token everywhere within about a minute.
 *
 * @param namespace the binding
 * @param options the secret
 * @returns the store for `getIdToken`; it can be made in the global scope
 * @throws {TypeError} the namespace is not bound, or the secret is missing or too short
 * @see https://developers.cloudflare.com/kv/concepts/how-kv-works/
 * @example
 * ```ts
 * import { env } from 'cloudflare:workers'
 * import { workersKvStore } from 'gcp-id-token/store'
 *
 * export const store = workersKvStore(env.TOKENS, { secret: env.TOKENS_SECRET })
 * ```
 */
export function workersKvStore(namespace: KvNamespace, options: StoreOptions): TokenStore {
  check(namespace?.put as unknown, 'namespace', 'a KV namespace: is it bound?')
  const store: TokenStore = {
    // KV refuses less than 60 s: https://developers.cloudflare.com/kv/api/write-key-value-pairs/#expiring-keys
    get: (key) => namespace.get(key),
    set: (key, value, { ttl }) => namespace.put(key, value, { expirationTtl: Math.max(ttl, 60) })
  }
  return encryptedStore(store, options)
}

/** Is part of names and of keys, and is authenticated with every value. */
const VERSION = 'v1.'
/** What GCM is made for; at random, one key is good for 2^32 of them (NIST SP 800-38D section 8.3). */
const IV_LENGTH = 12

const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
