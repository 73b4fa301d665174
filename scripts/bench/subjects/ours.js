import { getIdToken } from 'gcp-id-token'

export const open = (key) => opened(key, (credentials) => credentials)

export const openText = (key) => opened(key, JSON.stringify)

/** The key is for Google, as keys are; only what is sent goes to the local endpoint. */
function opened({ token_uri, ...key }, written) {
  const credentials = written({ ...key, token_uri: 'https://oauth2.googleapis.com/token' })
  const locally = (_, init) => fetch(token_uri, init)
  return (audience) => getIdToken({ credentials, audience, fetch: locally })
}
