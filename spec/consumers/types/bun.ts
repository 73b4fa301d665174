import { getIdToken } from 'gcp-id-token'
import { authorizedFetch } from 'gcp-id-token/fetch'

const call = authorizedFetch((request) => {
  return getIdToken({ credentials: Bun.env['GOOGLE_KEY'] ?? '', fetch: globalThis.fetch, ...request })
}, { fetch: globalThis.fetch })

Bun.serve({ fetch: (request) => call(request, { signal: request.signal }) })
