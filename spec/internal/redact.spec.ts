import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { redact } from '../../lib/internal/errors.ts'
import { takesLess } from '../support/time.ts'

const test = suite('redact')

const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UifQ.AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_'
const SECRET = 'The quick brown fox jumps over the lazy dog, 0123456789'

test('words stay as they are', () => {
  for (const text of ['', 'a', 'Invalid JWT Signature.', 'größe 日本 🚀', 'eyJ, a.b.c', 'x'.repeat(300)]) {
    assert.is(redact(text, [SECRET, '']), text)
  }
})

test('what looks like a token goes, wherever it stands', () => {
  for (const text of [JWT, JWT.slice(0, -20), JWT.split('.').slice(0, 2).join('.'), JWT.slice(0, 12)]) {
    assert.is(redact(text, []), '***')
    assert.is(redact(`token: "${text}", and ${text}`, []), 'token: "***", and ***')
  }
})

test('what has 12 characters in a row of a secret goes, 11 stay', () => {
  for (let start = 0; start + 12 <= SECRET.length; start++) {
    const [twelve, eleven] = [12, 11].map((length) => SECRET.slice(start, start + length).replaceAll(' ', '_'))
    const secrets = ['', SECRET.replaceAll(' ', '_')]
    for (const text of [twelve, `<${twelve}>`, `before ${twelve}`, `${twelve} after`]) {
      assert.is(redact(text, secrets), '***')
    }
    for (const text of [eleven!, `<${eleven}>`, `before ${eleven} after`]) assert.is(redact(text, secrets), text)
  }
  assert.is(redact(`<${SECRET}>`, [SECRET]), '***')
})

test('a secret that looks like a token goes, and what stands beside it stays', () => {
  assert.is(redact(`Invalid signature for token: ${JWT}`, [JWT]), 'Invalid signature for token: ***')
})

test('no 12 characters in a row of any secret are left', () => {
  const secrets = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 12, maxLength: 60 }))
  const piece = fc.tuple(fc.nat(), fc.nat(), fc.nat(40), fc.constantFrom('', ' ', 'a', '***', '\n'))
  fc.assert(fc.property(secrets, fc.array(piece), (secrets, pieces) => {
    const text = pieces.map(([which, start, length, between]) => {
      const secret = secrets[which % secrets.length] ?? 'none'
      return secret.slice(start % secret.length).slice(0, length) + between
    }).join('')
    const shown = redact(text, secrets)
    for (let i = 0; i + 12 <= shown.length; i++) {
      assert.not.ok(secrets.some((secret) => secret.includes(shown.slice(i, i + 12))), shown)
    }
  }))
})

test('control characters, line breaks and what turns text around become blanks', () => {
  const text = 'a\u0000\u001b\u007fb\r\n\tc\u0085d\u2028e\u2029f\u202eg\u200bh\ufeffi\ud800j'
  assert.is(redact(text, []), 'a b c d e f g h i j')
})

test('long text is cut', () => {
  assert.is(redact('x'.repeat(100_000), [SECRET]), 'x'.repeat(300))
  assert.not.match(redact('x'.repeat(990) + SECRET, [SECRET]), 'quick')
  assert.not.match(redact('x'.repeat(280) + SECRET, [SECRET]), 'quick')
})

test('long text takes no longer', async () => {
  const [short, long] = ['x'.repeat(3_000), 'x'.repeat(60_000)]
  assert.ok(await takesLess(5, async () => redact(long, [SECRET]), async () => redact(short, [SECRET])))
})

test.run()
