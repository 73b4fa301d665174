import { getIdToken } from 'gcp-id-token'

let isolate

// One request of the app. It holds a response of its own while it waits for the token and reads it after that,
// which a continuation that runs in another request's context cannot do.
export default {
  async fetch(request, { HOST, CREDENTIALS }, context) {
    const { id, end, waitUntil, signal, store, linger, ...options } = await request.json()
    const pass = (gate) => fetch(`${HOST}/${gate}/${id}`).then((response) => response.text())
    isolate ??= crypto.randomUUID()
    const own = await fetch(`${HOST}/own`)

    const patience = new AbortController()
    if (signal || end === 'give up') options.signal = patience.signal
    if (waitUntil) options.waitUntil = waitUntil === 'context' ? context : context.waitUntil.bind(context)
    if (store) options.store = { get: () => pass('store').then(() => null), set: async () => {} }

    const outcome = getIdToken({ credentials: CREDENTIALS, ...options }).then(
      (token) => ({ token }),
      ({ name, code, message }) => ({ error: { name, code, message } }),
    )
    await pass('joined')

    if (end === 'answer early') return Response.json({ isolate })
    if (end === 'throw') throw new Error('the handler failed')
    if (end === 'give up') patience.abort()

    const answer = await outcome
    await own.text()
    await pass('own')
    if (linger) await pass('linger')
    return Response.json({ isolate, ...answer })
  },
}
