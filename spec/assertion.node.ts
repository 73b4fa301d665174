import { createSign } from 'node:crypto'
import { getIdToken } from 'gcp-id-token'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { misused } from './support/errors.ts'
import { setUp } from './support/google.ts'

const test = suite('assertion, beside node:crypto')

test('is signed as OpenSSL signs, byte for byte', async () => {
  const { google, key, options } = await setUp()
  for (const audience of ['https://hello-uc.a.run.app', 'größe 🚀', 'a'.repeat(1000)]) {
    await getIdToken({ ...options, audience })
  }
  assert.is(google.requests.length, 3)
  for (const { form } of google.requests) {
    const [, signed, signature] = /^(.+)\.(.+)$/.exec(form.assertion!)!
    assert.is(createSign('RSA-SHA256').update(signed!).sign(key.private_key, 'base64url'), signature)
  }
})

test('asks for crypto.subtle where there is none, as on pages of http', async () => {
  const { google, options } = await setUp()
  Object.defineProperty(crypto, 'subtle', { value: undefined, configurable: true })
  try {
    await misused(getIdToken(options), /crypto\.subtle must be there.*https/)
  } finally {
    delete (crypto as { subtle?: unknown }).subtle
  }
  assert.is(google.requests.length, 0)
})

test.run()
