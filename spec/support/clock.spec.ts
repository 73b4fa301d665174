import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FakeClock } from './clock.ts'
import { rejects } from './errors.ts'

const test = suite('fake clock')

const real = { now: Date.now, setTimeout, clearTimeout, sign: crypto.subtle.sign }

test('fires timers in the order of their times, with the time right in each', async () => {
  const clock = new FakeClock()
  const start = Date.now()
  const seen: string[] = []
  const note = (name: string) => seen.push(`${name} ${Date.now() - start}`)
  setTimeout(note, 30, 'c')
  setTimeout(note, 10, 'a')
  setTimeout(note, 10, 'b')
  setTimeout(note, 40, 'late')
  clearTimeout(setTimeout(note, 20, 'cleared'))
  await clock.advance(35)
  assert.equal(seen, ['a 10', 'b 10', 'c 30'])
  assert.is(Date.now() - start, 35)
  assert.is(clock.timers.length, 1)
  clock.restore()
})

test('waits for crypto and streams before time goes on', async () => {
  const clock = new FakeClock()
  const start = Date.now()
  const key = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, true, ['sign'])
  const work = async () => {
    for (let i = 0; i < 20; i++) {
      const bytes = new Uint8Array(await crypto.subtle.sign('HMAC', key, new Uint8Array(100_000)))
      await new Response(JSON.stringify([...bytes])).text()
    }
    setTimeout(() => work(), 1000)
    return Date.now() - start
  }
  setTimeout(() => {}, 5)
  assert.is(await clock.until(work()), 0)
  await clock.advance(3500)
  assert.is(Date.now() - start, 3500)
  assert.is(clock.timers.length, 1)
  clock.restore()
})

test('tells what is pending, and what never will be anything else', async () => {
  const clock = new FakeClock()
  assert.is(await clock.atOnce(crypto.subtle.digest('SHA-256', new Uint8Array(1)).then(() => 'done')), 'done')
  assert.match((await rejects(clock.atOnce(new Promise(() => {})))).message, 'pending')
  assert.match((await rejects(clock.until(new Promise(() => {})))).message, 'Nothing will ever happen')
  const work = new Promise((resolve) => setTimeout(resolve, 3_600_000, 'an hour later'))
  assert.is(await clock.until(work), 'an hour later')
  clock.restore()
})

test('moves only at I/O, or never, when told so', async () => {
  const clock = new FakeClock('at I/O')
  const start = Date.now()
  setTimeout(() => {}, 100)
  await clock.advance(1000)
  assert.is(Date.now() - start, 100)
  clock.io()
  assert.is(Date.now() - start, 1000)
  clock.moves = 'never'
  setTimeout(() => {}, 100)
  await clock.advance(1000)
  clock.io()
  assert.is(Date.now() - start, 1000)
  assert.is(clock.now - start, 2000)
  clock.restore()
})

test('lets timers be late', async () => {
  const clock = new FakeClock()
  clock.lateness = 50
  const start = clock.now
  await clock.until(new Promise((resolve) => setTimeout(resolve, 100)))
  const late = clock.now - start - 100
  assert.ok(late > 0 && late < 50, `${late}`)
  clock.restore()
})

test('drops timers', async () => {
  const clock = new FakeClock()
  let fired = ''
  setTimeout(() => { fired += 'a' }, 1)
  const dropped = clock.timers
  setTimeout(() => { fired += 'b' }, 1)
  clock.drop(dropped)
  await clock.advance(10)
  assert.is(fired, 'b')
  clock.restore()
})

test('puts everything back', () => {
  new FakeClock().restore()
  assert.equal({ now: Date.now, setTimeout, clearTimeout, sign: crypto.subtle.sign }, real)
})

test.run()
