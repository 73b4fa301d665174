import { gaxios, GoogleAuth, JWT } from 'google-auth-library'

/** As its documentation has it: a client for each call. It keeps no token from one client to the next. */
export function open(key) {
  const auth = authFor(key)
  return async (audience) => tokenOf(await auth.getIdTokenClient(audience))
}

/** With what the documentation leaves to the reader: one client for each audience, which is kept. */
export function openAndKeep(key) {
  const auth = authFor(key)
  const clients = new Map()
  return async (audience) => {
    if (!clients.has(audience)) clients.set(audience, await auth.getIdTokenClient(audience))
    return tokenOf(clients.get(audience))
  }
}

function authFor({ client_email: email, private_key: key, private_key_id: keyId, token_uri }) {
  const transporter = new gaxios.Gaxios()
  // It asks Google whatever the key's `token_uri` is; all else stays as it is.
  const resolved = async (request) => Object.assign(request, { url: new URL(token_uri) })
  transporter.interceptors.request.add({ resolved })
  return new GoogleAuth({ authClient: new JWT({ email, key, keyId, transporter }) })
}

async function tokenOf(client) {
  return (await client.getRequestHeaders()).get('authorization').slice('Bearer '.length)
}
