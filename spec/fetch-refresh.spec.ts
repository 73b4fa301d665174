import { authorizedFetch } from 'gcp-id-token/fetch'
import type { GetToken } from 'gcp-id-token/fetch'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FakeClock } from './support/clock.ts'
import { rejects } from './support/errors.ts'
import { newService, newTokens, watchedResponse } from './support/service.ts'
import type { Answer } from './support/service.ts'

const test = suite('authorizedFetch: a token that the service refuses')

const SERVICE = 'https://hello-uc.a.run.app'
const OLD = 3600

test('is replaced, and the request sent once more', async () => {
  const { service, tokens, fetch } = newScene([refusal(), () => new Response('fine')])
  const response = await fetch(`${SERVICE}/path`, { headers: { 'x-own': 'own' } })
  assert.is(await response.text(), 'fine')
  assert.equal(tokens.asked.map(({ audience, forceRefresh }) => [audience, forceRefresh]),
    [[SERVICE, undefined], [SERVICE, true]])
  assert.equal(service.sent.map(({ url, headers }) => [url, headers.get('x-own'), headers.get('authorization')]),
    tokens.tokens.map((token) => [`${SERVICE}/path`, 'own', `Bearer ${token}`]))
})

test('is replaced for an audience of one\'s own, in the same header, with the same signal', async () => {
  const controller = new AbortController()
  const service = newService(refusal(), () => new Response('fine'))
  const { tokens, asked, getToken } = newTokens(OLD, 0)
  const options = { audience: 'hello', origins: [SERVICE], fetch: service.fetch }
  const init = { headers: { authorization: 'Basic app' }, signal: controller.signal }
  await authorizedFetch(getToken, options)(SERVICE, init)
  assert.equal(asked.map(({ audience }) => audience), ['hello', 'hello'])
  assert.equal(service.sent.map(({ headers }) => headers.get('authorization')), ['Basic app', 'Basic app'])
  assert.equal(service.sent.map(({ headers }) => headers.get('x-serverless-authorization')),
    tokens.map((token) => `Bearer ${token}`))
  controller.abort()
  assert.ok([...asked, ...service.sent].every(({ signal }) => signal!.aborted))
})

test('is replaced once only', async () => {
  const { service, tokens, fetch } = newScene([refusal()], [OLD, OLD, OLD])
  assert.is((await fetch(SERVICE)).status, 401)
  assert.equal([service.sent.length, tokens.asked.length], [2, 2])
})

const challenges: [challenge: string | null, isReplaced: boolean][] = [
  ['Bearer error="invalid_token" error_description="The access token could not be verified"', true],
  ['Bearer realm="a", error="invalid_token", error_description="The access token expired"', true],
  ['Bearer error=invalid_token', true],
  ['Basic realm="a", Bearer error="invalid_token"', true],
  ['Bearer error="insufficient_scope"', false],
  ['Bearer error="invalid_request"', false],
  ['Bearer', false],
  ['', false],
  [null, false]
]

for (const [challenge, isReplaced] of challenges) {
  test(`is ${isReplaced ? 'replaced' : 'left'} for ${challenge}`, async () => {
    const { service, fetch } = newScene([refusal(challenge), () => new Response('fine')])
    assert.is((await fetch(SERVICE)).status, isReplaced ? 200 : 401)
    assert.is(service.sent.length, isReplaced ? 2 : 1)
  })
}

test('is replaced for a 401 only', async () => {
  for (const status of [200, 400, 403, 407, 500]) {
    const { service, fetch } = newScene([refusal(undefined, status)])
    assert.is((await fetch(SERVICE)).status, status)
    assert.is(service.sent.length, 1)
  }
})

test('is replaced when it is over a minute old', async () => {
  for (const [age, sent] of [[-60, 1], [0, 1], [55, 1], [65, 2], [3600, 2]] as [number, number][]) {
    const { service, tokens, fetch } = newScene([refusal()], [age, 0])
    await fetch(SERVICE)
    assert.equal([service.sent.length, tokens.asked.length], [sent, sent], `${age} s`)
  }
})

test('is left at a minute to the millisecond', async () => {
  const clock = new FakeClock()
  try {
    for (const [later, sent] of [[0, 1], [1, 2]] as const) {
      const { service, fetch } = newScene([refusal()], [60, 0])
      await clock.advance(later)
      await fetch(SERVICE)
      assert.is(service.sent.length, sent, `${later} ms later`)
    }
  } finally {
    clock.restore()
  }
})

test('is left when nobody can tell how old it is', async () => {
  const payloads = ['{}', 'null', '[]', '"', '{"iat":"soon"}', '{"iat":{}}', '']
  for (const token of ['token', 'a.b', 'a..c', 'a.*.c', ...payloads.map((payload) => `a.${btoa(payload)}.c`)]) {
    const service = newService(refusal())
    const getToken: GetToken = async ({ forceRefresh }) => forceRefresh ? 'new' : token
    const response = await authorizedFetch(getToken, { fetch: service.fetch })(SERVICE)
    assert.equal([response.status, service.sent.length], [401, 1], token)
  }
})

test('is read whatever else it says', async () => {
  const payload = JSON.stringify({ name: 'Zoë ÿÿÿ>>>???', iat: 1 })
  const bytes = String.fromCharCode(...new TextEncoder().encode(payload))
  const base64url = btoa(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
  assert.match(base64url, /[-_]/)
  const service = newService(refusal(), () => new Response('fine'))
  const getToken: GetToken = async ({ forceRefresh }) => forceRefresh ? 'new' : `a.${base64url}.c`
  assert.is((await authorizedFetch(getToken, { fetch: service.fetch })(SERVICE)).status, 200)
})

test('leaves the response to the caller when the same one comes again', async () => {
  const { response, isCancelled } = watchedResponse(refused())
  const { service, tokens, fetch } = newScene([() => response], [OLD])
  assert.is(await fetch(SERVICE), response)
  assert.equal([service.sent.length, tokens.asked.length, isCancelled()], [1, 2, false])
})

test('leaves the response to the caller when no other one can be had', async () => {
  const old = newTokens(OLD).tokens[0]!
  const ways = [
    async () => Promise.reject(new Error('no')), () => { throw new Error('no') }, async () => undefined as any,
    async () => `${old}\n`
  ]
  for (const way of ways) {
    const { response, isCancelled } = watchedResponse(refused())
    const service = newService(() => response)
    const getToken: GetToken = async ({ forceRefresh }) => forceRefresh ? way() : old
    assert.is(await authorizedFetch(getToken, { fetch: service.fetch })(SERVICE), response)
    assert.equal([service.sent.length, isCancelled()], [1, false])
  }
})

test('leaves the response to the caller who leaves meanwhile', async () => {
  const controller = new AbortController()
  const service = newService(refusal())
  const { tokens } = newTokens(OLD)
  const getToken: GetToken = async ({ forceRefresh, signal }) => {
    if (!forceRefresh) return tokens[0]!
    controller.abort(new Error('the caller left'))
    throw signal!.reason
  }
  const { status } = await authorizedFetch(getToken, { fetch: service.fetch })(SERVICE, { signal: controller.signal })
  assert.equal([status, service.sent.length], [401, 1])
})

test('has its response cancelled', async () => {
  const { response, isCancelled } = watchedResponse(refused())
  const { fetch } = newScene([() => response, () => new Response('fine')])
  await fetch(SERVICE)
  assert.ok(isCancelled())
})

test('is judged without a look at the body', async () => {
  const response = new Response('invalid_token', refused())
  const touches: string[] = []
  const watched = new Proxy(response, {
    get(target, name) {
      if (/^(body|text|json|arrayBuffer|blob|bytes|formData|clone)$/.test(String(name))) touches.push(String(name))
      return Reflect.get(target, name, target)
    }
  })
  const { fetch } = newScene([() => watched], [OLD])
  assert.is(await fetch(SERVICE), watched)
  assert.equal(touches, [])
})

const bytes = new TextEncoder().encode('body')
const bodies: [what: string, body: () => any, text: string | RegExp][] = [
  ['none', () => undefined, ''],
  ['null', () => null, ''],
  ['a text', () => 'body', 'body'],
  ['an empty text', () => '', ''],
  ['an array of bytes', () => bytes, 'body'],
  ['a buffer', () => bytes.slice().buffer, 'body'],
  ['a blob', () => new Blob(['body']), 'body'],
  ['a query', () => new URLSearchParams({ a: 'b' }), 'a=b'],
  ['a form', () => {
    const form = new FormData()
    form.set('a', 'b')
    return form
  }, /name="a"\r\n\r\nb\r\n/]
]

for (const [what, body, text] of bodies) {
  test(`is replaced where the body is ${what}`, async () => {
    const { service, fetch } = newScene([refusal(), () => new Response('fine')])
    const init = { method: 'POST', body: body() }
    assert.is((await fetch(SERVICE, init)).status, 200)
    assert.is(service.texts.length, 2)
    for (const sent of service.texts) assert.match(sent, text instanceof RegExp ? text : new RegExp(`^${text}$`))
    assert.equal(service.sent.map(({ method }) => method), ['POST', 'POST'])
  })
}

test('is replaced for a Request without a body', async () => {
  for (const method of ['GET', 'HEAD', 'DELETE', 'POST']) {
    for (const form of [[new Request(SERVICE, { method })], [SERVICE, new Request(SERVICE, { method })]] as Form[]) {
      const { service, fetch } = newScene([refusal(), () => new Response('fine')])
      assert.is((await fetch(...form)).status, 200)
      assert.equal(service.sent.map((request) => request.method), [method, method])
    }
  }
})

const streams: [what: string, form: () => Form][] = [
  ['a stream', () => [SERVICE, { method: 'POST', body: new Blob(['body']).stream(), duplex: 'half' } as RequestInit]],
  ['that of a Request', () => [new Request(SERVICE, { method: 'POST', body: 'body' })]],
  ['that of a Request with an init', () => [new Request(SERVICE, { method: 'POST', body: 'body' }), {}]],
  ['that of a Request as init', () => [SERVICE, new Request(SERVICE, { method: 'POST', body: 'body' })]]
]

for (const [what, form] of streams) {
  test(`leaves the response to the caller where the body is ${what}`, async () => {
    const { service, tokens, fetch } = newScene([refusal(), () => new Response('fine')])
    const response = await fetch(...form())
    assert.is(response.status, 401)
    assert.is(await response.text(), 'unauthorized')
    assert.equal([service.texts, tokens.asked.length], [['body'], 1])
  })
}

// What some runtimes lack, taken away here.
const lacking: [what: string, form: () => Form][] = [
  ['a Request does not show its body, as in Firefox', () => [doctored({ body: undefined, bodyUsed: true })]],
  ['a Request does not show that its body is used, as in Bun', () => [doctored({ bodyUsed: false })]]
]

for (const [what, form] of lacking) {
  test(`leaves the response to the caller where ${what}`, async () => {
    const { service, fetch } = newScene([refusal(), () => new Response('fine')])
    assert.is((await fetch(...form())).status, 401)
    assert.is(service.sent.length, 1)
  })
}

test('leaves the response to the caller where a stream can not be iterated, as in Safari', async () => {
  const prototype: any = ReadableStream.prototype
  const iterator = Object.getOwnPropertyDescriptor(prototype, Symbol.asyncIterator)
  delete prototype[Symbol.asyncIterator]
  try {
    const { service, fetch } = newScene([refusal(), () => new Response('fine')])
    assert.is((await fetch(...streams[0]![1]())).status, 401)
    assert.is(service.sent.length, 1)
  } finally {
    if (iterator) Object.defineProperty(prototype, Symbol.asyncIterator, iterator)
  }
})

test('is replaced at the end of a redirect', async () => {
  const moved = () => new Response(null, { status: 302, headers: { location: '/to' } })
  for (const form of [[`${SERVICE}/from`], [new Request(`${SERVICE}/from`)]] as Form[]) {
    const { service, fetch } = newScene([moved, refusal(), () => new Response('fine')])
    assert.is((await fetch(...form)).status, 200)
    assert.equal(service.sent.map(({ url }) => new URL(url).pathname), ['/from', '/to', '/to'])
  }
})

test('is replaced before a redirect is followed', async () => {
  const moved = () => new Response(null, { status: 302, headers: { location: '/to' } })
  const { service, tokens, fetch } = newScene([refusal(), moved, () => new Response('fine')])
  assert.is((await fetch(`${SERVICE}/from`)).status, 200)
  const sent = service.sent.map(({ url, headers }) => `${new URL(url).pathname} ${headers.get('authorization')}`)
  const [old, fresh] = tokens.tokens
  assert.equal(sent, [`/from Bearer ${old}`, `/from Bearer ${fresh}`, `/to Bearer ${fresh}`])
})

test('rejects as fetch does when the second request fails', async () => {
  const lost = new TypeError('the connection is gone')
  const { fetch } = newScene([refusal(), () => Promise.reject(lost)])
  assert.is(await rejects(fetch(SERVICE)), lost)
})

test.run()

function newScene(answers: Answer[], ages = [OLD, 0]) {
  const service = newService(...answers)
  const tokens = newTokens(...ages)
  return { service, tokens, fetch: authorizedFetch(tokens.getToken, { fetch: service.fetch }) }
}

function refusal(challenge: string | null = 'Bearer error="invalid_token"', status = 401): () => Response {
  return () => new Response('unauthorized', refused(challenge, status))
}

function refused(challenge: string | null = 'Bearer error="invalid_token"', status = 401): ResponseInit {
  return { status, headers: challenge === null ? {} : { 'www-authenticate': challenge } }
}

function doctored(shown: { body?: undefined, bodyUsed: boolean }): Request {
  const request = new Request(SERVICE, { method: 'POST', body: 'body' })
  for (const [name, value] of Object.entries(shown)) Object.defineProperty(request, name, { value })
  return request
}

type Form = [input: string | URL | Request, init?: RequestInit]
