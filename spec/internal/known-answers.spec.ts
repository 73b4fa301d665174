import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { textFromBase64, toBase64url } from '../../lib/internal/base64.ts'
import { readPrivateKey } from '../../lib/internal/private-key.ts'
import { bodyOf } from '../support/errors.ts'
import * as keys from '../support/keys.ts'

// RFC 7515 appendix A.2: a JWS signed by RS256. `keys.rsa` is the key given there.
const test = suite('known answers')

const HEADER = '{"alg":"RS256"}'
const CLAIMS = '{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
const INPUT = 'eyJhbGciOiJSUzI1NiJ9.' +
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'
const SIGNATURE = [
  'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9',
  'uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB',
  '_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq',
  'Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw'
].join('')

test('RFC 7515 A.2.1: what is signed', () => {
  assert.is([HEADER, CLAIMS].map((part) => toBase64url(new TextEncoder().encode(part))).join('.'), INPUT)
  assert.is(textFromBase64(INPUT.split('.')[1]!), CLAIMS)
})

for (const [form, pem] of [['PKCS#8', keys.rsa], ['PKCS#1', keys.pkcs1]] as const) {
  test(`RFC 7515 A.2.1: the signature, by the key in ${form}`, async () => {
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    const der = readPrivateKey(pem) as Uint8Array<ArrayBuffer>
    const key = await crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
    const signature = await crypto.subtle.sign(algorithm.name, key, new TextEncoder().encode(INPUT))
    assert.is(toBase64url(new Uint8Array(signature)), SIGNATURE)
  })
}

test('PKCS#1 in our wrapping is PKCS#8 as OpenSSL writes it, byte for byte', () => {
  for (const pem of [keys.rsa, keys.pkcs1]) {
    assert.is(btoa(String.fromCharCode(...readPrivateKey(pem))), bodyOf(keys.rsa))
  }
})

// Deno, workerd and Chromium refuse them, Node and Firefox don't.
test('bytes after the DER are left out', () => {
  for (const pem of [keys.rsa, keys.pkcs1]) {
    const longer = pem.replace(/(?<=KEY-----\n)[^-]+/, (body) => btoa(`${atob(body)}\x02\x01\x00`))
    assert.is(btoa(String.fromCharCode(...readPrivateKey(longer))), bodyOf(keys.rsa))
  }
})

test.run()
