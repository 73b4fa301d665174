import { X509Certificate } from 'node:crypto'
import { request } from 'node:http'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle, faults } from './index.ts'
import type { Google } from './index.ts'
import { serve } from './server.ts'
import type { Served } from './server.ts'

const test = suite<{ google: Google, served: Served }>('local Google: on loopback')

test.before.each(async context => {
  context.google = createGoogle()
  context.served = await serve(request => context.google.handle(request))
})

test.after.each(context => context.served.close())

test('tells its parts by their path', async ({ google, served }) => {
  for (const path of ['/token', '/oauth2/v4/token', '/o/oauth2/token']) {
    const body = new URLSearchParams({ grant_type: 'x' })
    const response = await fetch(served.url + path, { method: 'POST', body })
    assert.is(response.status, 400)
    assert.is((await response.json()).error_description, 'Invalid grant_type: x')
  }
  assert.is((await fetch(`${served.url}/oauth2/v3/certs`)).status, 200)
  assert.is((await fetch(`${served.url}/`)).status, 404)
  google.createService()
  assert.is((await fetch(`${served.url}/`)).status, 403)
})

test('tells a ping for the metadata server from a call of the service', async ({ google, served }) => {
  google.createService()
  google.runOnGoogleCloud()
  const ping = await fetch(served.url, { headers: { 'metadata-flavor': 'Google' } })
  assert.is(ping.headers.get('metadata-flavor'), 'Google')
  assert.is((await fetch(served.url)).status, 403)
})

test('publishes certificates that anybody can read', async ({ google, served }) => {
  const certificates = await (await fetch(`${served.url}/oauth2/v1/certs`)).json() as Record<string, string>
  for (const { kid, n } of (await google.keys.jwks()).keys) {
    const certificate = new X509Certificate(certificates[kid!]!)
    assert.ok(certificate.verify(certificate.publicKey))
    assert.is(certificate.publicKey.export({ format: 'jwk' }).n, n)
    assert.is(certificate.subject, 'CN=federated-signon.system.gserviceaccount.com')
    assert.ok(Date.parse(certificate.validFrom) < Date.now() && Date.now() < Date.parse(certificate.validTo))
  }
})

test('answers as a proxy too', async ({ google, served }) => {
  google.runOnGoogleCloud()
  const path = 'http://metadata.google.internal/'
  const status = await new Promise((resolve, reject) => {
    request(served.url, { path }, response => resolve(response.resume().statusCode)).on('error', reject).end()
  })
  assert.is(status, 200)
})

test('carries Google\'s Date, or none', async ({ google, served }) => {
  google.settings.clockOffset = -86400
  const { headers } = await fetch(`${served.url}/token`)
  assert.ok(Date.parse(headers.get('date')!) < Date.now() - 86000 * 1000)
  google.settings.dateHeader = false
  assert.is((await fetch(`${served.url}/token`)).headers.get('date'), null)
})

test('refuses before a large upload is over, and stays well', async ({ google, served }) => {
  google.createService()
  const endless = new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(65536)) })
  const upload = { method: 'POST', body: endless, duplex: 'half' } as RequestInit
  assert.is((await fetch(served.url, upload)).status, 403)
  assert.is((await fetch(served.url)).status, 403)
})

test('streams bodies both ways', async ({ google, served }) => {
  google.createService({ invokers: ['allUsers'], handler: ({ body }) => new Response(body) })
  const parts = new TransformStream<Uint8Array, Uint8Array>()
  const writer = parts.writable.getWriter()
  const pending = fetch(served.url, { method: 'POST', body: parts.readable, duplex: 'half' } as RequestInit)
  writer.write(Uint8Array.of(1))
  const reader = (await pending).body!.getReader()
  assert.equal([...(await reader.read()).value!], [1])
  writer.write(Uint8Array.of(2))
  assert.equal([...(await reader.read()).value!], [2])
  writer.close()
  assert.is((await reader.read()).done, true)
})

test('drops connections, before an answer and within it', async ({ google, served }) => {
  google.next('certs', faults.dropped(), faults.broken())
  const url = `${served.url}/oauth2/v3/certs`
  await rejected(fetch(url), 'TypeError')
  const response = await fetch(url)
  assert.is(response.status, 200)
  await rejected(response.text(), 'TypeError')
  assert.is((await fetch(url)).status, 200)
})

test('sends much in little', async ({ google, served }) => {
  google.next('certs', faults.zipped(1_000_000))
  const response = await fetch(`${served.url}/oauth2/v3/certs`)
  assert.is(response.headers.get('content-encoding'), 'gzip')
  assert.is((await response.text()).length, 1_000_000)
})

test('notices when the caller leaves', async ({ google, served }) => {
  const gone = new Promise<void>(resolve => {
    google.next('certs', ({ request }) => new Promise(() => {
      request.signal.addEventListener('abort', () => resolve())
    }))
  })
  const controller = new AbortController()
  const pending = fetch(`${served.url}/oauth2/v3/certs`, { signal: controller.signal })
  while (google.requests.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  controller.abort()
  await rejected(pending, 'AbortError')
  await gone
})

test.run()

async function rejected(promise: Promise<unknown>, name: string): Promise<void> {
  const found = await promise.then(() => 'nothing', error => error.name)
  assert.is(found, name)
}
