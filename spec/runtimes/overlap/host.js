import { decodeJwt } from 'jose'

/** The loopback server that the Workers' requests meet: the token endpoint, and gates that hold them up. */
export async function openHost({ createGoogle, serve }) {
  const google = createGoogle()
  const endpoints = new Map()
  const gates = new Map()
  let turn = Promise.resolve()
  let issued = 0

  const { url, close } = await serve(async (request) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/token') return endpointFor(await request.clone().text()).answer(request)
    const gate = gates.get(pathname)
    gate?.reached.resolve()
    await gate?.opened.promise
    return new Response('ok')
  })

  return {
    url,
    close,
    credentials: JSON.stringify({ ...await google.createKey(), token_uri: `${url}/token` }),
    gate(path) {
      const gate = { reached: deferred(), opened: deferred() }
      gates.set(path, gate)
      return { reached: gate.reached.promise, open: gate.opened.resolve }
    },
    tokenEndpoint(audience) {
      const endpoint = new TokenEndpoint(exchange)
      endpoints.set(audience, endpoint)
      return endpoint
    },
  }

  function endpointFor(form) {
    const { target_audience } = decodeJwt(new URLSearchParams(form).get('assertion'))
    return endpoints.get(target_audience)
  }

  /** One at a time, because the age of tokens is a setting of all of Google. */
  function exchange(request, age) {
    turn = turn.catch(() => {}).then(() => {
      google.settings.idTokenAge = age
      // Else two tokens of one second are the same.
      google.settings.idTokenClaims = { jti: String(++issued) }
      return google.handle(request)
    })
    return turn
  }
}

/** The token endpoint for one audience: every exchange is answered at once, but for those that are held. */
class TokenEndpoint {
  exchanges = 0
  tokens = []
  /** How many seconds ago the tokens were issued that it gives out. */
  age = 0
  #exchange
  #held = []

  constructor(exchange) {
    this.#exchange = exchange
  }

  hold() {
    const held = { asked: deferred(), dropped: deferred(), answer: deferred() }
    this.#held.push(held)
    return { asked: held.asked.promise, dropped: held.dropped.promise, answer: held.answer.resolve }
  }

  async answer(request) {
    this.exchanges++
    const held = this.#held.shift()
    if (held) request.signal.onabort = held.dropped.resolve
    held?.asked.resolve()
    const response = await held?.answer.promise ?? await this.#exchange(request, this.age)
    request.signal.onabort = null
    if (response.ok) this.tokens.push((await response.clone().json()).id_token)
    return response
  }
}

function deferred() {
  let resolve
  const promise = new Promise((settle) => resolve = settle)
  return { promise, resolve }
}
