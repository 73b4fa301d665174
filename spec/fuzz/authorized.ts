// authorizedFetch, between a source of tokens and a service that both do what they like.

import { authorizedFetch } from 'gcp-id-token/fetch'
import type { AuthorizedFetchOptions } from 'gcp-id-token/fetch'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { damage } from '../support/mangled.ts'
import { headers, latin1 } from './answers.ts'
import { judge } from './oracle.ts'
import { journal, jwt, respond, Stage } from './stage.ts'

const URLS = [
  'https://service.example/orders?x=1', 'https://service.example', 'https://service.example/?a#b',
  'https://other.example:8443/', 'HTTPS://SERVICE.EXAMPLE:443/', 'http://localhost:8080/a', 'http://127.0.0.1/',
  'http://[::1]:1/'
]
const ODD_URLS = [
  'http://service.example/', '/orders', 'https://user:pass@service.example/', 'http://localhost.evil.example/',
  'https://service.example.', '//other.example/', 'https:service.example', 'data:,x', ''
]
const CHALLENGES = [
  'Bearer error="invalid_token" error_description="The access token could not be verified"', 'invalid_token',
  'Basic realm="x", Bearer error=invalid_token', 'Bearer error="insufficient_scope"', 'Bearer'
]
const MISUSE = /^(The URL|audience|origins|header|getToken|fetch) must be |^A redirect came/
const MOST_REQUESTS = 22

const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...URLS) },
  { weight: 1, arbitrary: fc.constantFrom(...ODD_URLS) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...URLS), damage()).map(([url, change]) => change(url)) },
  { weight: 1, arbitrary: fc.webUrl({ validSchemes: ['https', 'http'], withQueryParameters: true }) }
)

/** Gives a token of that age, changed or not, or something else. */
const token: fc.Arbitrary<() => unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -100, max: 4000 }).map((age) => () => tokenOf({ age })) },
  { weight: 2, arbitrary: fc.tuple(fc.nat(), damage()).map(([age, change]) => () => change(tokenOf({ age }))) },
  { weight: 1, arbitrary: fc.jsonValue().map((claims) => () => jwt(JSON.stringify(claims))) },
  { weight: 1, arbitrary: fc.anything().map((value) => () => value) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }).map((text) => () => text) },
  { weight: 1, arbitrary: fc.constant(() => { throw REFUSAL }) }
)

const REFUSAL = new Error('no token today')

const challenge = fc.oneof(
  fc.constantFrom(...CHALLENGES),
  fc.tuple(fc.constantFrom(...CHALLENGES), damage()).map(([text, change]) => change(text)),
  latin1
)

const answer = fc.record({
  status: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(200, 401, 401, 401, 302, 307, 0) },
    { weight: 1, arbitrary: fc.integer({ min: 200, max: 599 }) }
  ),
  challenge: fc.option(challenge),
  location: fc.option(text),
  headers
})

const init = fc.tuple(
  fc.record({
    redirect: fc.constantFrom(...['follow', 'manual', 'error'] as const),
    headers: fc.dictionary(
      fc.constantFrom('authorization', 'x-serverless-authorization', 'host', 'x'), latin1, { maxKeys: 2 }
    )
  }, { requiredKeys: [] }),
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom({}, { method: 'GET' }, { method: 'HEAD' }) },
    { weight: 1, arbitrary: fc.constantFrom({ method: 'POST', body: 'an order' }, { method: 'PUT', body: '' }) }
  )
).map(([init, more]): RequestInit => ({ ...init, ...more }))

const options: fc.Arbitrary<AuthorizedFetchOptions> = fc.record({
  audience: fc.oneof(text, fc.constant('client-id.apps.googleusercontent.com')),
  origins: fc.oneof(
    fc.constant(['https://service.example', 'http://localhost:8080', 'https://other.example:8443']),
    fc.array(text)
  ),
  header: fc.constantFrom(...['auto', 'authorization', 'x-serverless-authorization'] as const)
}, { requiredKeys: [] })

const inputs = fc.record({
  url: text,
  as: fc.constantFrom('text', 'URL', 'Request', 'init'),
  init,
  options: fc.oneof(fc.constant<AuthorizedFetchOptions>({}), options),
  tokens: fc.array(token, { minLength: 1, maxLength: 3 }),
  answers: fc.array(answer, { minLength: 1, maxLength: 13 })
})

export const authorized = {
  inputs,
  async outcome({ url, as, init, options, tokens, answers }: Input): Promise<string> {
    const stage = new Stage()
    const given: Response[] = []
    let asked = 0
    const getToken = async () => {
      const value: any = tokens[Math.min(asked++, tokens.length - 1)]!()
      journal.note(`token: ${typeof value === 'string' ? JSON.stringify(value) : typeof value}`)
      if (typeof value === 'string' && value.length > 11) stage.secrets.add(value)
      return value
    }
    const send = async (request: Request) => {
      checkPlace(request, options)
      assert.ok(given.length < MOST_REQUESTS, 'no end of requests')
      const { status, challenge, location, headers } = answers[given.length % answers.length]!
      journal.note(`> ${request.method} ${request.url}`)
      const more = { ...headers, ...(challenge && { 'www-authenticate': challenge }), ...(location && { location }) }
      const response = respond(status || 302, null, more)
      if (!status) Object.defineProperty(response, 'status', { value: 0 })
      given.push(response)
      return response
    }
    journal.note(`fetch: ${JSON.stringify([as, url, init, options])}`)
    const request = argumentsFor(url, as, init)
    // What the platform refuses, it says in words of its own.
    if (!request || !isPossible(request)) return 'no request'
    const call = async () => authorizedFetch(getToken, { ...options, fetch: send })(...request)
    const word = await judge(stage, call, {
      misuse: MISUSE,
      reason: REFUSAL,
      value: (response) => assert.ok(given.includes(response as Response), 'a response from elsewhere')
    })
    return word === 'token' ? 'response' : word
  }
}

/** A token goes over TLS or to loopback, and with an audience of one's own to its origin or the named ones only. */
function checkPlace({ url, headers }: Request, { audience, origins }: AuthorizedFetchOptions): void {
  const { origin, protocol, hostname } = new URL(url)
  const bearer = [headers.get('authorization'), headers.get('x-serverless-authorization')]
  assert.ok(bearer.some((value) => value?.startsWith('Bearer ')), `without a token to ${url}`)
  assert.ok(protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname), url)
  const allowed = origins ?? (audience === undefined ? [origin] : [new URL(audience).origin])
  assert.ok(allowed.includes(origin), url)
}

function argumentsFor(url: string, as: string, init: RequestInit): [any, any?] | undefined {
  try {
    if (as === 'text') return [url, init]
    if (as === 'URL') return [new URL(url), init]
    const request = new Request(url, init)
    return as === 'Request' ? [request] : [url, request]
  } catch {
    return undefined
  }
}

function isPossible([input, init]: [any, any?]): boolean {
  try {
    const copies = [input, init].map((value) => value instanceof Request ? value.clone() : value)
    return !!new Request(...copies as [Request, RequestInit])
  } catch {
    return false
  }
}

function tokenOf({ age }: { age: number }): string {
  const iat = Math.floor(Date.now() / 1000) - age
  return jwt(JSON.stringify({ aud: 'https://service.example', iat, exp: iat + 3600 }))
}

type Input = typeof inputs extends fc.Arbitrary<infer T> ? T : never
