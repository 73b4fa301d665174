import { equal, ok } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'

/** For one attempt. Even a busy machine comes to what is to happen in it; a dead leader is found after it. */
const TIMEOUT = 3000
/** Whoever waits longer than this hangs: a lease and an attempt of one's own fit in several times. */
const PATIENCE = 15_000

/** One case's stage: one fresh isolate, one audience, and the callers that meet there. */
export class Scene {
  /** Milliseconds that the slowest caller of all waited. */
  longest = 0
  #host
  #worker
  #audience
  #endpoint
  #callers = 0
  #isolates = new Set()

  constructor(host, worker, audience) {
    this.#host = host
    this.#worker = worker
    this.#audience = audience
    this.#endpoint = host.tokenEndpoint(audience)
  }

  /** Holds back the answer to the next exchange. All others are answered at once. */
  hold() {
    const { asked, dropped, answer } = this.#endpoint.hold()
    return {
      asked: () => within(asked, 'nobody asked Google'),
      /** The connection was closed before the answer: whoever asked is gone. */
      dropped: () => within(dropped, 'the exchange outlived its request'),
      answer,
    }
  }

  /** From now on Google's tokens arrive as if issued so many seconds ago. */
  age(seconds) {
    this.#endpoint.age = seconds
  }

  /** One request, which asks for a token. `options` are those of `getIdToken`, and those of main.js. */
  call(options = {}) {
    const id = `${new URL(this.#audience).hostname}-${++this.#callers}`
    const [leave, joined, store, linger] = ['leave', 'joined', 'store', 'linger']
      .map((name) => this.#host.gate(`/${name}/${id}`))
    if (!options.end) joined.open()
    const outcome = this.#send({ id, audience: this.#audience, timeout: TIMEOUT, ...options })

    return {
      outcome,
      /** It asked for a token, and had time to find the flight that it joins. */
      async joined() {
        await within(joined.reached, 'the request did not come to ask for a token')
        await sleep(100)
      },
      /** It comes to the end that it was made for, and the runtime had time to notice. */
      async end() {
        joined.open()
        await outcome
        await sleep(100)
      },
      /** Its client goes away, and the runtime had time to notice. */
      async leave() {
        leave.open()
        await outcome
        await sleep(100)
      },
      readsStore: () => within(store.reached, 'nobody read the store'),
      /** It has its token, or its error, and goes on with something else. */
      lingers: () => within(linger.reached, 'the request did not go on'),
    }
  }

  async #send(order) {
    const started = Date.now()
    try {
      const response = await fetch(this.#worker, {
        method: 'POST',
        body: JSON.stringify(order),
        signal: AbortSignal.timeout(PATIENCE),
      })
      const text = await response.text()
      if (!response.ok) return { failure: `${response.status} ${text}` }
      const answer = JSON.parse(text)
      if (answer.isolate) this.#isolates.add(answer.isolate)
      if (answer.token) this.longest = Math.max(this.longest, Date.now() - started)
      return answer
    } catch (error) {
      return { failure: error.name === 'TimeoutError' ? 'hung' : String(error) }
    }
  }

  /** All of them get a token that Google issued for the audience. */
  async serves(...callers) {
    const answers = await Promise.all(callers.map(({ outcome }) => outcome))
    for (const { token, ...rest } of answers) {
      ok(token, `no token: ${JSON.stringify(rest)}`)
      equal(decodeJwt(token).aud, this.#audience)
      ok(this.#endpoint.tokens.includes(token), 'a token that Google did not issue')
    }
    equal(this.#isolates.size, 1, 'the requests did not meet in one isolate')
    return answers.map(({ token }) => token)
  }

  /** All of them get this error. */
  async refuses(code, ...callers) {
    const answers = await Promise.all(callers.map(({ outcome }) => outcome))
    for (const answer of answers) equal(answer.error?.code, code, `not refused: ${JSON.stringify(answer)}`)
  }

  costs(exchanges) {
    const seen = this.#endpoint.exchanges
    equal(seen, exchanges, `${seen} exchanges instead of ${exchanges}`)
  }
}

async function within(promise, complaint) {
  const over = new AbortController()
  const silence = sleep(PATIENCE, complaint, over)
  silence.catch(() => {})
  const complained = await Promise.race([promise, silence])
  over.abort()
  if (complained === complaint) throw new Error(complaint)
}
