// Over real sockets, because nothing else tells a stream from a copy of it.

import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { getIdToken } from 'gcp-id-token'
import { authorizedFetch } from 'gcp-id-token/fetch'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle } from './google/index.ts'
import { serve } from './google/server.ts'
import { rejects } from './support/errors.ts'
import { newTokens } from './support/service.ts'

const test = suite<{ stop: (() => unknown)[] }>('authorizedFetch: streams')

test.before.each((context) => { context.stop = [] })
test.after.each(async ({ stop }) => { for (const close of stop) await close() })

test('a body is produced while the response to it is consumed', async ({ stop }) => {
  const { url, fetch } = await newScene(stop)
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  const response = fetch(url, { method: 'POST', body: readable, duplex: 'half' } as RequestInit)
  await converses(writer, response)
})

test('so is that of a Request', async ({ stop }) => {
  const { url, fetch } = await newScene(stop)
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  const request = new Request(url, { method: 'POST', body: readable, duplex: 'half' } as RequestInit)
  await converses(writer, fetch(request))
})

test('and that of a request that a proxy passes on', async ({ stop }) => {
  const { url, fetch } = await newScene(stop)
  const proxy = await serve((request) => {
    // What belongs to the one connection, Node would refuse to send over another.
    for (const name of ['connection', 'host', 'transfer-encoding']) request.headers.delete(name)
    return fetch(url, request)
  })
  stop.push(proxy.close)
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  const headers = { 'x-serverless-authorization': 'Bearer foreign' }
  const init = { method: 'POST', body: readable, duplex: 'half', headers }
  await converses(writer, globalThis.fetch(proxy.url, init as RequestInit))
})

test('a body that Node iterates is sent, and sent once', async ({ stop }) => {
  const bodies: string[] = []
  const url = await listen(stop, async (incoming, outgoing) => {
    bodies.push((await incoming.setEncoding('utf8').toArray()).join(''))
    outgoing.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end('unauthorized')
  })
  const { asked, getToken } = newTokens(3600, 0)
  async function* chunks() {
    yield 'first '
    yield 'second'
  }
  for (const body of [Readable.from(['first ', 'second']), chunks()] as any[]) {
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    const response = await authorizedFetch(getToken)(url, init)
    assert.equal([response.status, await response.text()], [401, 'unauthorized'])
  }
  assert.equal(bodies, ['first second', 'first second'])
  assert.is(asked.length, 2)
})

test('a redirect on the wire is followed, or not', async ({ stop }) => {
  const seen: string[] = []
  const url = await listen(stop, (incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url} ${incoming.headers.authorization}`)
    if (incoming.url === '/from') outgoing.writeHead(302, { location: '/to' }).end('moved')
    else outgoing.end('there')
  })
  const { tokens: [token], getToken } = newTokens(0)
  const fetch = authorizedFetch(getToken)
  assert.is(await (await fetch(`${url}/from`)).text(), 'there')
  assert.is(await (await fetch(new Request(`${url}/from`, { redirect: 'follow' }))).text(), 'there')
  assert.is(await (await fetch(`${url}/from`, { method: 'POST' })).text(), 'moved')
  assert.is(await (await fetch(`${url}/from`, { redirect: 'manual' })).text(), 'moved')
  assert.is((await rejects(fetch(`${url}/from`, { redirect: 'error' }))).name, 'TypeError')
  assert.is((await rejects(fetch(new Request(`${url}/from`, { redirect: 'error' })))).name, 'TypeError')
  const from = `GET /from Bearer ${token}`
  const to = `GET /to Bearer ${token}`
  assert.equal(seen, [from, to, from, to, from.replace('GET', 'POST'), from, from, from])
})

test('the dispatcher of Node stays with the request, redirects and all', async ({ stop }) => {
  const { getToken } = newTokens(0)
  const url = await listen(stop, (incoming, outgoing) => {
    if (incoming.url === '/from') outgoing.writeHead(302, { location: '/to' }).end()
    else outgoing.end()
  })
  const paths: string[] = []
  const before: any = (globalThis as any)[Symbol.for('undici.globalDispatcher.1')]
  const dispatcher = {
    dispatch(options: { path: string }, handler: unknown) {
      paths.push(options.path)
      return before.dispatch(options, handler)
    }
  }
  const response = await authorizedFetch(getToken)(`${url}/from`, { dispatcher } as RequestInit)
  await response.text()
  assert.equal(paths, ['/from', '/to'])
})

test.run()

/** A private service that gives back what it gets, piece by piece. */
async function newScene(stop: (() => unknown)[]) {
  const google = createGoogle()
  const credentials = await google.createKey()
  google.createService({
    invokers: [credentials.client_email],
    handler: ({ body }) => new Response(body)
  })
  const { url, close } = await serve((request) => google.handle(request))
  stop.push(close)
  const fetch = authorizedFetch((request) => getIdToken({ credentials, fetch: google.fetch, ...request }))
  return { url, fetch }
}

/** Each piece is written only when the one before it has come back. */
async function converses(writer: WritableStreamDefaultWriter<Uint8Array>, call: Promise<Response>): Promise<void> {
  const encoder = new TextEncoder()
  const first = writer.write(encoder.encode('first'))
  const response = await call
  assert.is(response.status, 200)
  await first
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  assert.is((await reader.read()).value, 'first')
  for (const piece of ['second', 'third']) {
    await writer.write(encoder.encode(piece))
    assert.is((await reader.read()).value, piece)
  }
  await writer.close()
  assert.ok((await reader.read()).done)
}

async function listen(stop: (() => unknown)[], listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stop.push(() => server.closeAllConnections(), () => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
