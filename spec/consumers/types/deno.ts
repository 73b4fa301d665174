import { getIdToken } from 'gcp-id-token'
import { authorizedFetch } from 'gcp-id-token/fetch'
import { encryptedStore } from 'gcp-id-token/store'

const kv = await Deno.openKv()
const store = encryptedStore({
  get: async (key) => (await kv.get<string>(['id-token', key])).value,
  set: (key, value, { ttl }) => kv.set(['id-token', key], value, { expireIn: ttl * 1000 }),
}, { secret: Deno.env.get('TOKENS_SECRET')! })

const call: typeof fetch = authorizedFetch((request) => {
  return getIdToken({ credentials: Deno.env.get('GOOGLE_KEY')!, store, fetch: globalThis.fetch, ...request })
})

Deno.serve((request) => call(request))
