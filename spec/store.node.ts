// The format, by Node's own crypto: two deployments may share a store, so it changes only with its version.

import { encryptedStore } from 'gcp-id-token/store'
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

const SECRET = 'a secret that the isolates share'
const KEY = 'the digest that the core hands over'
const TOKEN = 'the.id.token'
const NAME = derived('name').toString('base64url')

const format = suite('the format of the encrypted store')

format('is what it writes', async () => {
  const written: [name: string, value: string][] = []
  const set = async (name: string, value: string) => written.push([name, value])
  await encryptedStore({ get: async () => null, set }, { secret: SECRET }).set(KEY, TOKEN, { ttl: 60 })
  const [[name, value]] = written as any
  assert.is(name, NAME)
  assert.match(value, /^[\w-]+$/)

  const bytes = Buffer.from(value, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', derived('value'), bytes.subarray(0, 12))
  decipher.setAAD(Buffer.from(`v1.${KEY}`)).setAuthTag(bytes.subarray(-16))
  assert.is(decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8'), TOKEN)
})

const rows: [what: string, made: string | undefined, change: Partial<Made>][] = [
  ['as it should be', TOKEN, {}],
  ['for another key', undefined, { associated: 'v1.another key' }],
  ['for another version', undefined, { associated: `v2.${KEY}` }],
  ['for no version', undefined, { associated: KEY }],
  ['with the name as its key', undefined, { salt: 'name' }],
  ['with the key of another', undefined, { info: 'v1.another key' }],
  ['with another secret', undefined, { secret: SECRET.toUpperCase() }],
  ['with a short tag', undefined, { tagLength: 12 }]
]
for (const [what, expected, change] of rows) {
  format(`is what it reads: ${what}`, async () => {
    const get = async (name: string) => name === NAME ? make(change) : null
    assert.is(await encryptedStore({ get, set: async () => {} }, { secret: SECRET }).get(KEY), expected)
  })
}

format.run()

interface Made {
  secret: string
  salt: string
  info: string
  associated: string
  tagLength: number
}

function make(change: Partial<Made>) {
  const { secret, salt = 'value', info, associated = `v1.${KEY}`, tagLength = 16 } = change
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', derived(salt, info, secret), iv, { authTagLength: tagLength })
  cipher.setAAD(Buffer.from(associated))
  const sealed = [iv, cipher.update(TOKEN), cipher.final(), cipher.getAuthTag()]
  return Buffer.concat(sealed).toString('base64url')
}

function derived(salt: string, info = `v1.${KEY}`, secret = SECRET) {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, 32))
}
