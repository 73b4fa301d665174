import { getIdToken } from 'gcp-id-token'
import { authorizedFetch } from 'gcp-id-token/fetch'
import { workersKvStore } from 'gcp-id-token/store'

interface Env {
  TOKENS: KVNamespace
  TOKENS_SECRET: string
  GOOGLE_KEY: string
  SERVICE: Fetcher
}

export default {
  async fetch(request, env, ctx) {
    const store = workersKvStore(env.TOKENS, { secret: env.TOKENS_SECRET })
    const common = { credentials: env.GOOGLE_KEY, store, fetch: globalThis.fetch }
    await getIdToken({ ...common, audience: 'a', signal: request.signal, waitUntil: ctx.waitUntil.bind(ctx) })
    const call = authorizedFetch((wanted) => getIdToken({ ...common, waitUntil: ctx, ...wanted }), {
      fetch: (authorized) => env.SERVICE.fetch(authorized),
    })
    return call(request)
  },
} satisfies ExportedHandler<Env>
