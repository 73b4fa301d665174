import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { getIdToken } from 'gcp-id-token'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle } from './google/index.ts'
import type { KeyFile } from './google/index.ts'
import { serve } from './google/server.ts'
import { fails } from './support/errors.ts'
import { audience } from './support/google.ts'

// The built-in fetch, over real sockets.
const test = suite('exchange, over HTTP')

test('gets a token from an emulator on loopback', async () => {
  const google = createGoogle()
  const key = await google.createKey()
  const served = await serve((request) => google.handle(request))
  try {
    const token = await getIdToken({ credentials: { ...key, token_uri: `${served.url}/token` }, audience })
    assert.is((await google.keys.verify(token, Date.now())).email, key.client_email)
  } finally {
    await served.close()
  }
})

test('counts the bytes as they come out of the compression', async () => {
  const big = gzipSync('{'.padEnd(70_000))
  assert.ok(big.length < 1000)
  await answered(big, { 'content-encoding': 'gzip' }, (credentials) =>
    fails(getIdToken({ credentials, audience }), 'invalid_response', /64 KiB/))
})

test('reads a compressed answer that is short', async () => {
  await answered(gzipSync('{"id_token":""}'), { 'content-encoding': 'gzip' }, (credentials) =>
    fails(getIdToken({ credentials, audience }), 'invalid_response', /missing/))
})

test('sends nothing to where a redirect points', async () => {
  let reached = 0
  await listening((_, response) => { reached++; response.end() }, async (trap) => {
    for (const status of [302, 303, 307, 308]) {
      const redirect: RequestListener = (_, response) => {
        response.writeHead(status, { location: trap }).end('moved')
      }
      await listening(redirect, async (url) => {
        await fails(getIdToken({ credentials: await keyFor(url), audience }), 'invalid_response', /redirect/)
      })
    }
  })
  assert.is(reached, 0)
})

test('hangs up on who talks without an end', async () => {
  let hungUp!: () => void
  const end = new Promise<void>((resolve) => (hungUp = resolve))
  const endless: RequestListener = (_, response) => {
    const talk = () => { while (response.write(' '.repeat(8192))); }
    response.on('drain', talk).on('close', hungUp)
    talk()
  }
  await listening(endless, async (url) => {
    await fails(getIdToken({ credentials: await keyFor(url), audience }), 'invalid_response', /64 KiB/)
    await end
  })
})

test('names who is not there', async () => {
  const url = await listening(() => {}, async (url) => url)
  const credentials = await keyFor(url)
  const error = await fails(getIdToken({ credentials, audience, retries: 0 }), 'unavailable', /ECONNREFUSED/)
  assert.is(error.status, undefined)
})

test.run()

async function keyFor(url: string): Promise<KeyFile> {
  return { ...(await createGoogle().createKey()), token_uri: `${url}/token` }
}

function answered(
  body: Uint8Array, headers: Record<string, string>, work: (key: KeyFile) => Promise<unknown>
): Promise<unknown> {
  const listener: RequestListener = (_, response) => response.writeHead(200, headers).end(body)
  return listening(listener, async (url) => work(await keyFor(url)))
}

async function listening<T>(listener: RequestListener, work: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}
