import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Table } from '../../lib/internal/table.ts'

const test = suite('table')

test('keeps what it is given, under any name', () => {
  const table = new Table<string>()
  for (const key of ['', 'a', '__proto__', 'constructor', 'hasOwnProperty']) {
    assert.is(table.get(key), undefined)
    table.set(key, `${key}!`)
    assert.is(table.get(key), `${key}!`)
    table.set(key, 'new')
    assert.is(table.get(key), 'new')
    table.delete(key)
    assert.is(table.get(key), undefined)
  }
})

test('holds 500 entries, and lets go of what was not used for longest', () => {
  const table = new Table<number>()
  for (let i = 0; i < 500; i++) table.set(`${i}`, i)
  assert.is(table.get('0'), 0) // used
  table.set('1', -1) // replaced, which is a use as well
  table.set('500', 500)
  table.set('501', 501)
  assert.is(table.get('2'), undefined)
  assert.is(table.get('3'), undefined)
  const held = ['0', '1', '4', '499', '500', '501'].map((key) => table.get(key))
  assert.equal(held, [0, -1, 4, 499, 500, 501])
})

test('has room again for what was deleted', () => {
  const table = new Table<number>()
  for (let i = 0; i < 500; i++) table.set(`${i}`, i)
  table.delete('250')
  table.delete('nobody')
  table.set('500', 500)
  assert.is(table.get('0'), 0)
})

test.run()
