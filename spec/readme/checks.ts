import { once } from 'node:events'
import { request } from 'node:http'
import * as assert from 'uvu/assert'
import { AUDIENCE } from './examples.ts'
import type { Example } from './examples.ts'
import type { Outcome, Runner } from './runners.ts'
import { tokenOf } from './stage.ts'
import type { Stage } from './stage.ts'

/**
 * Runs the example: it makes the right token, the service gets it with all that is passed on, and what is
 * promised by `//=>` is printed.
 */
export async function works(example: Example, runner: Runner, stage: Stage): Promise<void> {
  const { google } = stage
  const before = google.requests.length
  const perform = SERVES.test(example.code) ? serves : runs
  const { token, printed = [] } = await perform(example, runner, stage)
  const calls = google.requests.slice(before).filter(({ endpoint }) => endpoint === 'run')
  const promised = [...example.code.matchAll(/\/\/=> (.+)/g)].map(([, text]) => text)
  assert.equal(printed, promised)
  assert.ok(token || calls.length > 0 || promised.length > 0, 'nothing came of it')
  if (token) await stage.verify(token, AUDIENCE)
  for (const call of calls) {
    assert.is(call.status, 200)
    await stage.verify(tokenOf(call), new URL(call.url).origin)
  }
}

const SERVES = /^export default|\.serve\(/m
const PASSES_ON = /\bpathname\b/

async function runs(example: Example, { run }: Runner, stage: Stage): Promise<Partial<Outcome>> {
  assert.ok(run, 'this platform has only servers')
  return run(example, stage)
}

async function serves(example: Example, { serve }: Runner, stage: Stage): Promise<Partial<Outcome>> {
  assert.ok(serve, 'this platform has no servers')
  const { url, close } = await serve(example, stage)
  const { handler } = stage.service
  try {
    if (PASSES_ON.test(example.code)) await passesOn(url, stage)
    else assert.is((await fetch(url)).status, 200)
  } finally {
    stage.service.handler = handler
    await close()
  }
  return {}
}

/** Each piece is written only when the one before it has come through. */
async function passesOn(url: string, { service }: Stage): Promise<void> {
  const answer = newPromise<Response>()
  const arrived = newPromise<Request>()
  service.handler = (request) => {
    arrived.resolve(request)
    return answer.promise
  }

  const call = request(`${url}/orders/7?dry=1`, { method: 'PUT', headers: { 'content-type': 'text/plain' } })
  call.on('error', () => {}) // what breaks is missed below
  call.write('first')
  const { method, url: path, headers, body } = await within(arrived.promise)
  assert.is(`${method} ${path.slice(path.indexOf('/orders'))}`, 'PUT /orders/7?dry=1')
  assert.is(headers.get('content-type'), 'text/plain')
  const upwards = body!.pipeThrough(new TextDecoderStream()).getReader()
  assert.is((await within(upwards.read())).value, 'first')
  for (const piece of ['second', 'third']) {
    call.write(piece)
    assert.is((await within(upwards.read())).value, piece)
  }
  call.end()
  assert.ok((await within(upwards.read())).done)

  const { readable, writable } = new TextEncoderStream()
  answer.resolve(new Response(readable, { headers: { 'x-from': 'the service' } }))
  const writer = writable.getWriter()
  const written = writer.write('one')
  const [response] = await within(once(call, 'response'))
  assert.is(response.headers['x-from'], 'the service')
  const downwards = response.setEncoding('utf8')[Symbol.asyncIterator]()
  const next = (): Promise<IteratorResult<string>> => within(downwards.next())
  assert.is((await next()).value, 'one')
  await written
  for (const piece of ['two', 'three']) {
    await writer.write(piece)
    assert.is((await next()).value, piece)
  }
  await writer.close()
  assert.ok((await next()).done)
}

function newPromise<T>(): { promise: Promise<T>, resolve(value: T): void } {
  let resolve: (value: T) => void
  const promise = new Promise<T>((settle) => { resolve = settle })
  return { promise, resolve: resolve! }
}

/** What is held back until the end would never come. */
async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, PATIENCE, new Error('nothing came: is it held back?'))
  })
  return Promise.race([promise, silence]).finally(() => clearTimeout(timer))
}

const PATIENCE = 20_000
