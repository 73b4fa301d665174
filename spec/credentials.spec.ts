import { getIdToken } from 'gcp-id-token'
import { decodeJwt } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bodyOf, fails, misused, showsNothingOf } from './support/errors.ts'
import { audience, setUp } from './support/google.ts'
import { takesLess } from './support/time.ts'
import type { KeyFile } from './google/index.ts'

const test = suite('credentials')

// What the JSON of a key goes through on its way into an environment variable.
const coats: [what: string, (key: KeyFile) => unknown][] = [
  ['an object', (key) => key],
  ['an object of the two fields that count', essence],
  ['an object without a prototype', (key) => Object.assign(Object.create(null), key)],
  ['an object with more fields', (key) => ({ ...key, comment: { nested: [1] } })],
  ['an object whose optional fields are null', (key) => ({
    ...key, type: null, private_key_id: null, token_uri: null, universe_domain: null
  })],
  ['JSON', (key) => JSON.stringify(key)],
  ['JSON in lines', (key) => JSON.stringify(key, null, 2)],
  ['JSON in lines with CRLF', (key) => JSON.stringify(key, null, 2).replaceAll('\n', '\r\n')],
  ['JSON of the two fields that count', (key) => JSON.stringify(essence(key))],
  ['JSON with blanks around', (key) => ` \r\n\t${JSON.stringify(key)} \n`],
  ['JSON with a byte order mark', (key) => `\uFEFF${JSON.stringify(key)}`],
  ['JSON stringified twice', (key) => JSON.stringify(JSON.stringify(key))],
  ['JSON stringified three times', (key) => JSON.stringify(JSON.stringify(JSON.stringify(key)))],
  ['JSON with a semicolon after it', (key) => `${JSON.stringify(key)};`],
  ['JSON with its name before it', (key) => `GOOGLE_KEY=${JSON.stringify(key)}`],
  ['JSON in single quotes', (key) => `'${JSON.stringify(key)}'`],
  ['JSON in double quotes', (key) => `"${JSON.stringify(key)}"`],
  ['JSON in lines in single quotes with blanks around', (key) => ` '${JSON.stringify(key, null, 2)}'\n`],
  ['JSON stringified twice in single quotes', (key) => `'${JSON.stringify(JSON.stringify(key))}'`],
  ['JSON with real line breaks in the key', (key) => realBreaks(JSON.stringify(key))],
  ['JSON in lines with real line breaks in the key', (key) => realBreaks(JSON.stringify(key, null, 2))],
  ['JSON with real CRLF in the key', (key) => JSON.stringify(key).replaceAll('\\n', '\r\n')],
  ['JSON with real line breaks and tabs in the key', (key) => JSON.stringify(key).replaceAll('\\n', '\n\t')],
  ['JSON with real line breaks in quotes', (key) => `"${realBreaks(JSON.stringify(key))}"`],
  ['JSON whose key was escaped twice', (key) => JSON.stringify(key).replaceAll('\\n', '\\\\n')],
  ['JSON whose key was escaped three times', (key) => JSON.stringify(key).replaceAll('\\n', '\\\\\\\\n')],
  ['JSON in lines that were escaped, too', (key) => JSON.stringify(key, null, 2).replaceAll('\n', '\\n')],
  ['JSON in lines with CRLF that were escaped, too', (key) => {
    return JSON.stringify(key, null, 2).replaceAll('\n', '\\r\\n')
  }],
  ['JSON stringified twice, without its quotes', (key) => JSON.stringify(JSON.stringify(key, null, 2)).slice(1, -1)],
  ['JSON stringified three times, without its quotes', (key) => {
    return JSON.stringify(JSON.stringify(JSON.stringify(key))).slice(3, -3)
  }],
  ['base64', (key) => btoa(JSON.stringify(key))],
  ['base64 of JSON in lines', (key) => btoa(JSON.stringify(key, null, 2))],
  ['base64 in lines', (key) => inLines(btoa(JSON.stringify(key)), '\n')],
  ['base64 in lines with CRLF', (key) => inLines(btoa(JSON.stringify(key)), '\r\n')],
  ['base64 in lines that became blanks', (key) => inLines(btoa(JSON.stringify(key)), ' ')],
  ['base64 with blanks around', (key) => `\n  ${btoa(JSON.stringify(key))}\n`],
  ['base64 without padding', (key) => btoa(unevenJson(key)).replaceAll('=', '')],
  ['base64 in quotes', (key) => `"${btoa(JSON.stringify(key))}"`],
  ['base64 of JSON with a byte order mark', (key) => btoa(`\xEF\xBB\xBF${JSON.stringify(key)}`)],
  ['base64 of base64', (key) => btoa(btoa(JSON.stringify(key)))],
  ['base64 of JSON stringified twice', (key) => btoa(JSON.stringify(JSON.stringify(key)))],
  ['base64url', (key) => base64url(unevenJson(key))],
  ['base64url in lines', (key) => inLines(base64url(unevenJson(key)), '\n')]
]

for (const [what, change] of coats) {
  test(`are read: ${what}`, async () => {
    const { google, key, options } = await setUp()
    const token = await getIdToken({ ...options, credentials: change(key) as KeyFile })
    assert.is(decodeJwt(token).email, key.client_email)
    assert.is(google.requests.length, 1)
  })
}

test('are read: base64url that differs from base64', async () => {
  const { key, options } = await setUp()
  const text = base64url(unevenJson(key))
  assert.match(text, /-/)
  assert.match(text, /_/)
  assert.not.match(text, /=/)
  await getIdToken({ ...options, credentials: text })
})

test('are read: names in other scripts, in base64 and out', async () => {
  const { google, key, options } = await setUp()
  const named = JSON.stringify({ ...key, project_id: 'größe-日本-🚀' })
  await getIdToken({ ...options, credentials: named })
  const utf8 = String.fromCharCode(...new TextEncoder().encode(named))
  await getIdToken({ ...options, credentials: btoa(utf8), forceRefresh: true })
  assert.is(google.requests.length, 2)
})

test('are the caller\'s: nothing is changed in them', async () => {
  const { key, options } = await setUp()
  const frozen = Object.freeze({ ...key })
  await getIdToken({ ...options, credentials: frozen })
  assert.equal(frozen, key)
})

const missing: [what: string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['empty text', ''],
  ['blanks', ' \n\t'],
  ['a byte order mark', '\uFEFF']
]

for (const [what, credentials] of missing) {
  test(`are asked for: ${what}`, async () => {
    const attempt = getIdToken({ credentials: credentials as string, audience })
    await misused(attempt, /credentials/, /is the secret bound\?/)
  })
}

for (const credentials of [7, true, Symbol('key'), () => '{}']) {
  test(`must be an object or text, not ${typeof credentials}`, async () => {
    await misused(getIdToken({ credentials: credentials as never, audience }), /credentials/)
  })
}

test('lack fields, which are named', async () => {
  const { key, options } = await setUp()
  const { client_email, private_key, ...rest } = key
  const attempt = (credentials: unknown) => getIdToken({ ...options, credentials: credentials as KeyFile })
  await fails(attempt({ private_key }), 'invalid_credentials', /lack client_email/)
  await fails(attempt({ client_email }), 'invalid_credentials', /lack private_key/)
  await fails(attempt(rest), 'invalid_credentials', /lack client_email and private_key/)
  await fails(attempt([]), 'invalid_credentials', /client_email/, /private_key/)
  await fails(attempt('{}'), 'invalid_credentials', /client_email/, /private_key/)
  await fails(attempt({ ...key, private_key: '' }), 'invalid_credentials', /lack private_key/)
  await fails(attempt({ ...key, client_email: null }), 'invalid_credentials', /lack client_email/)
})

test('have fields of the wrong type, which are named', async () => {
  const { google, key, options } = await setUp()
  for (const field of ['client_email', 'private_key', 'private_key_id', 'token_uri']) {
    for (const value of [7, true, { a: 1 }, ['x'], { toString: false }, Object.create(null), Symbol('x')]) {
      const credentials = { ...key, [field]: value } as KeyFile
      const error = await fails(getIdToken({ ...options, credentials }), 'invalid_credentials')
      assert.match(error.message, new RegExp(`\\b${field}\\b`))
    }
  }
  assert.is(google.requests.length, 0)
})

test('do not inherit fields from JSON', async () => {
  const { key, options } = await setUp()
  const text = `{"__proto__":${JSON.stringify(key)}}`
  await fails(getIdToken({ ...options, credentials: text }), 'invalid_credentials', /lack/)
})

const otherTypes: [type: string, entry: RegExp][] = [
  ['external_account', /gcp-id-token\/federation/],
  ['impersonated_service_account', /gcp-id-token\/impersonation/],
  ['authorized_user', /gcp-id-token with a service-account key/]
]

for (const [type, entry] of otherTypes) {
  test(`of type ${type} are named, with the entry that takes them`, async () => {
    const { google, key, options } = await setUp()
    for (const credentials of [{ ...key, type }, JSON.stringify({ type })] as (KeyFile | string)[]) {
      const attempt = getIdToken({ ...options, credentials })
      const error = await fails(attempt, 'unsupported_credentials', new RegExp(type))
      assert.match(error.hint, entry)
    }
    assert.is(google.requests.length, 0)
  })
}

test('of a type that nobody knows are refused, whatever it is called', async () => {
  const { google, key, options } = await setUp()
  const secret = key.private_key.slice(100, 164)
  for (const type of ['gdch_service_account', '__proto__', 'constructor', 'toString', '', secret, 7, {}]) {
    const credentials = { ...key, type } as KeyFile
    const error = await fails(getIdToken({ ...options, credentials }), 'unsupported_credentials')
    assert.match(error.message, /not service_account/)
    assert.match(error.hint, /gcp-id-token with a service-account key/)
    showsNothingOf(error, secret)
  }
  assert.is(google.requests.length, 0)
})

test('of another universe are named, with the entry that takes them', async () => {
  const { google, key, options } = await setUp()
  const credentials = { ...key, universe_domain: 'apis-7.example.goog' }
  const attempt = getIdToken({ ...options, credentials })
  const error = await fails(attempt, 'unsupported_credentials', /universe_domain apis-7\.example\.goog/)
  assert.match(error.hint, /gcp-id-token\/impersonation/)
  for (const universe_domain of ['googleapis.com.', 'evil-googleapis.com', 7]) {
    const credentials = { ...key, universe_domain } as KeyFile
    await fails(getIdToken({ ...options, credentials }), 'unsupported_credentials', /universe/)
  }
  const noNames = ['GOOGLEAPIS.COM', 'größe', 'two words', 'apis.example.goog\n', ['a.goog'], Object.create(null)]
  for (const universe_domain of noNames) {
    const credentials = { ...key, universe_domain } as KeyFile
    await fails(getIdToken({ ...options, credentials }), 'unsupported_credentials', /universe_domain unknown/)
  }
  assert.is(google.requests.length, 0)
})

test('are shown in no message, whatever stands in the place of a universe', async () => {
  const { key, options } = await setUp()
  const credentials = { ...key, universe_domain: key.private_key }
  const error = await fails(getIdToken({ ...options, credentials }), 'unsupported_credentials')
  showsNothingOf(error, bodyOf(key.private_key))
})

test('are a bare PEM, for which there is a hint', async () => {
  const { key, options } = await setUp()
  const { private_key: pem } = key
  const escaped = pem.replaceAll('\n', '\\n')
  for (const credentials of [pem, escaped, JSON.stringify(pem), `'${pem}'`, btoa(pem), `\uFEFF ${pem}`]) {
    const error = await fails(getIdToken({ ...options, credentials }), 'invalid_credentials', /PEM/)
    assert.match(error.hint, /JSON/)
    showsNothingOf(error, bodyOf(pem))
  }
})

const unreadable: [what: string, (json: string) => string, message: RegExp][] = [
  ['cut short', (json) => json.slice(0, 1200), /1200 characters .*cut short/],
  ['cut short in base64', (json) => btoa(json).slice(0, 1600), /cut short/],
  ['cut short in quotes', (json) => JSON.stringify(json).slice(0, 1200), /./],
  ['a comma too many', (json) => json.replace('"}', '",}'), /neither JSON/],
  ['a quote missing', (json) => json.replace('"', ''), /neither JSON/],
  ['keys without quotes', (json) => json.replace(/"(\w+)":/g, '$1:'), /neither JSON/],
  ['words', () => 'my service account', /neither JSON nor base64/],
  ['a path', () => '/etc/secrets/key.json', /neither JSON nor base64/],
  ['a number', () => '7', /neither JSON nor base64/],
  ['a list', () => '["a"]', /neither JSON nor base64/],
  ['base64 of bytes', () => btoa('\0\x01\xff\xfe'), /neither JSON nor base64/],
  ['quotes around nothing', () => '""', /neither JSON nor base64/],
  ['one quote', () => '"', /neither JSON nor base64/]
]

for (const [what, damage, message] of unreadable) {
  test(`are not readable: ${what}`, async () => {
    const { google, key, options } = await setUp()
    const credentials = damage(JSON.stringify(key))
    const error = await fails(getIdToken({ ...options, credentials }), 'invalid_credentials', message)
    showsNothingOf(error, bodyOf(key.private_key), credentials.slice(0, 40))
    assert.is(google.requests.length, 0)
  })
}

test('are unwrapped so often, and no further', async () => {
  const { google, key, options } = await setUp()
  let credentials = JSON.stringify(key)
  for (let i = 0; i < 4; i++) credentials = JSON.stringify(credentials)
  await getIdToken({ ...options, credentials })
  credentials = JSON.stringify(credentials)
  await fails(getIdToken({ ...options, credentials }), 'invalid_credentials')
  assert.is(google.requests.length, 1)
})

test('may be 64 KiB long, and no longer', async () => {
  const { key, options } = await setUp()
  const json = JSON.stringify(key)
  const ofLength = (length: number) => json.replace('}', `${' '.repeat(length - json.length)}}`)
  await getIdToken({ ...options, credentials: ofLength(65_536) })
  for (const credentials of [ofLength(65_537), json.padEnd(65_537), json.padStart(65_537)]) {
    await fails(getIdToken({ ...options, credentials }), 'invalid_credentials', /over 64 KiB\? - /)
  }
})

const hostile: [what: string, (length: number) => string][] = [
  ['-----BEGIN', (length) => '-----BEGIN '.repeat(length / 11)],
  ['quotes', (length) => '"'.repeat(length)],
  ['quotes of both kinds', (length) => '"\''.repeat(length / 2)],
  ['backslashes', (length) => `{"${'\\'.repeat(length)}`],
  ['backslashes in quotes', (length) => `"${'\\'.repeat(length)}"`],
  ['braces', (length) => '{'.repeat(length)],
  ['nested lists', (length) => `{"a":${'['.repeat(length)}`],
  ['strings that never end', (length) => `{${'"\n'.repeat(length / 2)}`],
  ['blanks', (length) => `x${' '.repeat(length)}x`],
  ['equals signs', (length) => '='.repeat(length)],
  ['base64', (length) => 'QUFB'.repeat(length / 4)]
]

for (const [what, make] of hostile) {
  test(`are refused at a megabyte, without much ado: ${what}`, async () => {
    await fails(getIdToken({ credentials: make(1_000_000), audience }), 'invalid_credentials', /64 KiB|PEM/)
  })

  test(`are refused within 64 KiB, in time that grows with the length only: ${what}`, async () => {
    const [short, long] = [make(6_000), make(60_000)]
    const refuse = (text: string) => fails(getIdToken({ credentials: text, audience }), 'invalid_credentials')
    assert.ok(await takesLess(60, () => refuse(long), () => refuse(short)))
  })
}

test.run()

function essence({ client_email, private_key }: KeyFile): Partial<KeyFile> {
  return { client_email, private_key }
}

/** How dotenv and consoles leave the escapes in a private key. */
function realBreaks(json: string): string {
  return json.replaceAll('\\n', '\n')
}

function inLines(text: string, lineBreak: string): string {
  return text.replace(/.{64}/g, `$&${lineBreak}`)
}

/** JSON whose base64 has padding, and both characters that base64url has others for. */
function unevenJson(key: KeyFile): string {
  const json = JSON.stringify({ ...key, note: '>>>???~~~' })
  return json + ' '.repeat(3 - ((json.length + 2) % 3))
}

function base64url(text: string): string {
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
