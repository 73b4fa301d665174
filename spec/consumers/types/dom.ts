import { authorizedFetch } from 'gcp-id-token/fetch'
import { getIdToken } from 'gcp-id-token/metadata'

export const call: typeof fetch = authorizedFetch(getIdToken, { fetch: globalThis.fetch })
export const token = getIdToken({ audience: document.location.origin, fetch: globalThis.fetch.bind(window) })
