import { getIdToken } from 'gcp-id-token'
import { authorizedFetch } from 'gcp-id-token/fetch'

export const isEdge: object = EdgeRuntime

addEventListener('fetch', (event) => {
  const call = authorizedFetch((request) => getIdToken({ credentials: '{}', waitUntil: event, ...request }))
  event.respondWith(call('https://my-service-abc123-ew.a.run.app'))
})
