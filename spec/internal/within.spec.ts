import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { within } from '../../lib/internal/within.ts'
import { rejects } from '../support/errors.ts'

const test = suite('within')

const never = new Promise<never>(() => {})
const DAY = 86_400_000

test('gives what the work comes to', async () => {
  assert.is(await within(DAY, Promise.resolve('done')), 'done')
  const failure = new Error('failed')
  assert.is(await rejects(within(DAY, Promise.reject(failure))), failure)
})

test('gives undefined when the time is up', async () => {
  for (const milliseconds of [-1, 0, 0.5, 1, 5]) assert.is(await within(milliseconds, never), undefined)
})

test('waits for any time, however long', async () => {
  for (const milliseconds of [2 ** 31 - 1, 2 ** 31, 2 ** 40, Infinity]) {
    const work = new Promise((resolve) => setTimeout(resolve, 20, 'done'))
    assert.is(await within(milliseconds, work), 'done')
  }
})

test('lets work that fails too late fail in silence', async () => {
  let fail!: (reason: unknown) => void
  const work = new Promise((_, reject) => (fail = reject))
  assert.is(await within(1, work), undefined)
  fail(new Error('too late'))
  await new Promise((resolve) => setTimeout(resolve, 5)) // the runner counts unhandled rejections
})

test('ends when a signal is aborted', async () => {
  const controller = new AbortController()
  const wait = within(DAY, never, controller.signal)
  controller.abort()
  assert.is(await wait, undefined)
})

test('ends at once when a signal was aborted before', async () => {
  assert.is(await within(DAY, never, AbortSignal.abort()), undefined)
})

test('without work, is a pause', async () => {
  const start = performance.now()
  assert.is(await within(20), undefined)
  assert.ok(performance.now() - start >= 15)
})

test('leaves no listener and no timer behind', async () => {
  const { signal, listeners } = watchedSignal()
  await within(DAY, Promise.resolve(), signal)
  await rejects(within(DAY, Promise.reject(new Error('failed')), signal))
  await within(1, never, signal)
  assert.is(listeners.size, 0)
  // Timers of a day would keep the process from its end, which the runner notices.
})

test.run()

function watchedSignal(): { signal: AbortSignal, listeners: Set<unknown> } {
  const listeners = new Set<unknown>()
  const { signal } = new AbortController()
  signal.addEventListener = (_: string, listener: unknown) => { listeners.add(listener) }
  signal.removeEventListener = (name: string, listener: unknown) => {
    if (name === 'abort') listeners.delete(listener)
  }
  return { signal, listeners }
}
