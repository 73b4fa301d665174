import fc from 'fast-check'
import { base64url } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromBase64, textFromBase64, toBase64url } from '../../lib/internal/base64.ts'

const test = suite('base64')

// RFC 4648 section 10: text, and its base64.
const vectors: [text: string, base64: string][] = [
  ['', ''],
  ['f', 'Zg=='],
  ['fo', 'Zm8='],
  ['foo', 'Zm9v'],
  ['foob', 'Zm9vYg=='],
  ['fooba', 'Zm9vYmE='],
  ['foobar', 'Zm9vYmFy']
]

for (const [text, base64] of vectors) {
  test(`RFC 4648: "${text}"`, () => {
    assert.is(toBase64url(utf8(text)), base64.replaceAll('=', ''))
    assert.is(toBase64url(new Uint8Array(utf8(text)).buffer), base64.replaceAll('=', ''))
    assert.is(textFromBase64(base64), text)
    assert.is(textFromBase64(base64.replaceAll('=', '')), text)
  })
}

test('RFC 7515 appendix C', () => {
  const bytes = Uint8Array.of(3, 236, 255, 224, 193)
  assert.is(toBase64url(bytes), 'A-z_4ME')
  for (const text of ['A-z_4ME', 'A-z_4ME=', 'A+z/4ME=', 'A-z/4ME', ' A+\n z/\r\n4\tME = ']) {
    assert.equal([...fromBase64(text)], [...bytes])
  }
})

test('bytes come out as jose writes them, and as they went in', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(80), (bytes, at) => {
    const text = toBase64url(bytes)
    assert.is(text, base64url.encode(bytes))
    const inLines = `${text.slice(0, at)}\r\n${text.slice(at)}`
    for (const written of [text, inLines, btoa(String.fromCharCode(...bytes))]) {
      assert.equal([...fromBase64(written)], [...bytes])
    }
  }))
})

test('bytes may be many', () => {
  const bytes = new Uint8Array(1 << 20).fill(255)
  assert.is(toBase64url(bytes), base64url.encode(bytes))
})

test('text is UTF-8', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => {
    assert.is(toBase64url(utf8(text)), base64url.encode(text))
    assert.is(textFromBase64(toBase64url(utf8(text))), text)
  }))
})

test('text of any kind makes bytes, and no error', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => {
    assert.ok(ArrayBuffer.isView(fromBase64(text)))
  }))
})

test('what is no base64 is passed over, and what environment variables make of line breaks', () => {
  for (const text of ['"Zm9v"', "'Zm\\n9v\\n',", 'Zm9v!', '*Zm9v', 'Zm\\r\\n9\\tv', 'Zm9v日本', 'Zm9vY'.slice(0, 4)]) {
    assert.is(textFromBase64(text), 'foo', text)
  }
  for (const text of ['', '*', 'Z', '日本', '\0\0']) assert.is(textFromBase64(text), '', text)
  assert.is(fromBase64('Zm9vY').length, 3, 'one character is no byte')
})

test('a view is read from where it starts', () => {
  const whole = Uint8Array.of(9, 9, 102, 111, 111, 9)
  assert.is(toBase64url(whole.subarray(2, 5)), 'Zm9v')
})

test('a hundred thousand bytes are no trouble', () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7)
  assert.is(toBase64url(bytes), base64url.encode(bytes))
  assert.is(fromBase64(toBase64url(bytes)).join(), bytes.join())
})

test.run()

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
