import { encryptedStore } from 'gcp-id-token/store'

const kv = await Deno.openKv()

export const store = encryptedStore({
  get: async (key) => (await kv.get<string>(['id-tokens', key])).value,
  set: (key, value, { ttl }) => kv.set(['id-tokens', key], value, { expireIn: ttl * 1000 })
}, { secret: Deno.env.get('TOKENS_SECRET')! })
