import { encryptedStore } from 'gcp-id-token/store'
import { createClient } from 'redis'
const redis = createClient({ url: process.env.REDIS_URL })
redis.on('error', console.error)
redis.connect().catch(console.error) // not awaited: while Redis is down, tokens come from Google
export const store = encryptedStore({
  get: (key) => redis.get(`id-tokens:${key}`),
  set: (key, value, { ttl }) => redis.setEx(`id-tokens:${key}`, ttl, value)
}, { secret: process.env.TOKENS_SECRET! })
