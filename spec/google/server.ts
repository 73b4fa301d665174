import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export interface Served {
  /** `http://127.0.0.1:…`, without a slash at the end. */
  url: string
  close(): Promise<void>
}

/** A loopback server around a function from Request to Response; bodies stream both ways. */
export function serve(handle: (request: Request) => Promise<Response>, port: number = 0): Promise<Served> {
  const server = createServer((incoming, outgoing) => {
    answer(handle, incoming, outgoing).catch(() => incoming.socket.resetAndDestroy())
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      close: () => new Promise(done => {
        server.close(() => done())
        server.closeAllConnections()
      })
    }))
  })
}

async function answer(
  handle: (request: Request) => Promise<Response>, incoming: IncomingMessage, outgoing: ServerResponse
): Promise<void> {
  const left = new AbortController()
  outgoing.once('close', () => left.abort())
  const response = await handle(toRequest(incoming, left.signal))
  outgoing.sendDate = false
  outgoing.writeHead(response.status, [...response.headers].flat())
  if (response.body) await pipeline(Readable.fromWeb(response.body as any), outgoing)
  else outgoing.end()
}

function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const { method = 'GET', url = '/', headers } = incoming
  const all = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value].flat()) if (one !== undefined) all.append(name, one)
  }
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return new Request(new URL(url, `http://${headers.host}`), {
    method,
    headers: all,
    signal,
    ...hasBody && { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' }
  })
}
