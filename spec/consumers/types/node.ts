import { createServer } from 'node:http'
import { getIdToken } from 'gcp-id-token'
import { authorizedFetch } from 'gcp-id-token/fetch'

const credentials = process.env['GOOGLE_KEY'] ?? ''
const call: typeof fetch = authorizedFetch((request) => {
  return getIdToken({ credentials, fetch: globalThis.fetch, ...request })
})

createServer(async (request, response) => {
  const signal = AbortSignal.timeout(1000)
  const answer = await call(new URL(request.url ?? '/', 'https://my-service-abc123-ew.a.run.app'), { signal })
  response.end(await answer.text())
})
