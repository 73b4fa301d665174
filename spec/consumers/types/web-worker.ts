import { getIdToken } from 'gcp-id-token'
import { authorizedFetch } from 'gcp-id-token/fetch'

declare const self: ServiceWorkerGlobalScope

self.addEventListener('fetch', (event) => {
  const { signal } = event.request
  const call: typeof fetch = authorizedFetch((request) => {
    return getIdToken({ credentials: '{}', waitUntil: event, fetch: self.fetch, ...request })
  })
  event.respondWith(call(event.request, { signal }))
})
