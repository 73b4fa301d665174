import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { remember } from '../../lib/internal/remember.ts'

const test = suite('remember')

test('keeps what it is given, under any name', () => {
  const map = new Map<string, string>()
  for (const key of ['', 'a', '__proto__', 'constructor', 'hasOwnProperty']) {
    assert.is(remember(map, key, `${key}!`), `${key}!`)
    assert.is(map.get(key), `${key}!`)
    assert.is(remember(map, key, 'new'), 'new')
    assert.is(map.get(key), 'new')
  }
  assert.is(map.size, 5)
})

test('holds 500 entries, and lets go of what was not put for longest', () => {
  const map = new Map<string, number>()
  for (let i = 0; i < 500; i++) remember(map, `${i}`, i)
  remember(map, '0', 0) // again
  remember(map, '1', -1) // replaced
  assert.is(map.size, 500)
  remember(map, '500', 500)
  remember(map, '501', 501)
  assert.is(map.size, 500)
  assert.is(map.get('2'), undefined)
  assert.is(map.get('3'), undefined)
  const held = ['0', '1', '4', '499', '500', '501'].map((key) => map.get(key))
  assert.equal(held, [0, -1, 4, 499, 500, 501])
})

test.run()
