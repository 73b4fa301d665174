import { authorizedFetch } from 'gcp-id-token/fetch'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { faults } from './google/index.ts'
import type { Call } from './google/wire.ts'
import { misused, rejects } from './support/errors.ts'
import { newService, newTokens, watchedResponse } from './support/service.ts'

const test = suite('authorizedFetch: redirects')

const SERVICE = 'https://hello-uc.a.run.app'
const REDIRECTS = [301, 302, 303, 307, 308]
/** Methods that nobody has defined, where the runtime takes such; Bun makes a GET of them. */
const ownMethods = ['GETALL', 'FORGET', 'AHEAD', 'HEADING'].filter((method) => {
  try {
    return new Request(SERVICE, { method }).method === method
  } catch {
    return false
  }
})

for (const status of REDIRECTS) {
  for (const method of ['GET', 'HEAD', 'get']) {
    test(`follows a ${status} of a ${method} to the same origin`, async () => {
      const { service, fetch } = newScene(redirect('/to?query', status), () => new Response('there'))
      const response = await fetch(`${SERVICE}/from`, { method, headers: { 'x-own': 'own' } })
      assert.is(await response.text(), 'there')
      assert.equal(service.sent.map(({ url }) => url), [`${SERVICE}/from`, `${SERVICE}/to?query`])
      assert.equal(service.sent.map((request) => request.method), Array(2).fill(method.toUpperCase()))
      const [first, second] = service.sent.map(({ headers }) => [...headers].join())
      assert.is(second, first)
      assert.match(second!, 'x-own,own')
    })
  }

  test(`returns a ${status} of any other method as it came`, async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', ...ownMethods]) {
      await isReturned('/to', `${SERVICE}/from`, { method }, status)
    }
  })
}

test('returns a redirect to any other origin as it came', async () => {
  const places = [
    'https://a.example/', '//a.example/to', `http://hello-uc.a.run.app/`, `${SERVICE}:8443/`, `${SERVICE}.a.example/`,
    'https://user@hello-uc.a.run.app/', 'https://user:password@hello-uc.a.run.app/', `${SERVICE}@a.example/`,
    'data:,hello', 'javascript:1', `blob:${SERVICE}/1`
  ]
  for (const place of places) await isReturned(place)
})

test('follows to the same origin however it is written', async () => {
  const places = [
    '/to', 'to', './to', '../to', `${SERVICE}/to`, `${SERVICE}:443/to`, 'https://HELLO-UC.a.run.app/to',
    '//hello-uc.a.run.app/to', '/to#fragment'
  ]
  for (const place of places) {
    const { service, fetch } = newScene(redirect(place), () => new Response('there'))
    assert.is(await (await fetch(`${SERVICE}/from`)).text(), 'there', place)
    assert.is(service.sent[1]!.url.replace(/#.*/, ''), `${SERVICE}/to`, place)
  }
})

// Workers read these in a way of their own under old compatibility dates.
test('goes to no other origin, however oddly it is written', async () => {
  const places = [
    '\\\\a.example/', '/\\a.example/', 'https:\\\\a.example', 'https:a.example', '/\t/a.example', '///a.example',
    'https:///a.example', `${SERVICE}\\@a.example`, `${SERVICE}/\\@a.example`, `${SERVICE}%2f@a.example/`,
    'HTTPS://A.EXAMPLE/', ' https://a.example/ ', 'https://a.example\\@hello-uc.a.run.app/'
  ]
  for (const place of places) {
    const { service, fetch } = newScene(redirect(place), () => new Response('there'))
    await fetch(`${SERVICE}/from`)
    for (const { url } of service.sent) assert.ok(url.startsWith(`${SERVICE}/`), `${place} leads to ${url}`)
  }
})

test('returns a redirect that leads nowhere as it came', async () => {
  for (const place of [undefined, '', 'https://', 'http://[', 'https://a b.example/']) await isReturned(place)
})

test('returns what only looks like a redirect', async () => {
  for (const status of [200, 201, 300, 304, 305, 399, 404]) {
    await isReturned('/to', `${SERVICE}/from`, {}, status)
    await isReturned('/to', `${SERVICE}/from`, { redirect: 'error' }, status)
  }
})

test('follows ten times, and returns the eleventh as it came', async () => {
  const { service, fetch } = newScene(({ url }) => redirect(`/${Number(new URL(url).pathname.slice(1)) + 1}`)())
  const response = await fetch(`${SERVICE}/0`)
  assert.equal([response.status, response.headers.get('location')], [307, '/11'])
  assert.is(service.sent.at(-1)!.url, `${SERVICE}/10`)
  assert.is(service.sent.length, 11)
})

test('cancels the bodies of the redirects that it follows', async () => {
  const watched = watchedResponse({ status: 302, headers: { location: '/to' } })
  const { fetch } = newScene(() => watched.response, () => new Response('there'))
  await fetch(SERVICE)
  assert.ok(watched.isCancelled())
})

test('is not held up by a body that can not be cancelled', async () => {
  const { fetch } = newScene(() => {
    const response = redirect('/to')()
    Object.defineProperty(response, 'body', { value: { cancel: () => Promise.reject(new Error('not me')) } })
    return response
  }, () => new Response('there'))
  assert.is(await (await fetch(SERVICE)).text(), 'there')
})

test('leaves the body of a redirect that it returns', async () => {
  const { fetch } = newScene(() => new Response('moved', { status: 302, headers: { location: 'https://a.example' } }))
  assert.is(await (await fetch(SERVICE)).text(), 'moved')
})

test('always keeps the runtime from following', async () => {
  for (const redirect of ['follow', 'manual', 'error', undefined] as const) {
    const { service, fetch } = newScene()
    await fetch(SERVICE, redirect && { redirect })
    assert.is(service.sent[0]!.redirect, 'manual')
  }
})

test('manual: returns every redirect as it came', async () => {
  for (const status of REDIRECTS) await isReturned('/to', SERVICE, { redirect: 'manual' }, status)
  await isReturned('/to', new Request(SERVICE, { redirect: 'manual' }))
  await isReturned('/to', SERVICE, new Request('https://a.example', { redirect: 'manual' }))
})

test('the init has the last word', async () => {
  const { fetch } = newScene(redirect('/to'), () => new Response('there'))
  const response = await fetch(new Request(SERVICE, { redirect: 'manual' }), { redirect: 'follow' })
  assert.is(await response.text(), 'there')
  await isReturned('/to', new Request(SERVICE), { redirect: 'manual' })
})

test('error: rejects, and cancels the body', async () => {
  for (const status of REDIRECTS) {
    for (const location of ['/to', 'https://a.example', undefined]) {
      const watched = watchedResponse({ status, headers: location ? { location } : {} })
      const { service, fetch } = newScene(() => watched.response)
      await misused(fetch(SERVICE, { redirect: 'error' }), /redirect/)
      assert.ok(watched.isCancelled())
      assert.is(service.sent.length, 1)
    }
  }
})

test('keeps what was asked for on the way', async () => {
  const init = { headers: { 'x-own': 'own', authorization: 'Basic app' }, keepalive: true }
  const controller = new AbortController()
  const forms = [
    [SERVICE, { ...init, signal: controller.signal }],
    [new URL(SERVICE), { ...init, signal: controller.signal }],
    [new Request(SERVICE, { ...init, signal: controller.signal })],
    [new Request(SERVICE, { headers: { 'x-own': 'before' } }), { ...init, signal: controller.signal }],
    [SERVICE, new Request('https://a.example', { ...init, signal: controller.signal })]
  ] as [string, RequestInit?][]
  const seen = []
  for (const form of forms) {
    const { service, tokens, fetch } = newScene(redirect('/1'), redirect('/2'), () => new Response('there'))
    await fetch(...form)
    for (const { headers, keepalive } of service.sent) {
      assert.equal([headers.get('x-own'), headers.get('authorization')], ['own', 'Basic app'])
      assert.is(headers.get('x-serverless-authorization'), `Bearer ${tokens.tokens[0]}`)
      assert.is(keepalive, new Request(SERVICE, init).keepalive)
    }
    seen.push(...service.sent.map(({ signal }) => signal))
  }
  assert.is(seen.length, 15)
  assert.not(seen.some(({ aborted }) => aborted))
  controller.abort()
  assert.ok(seen.every(({ aborted }) => aborted))
})

test('has the token for an audience of its own on each hop', async () => {
  const { service, tokens, fetch } = newScene(redirect('/to'), () => new Response('there'))
  await fetch(SERVICE)
  assert.equal(tokens.asked.map(({ audience }) => audience), [SERVICE, SERVICE])
  const sent = service.sent.map(({ headers }) => headers.get('authorization'))
  assert.equal(sent, Array(2).fill(`Bearer ${tokens.tokens[0]}`))
})

test('follows on loopback, too', async () => {
  const { service, fetch } = newScene(redirect('http://127.0.0.1:8080/to'), () => new Response('there'))
  await fetch('http://127.0.0.1:8080/from')
  assert.is(service.sent.length, 2)
  await isReturned('http://localhost:8080/to', 'http://127.0.0.1:8080/from')
  await isReturned('http://127.0.0.1:8081/to', 'http://127.0.0.1:8080/from')
})

test('a redirect that the runtime hides rejects, and says so', async () => {
  for (const redirect of ['follow', 'error', undefined] as const) {
    const { service, fetch } = newScene(hidden)
    const error = await rejects(fetch(SERVICE, redirect && { redirect }))
    assert.is(error.name, 'TypeError')
    assert.match(error.message, /redirect.*hidden by the browser/)
    assert.is(service.sent.length, 1)
  }
})

test('manual: a redirect that the runtime hides is returned as it came', async () => {
  const { fetch } = newScene(hidden)
  const { type, status } = await fetch(SERVICE, { redirect: 'manual' })
  assert.equal([type, status], ['opaqueredirect', 0])
})

test.run()

function newScene(...answers: Parameters<typeof newService>) {
  const service = newService(...answers)
  const tokens = newTokens(0)
  return { service, tokens, fetch: authorizedFetch(tokens.getToken, { fetch: service.fetch }) }
}

async function isReturned(
  location: string | undefined, input: string | Request = `${SERVICE}/from`, init: RequestInit = {}, status = 307
): Promise<void> {
  const came = Object.defineProperty(new Response(status === 304 ? null : 'moved'), 'status', { value: status })
  if (location !== undefined) came.headers.set('location', location)
  const { service, fetch } = newScene(() => came)
  assert.is(await fetch(input, init), came, location)
  assert.not(came.bodyUsed)
  assert.is(service.sent.length, 1)
}

function redirect(location: string, status = 307): () => Response {
  return () => new Response('moved', { status, headers: { location } })
}

function hidden(): Response {
  return faults.opaqueRedirect()({} as Call, async () => new Response()) as Response
}
