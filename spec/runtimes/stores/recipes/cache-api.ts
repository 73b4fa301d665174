import { env } from 'cloudflare:workers'
import { encryptedStore } from 'gcp-id-token/store'
const urlOf = (key: string) => `https://id-tokens.example.com/${key}` // on a host of yours
export const store = encryptedStore({
  async get(key) {
    const cache = await caches.open('id-tokens')
    return (await cache.match(urlOf(key)))?.text()
  },
  async set(key, value, { ttl }) {
    const cache = await caches.open('id-tokens')
    await cache.put(urlOf(key), new Response(value, { headers: { 'cache-control': `max-age=${ttl}` } }))
  }
}, { secret: env.TOKENS_SECRET })
