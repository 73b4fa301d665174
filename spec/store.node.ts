// The format, by Node's own crypto: two deployments may share a store, so it changes only with its version.

import { encryptedStore } from 'gcp-id-token/store'
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

const SECRET = 'a secret that the isolates share'
const KEY = 'the digest that the core hands over'
const TOKEN = 'the.id.token'
const INFO = { names: 'gcp-id-token v1.HMAC', values: 'gcp-id-token v1.AES-GCM' }
const NAME = createHmac('sha256', derived(INFO.names)).update(KEY).digest('base64url')

const format = suite('the format of the encrypted store')

format('is what it writes', async () => {
  const written: [name: string, value: string][] = []
  const set = async (name: string, value: string) => written.push([name, value])
  await encryptedStore({ get: async () => null, set }, { secret: SECRET }).set(KEY, TOKEN, { ttl: 60 })
  const [[name, value]] = written as any
  assert.is(name, NAME)
  assert.match(value, /^v1\.[\w-]+$/)

  const bytes = Buffer.from(value.slice('v1.'.length), 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', derived(INFO.values), bytes.subarray(0, 12))
  decipher.setAAD(Buffer.from(`v1.${KEY}`)).setAuthTag(bytes.subarray(-16))
  assert.is(decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8'), TOKEN)
})

const rows: [what: string, made: string | undefined, change: Partial<Made>][] = [
  ['as it should be', TOKEN, {}],
  ['for another key', undefined, { associated: 'v1.another key' }],
  ['for another version', undefined, { associated: `v2.${KEY}` }],
  ['for no version', undefined, { associated: KEY }],
  ['with the key for names', undefined, { info: INFO.names }],
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
  info: string
  associated: string
  tagLength: number
}

function make(change: Partial<Made>) {
  const { secret = SECRET, info = INFO.values, associated = `v1.${KEY}`, tagLength = 16 } = change
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', derived(info, secret), iv, { authTagLength: tagLength })
  cipher.setAAD(Buffer.from(associated))
  const sealed = [iv, cipher.update(TOKEN), cipher.final(), cipher.getAuthTag()]
  return `v1.${Buffer.concat(sealed).toString('base64url')}`
}

function derived(info: string, secret = SECRET) {
  return Buffer.from(hkdfSync('sha256', secret, '', info, 32))
}
