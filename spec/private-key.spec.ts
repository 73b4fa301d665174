import { getIdToken } from 'gcp-id-token'
import { decodeJwt } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bodyOf, fails, formsOf, showsNothingOf } from './support/errors.ts'
import { setUpWith } from './support/google.ts'
import * as keys from './support/keys.ts'
import { takesLess } from './support/time.ts'

const test = suite('private key')

// What happens to PEM on its way through environment variables, consoles and copy and paste.
const coats: [what: string, (pem: string) => string][] = [
  ['as it is', (pem) => pem],
  ['without its last line break', (pem) => pem.trimEnd()],
  ['with escaped line breaks', (pem) => pem.replaceAll('\n', '\\n')],
  ['with line breaks that were escaped twice', (pem) => pem.replaceAll('\n', '\\\\n')],
  ['with line breaks that were escaped three times', (pem) => pem.replaceAll('\n', '\\\\\\\\n')],
  ['with CRLF', (pem) => pem.replaceAll('\n', '\r\n')],
  ['with CR', (pem) => pem.replaceAll('\n', '\r')],
  ['with escaped CRLF', (pem) => pem.replaceAll('\n', '\\r\\n')],
  ['with escaped and real line breaks', (pem) => pem.replaceAll('\n', '\\n\n')],
  ['in double quotes', (pem) => `"${pem}"`],
  ['in single quotes', (pem) => `'${pem}'`],
  ['in escaped quotes', (pem) => `\\"${pem}\\"`],
  ['stringified', (pem) => JSON.stringify(pem)],
  ['stringified, with a trailing comma', (pem) => `${JSON.stringify(pem)},`],
  ['with a trailing comma', (pem) => `${pem.trimEnd()},\n`],
  ['with spaces for line breaks', (pem) => pem.replaceAll('\n', ' ')],
  ['with tabs for line breaks', (pem) => pem.replaceAll('\n', '\t')],
  ['with nothing for line breaks', (pem) => pem.replaceAll('\n', '')],
  ['indented by spaces', (pem) => pem.replace(/^/gm, '    ')],
  ['indented by tabs', (pem) => pem.replace(/^/gm, '\t\t')],
  ['with spaces at the ends of lines', (pem) => pem.replaceAll('\n', '  \n')],
  ['with empty lines', (pem) => pem.replaceAll('\n', '\n\n')],
  ['with a byte order mark', (pem) => `\uFEFF${pem}`],
  ['with bag attributes before it', (pem) => `${BAG_ATTRIBUTES}${pem}`],
  ['with a certificate before it', (pem) => keys.certificate + pem],
  ['with an EC key before it', (pem) => keys.ec + pem],
  ['with a certificate after it', (pem) => pem + keys.certificate],
  ['with text after it', (pem) => `${pem}\nKeep this secret!\n`],
  ['as base64', (pem) => btoa(pem)],
  ['as base64 in lines', (pem) => btoa(pem).replace(/.{76}/g, '$&\n')],
  ['as base64 in lines with escaped breaks', (pem) => btoa(pem).replace(/.{76}/g, '$&\\n')],
  ['as base64 in double quotes', (pem) => `"${btoa(pem)}"`],
  ['as base64 in single quotes', (pem) => `'${btoa(pem)}'`],
  ['as base64 in quotes, with a trailing comma', (pem) => `"${btoa(pem)}",`],
  ['as base64url', (pem) => btoa(pem).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')],
  ['as base64 of an escaped form', (pem) => btoa(pem.replaceAll('\n', '\\n'))],
  ['escaped, quoted and indented', (pem) => `  '${pem.replaceAll('\n', '\\n')}' ,`],
  ['with trailing bytes after its DER', withTrailingBytes]
]

const BAG_ATTRIBUTES = `Bag Attributes
    friendlyName: privatekey
    localKeyID: 54 69 6D 65 20 31 35
Key Attributes: <No Attributes>
`

for (const [form, pem] of [['PKCS#8', keys.rsa], ['PKCS#1', keys.pkcs1]] as const) {
  for (const [what, change] of coats) {
    test(`is read: ${form} ${what}`, async () => {
      const { google, key, options } = await setUpWith(change(pem))
      assert.is(decodeJwt(await getIdToken(options)).email, key.client_email)
      assert.is(google.requests.length, 1)
    })
  }
}

test('is read: 1024 bits, as Google gave keys once', async () => {
  const { google, options } = await setUpWith(keys.short)
  await fails(getIdToken(options), 'rejected') // this Google takes none so short, but the signature is right
  const [head, claims, signature] = google.requests[0]!.form.assertion!.split('.')
  const spki = bytes(bodyOf(keys.shortPublicKey))
  const publicKey = await crypto.subtle.importKey('spki', spki, RS256, false, ['verify'])
  const signed = new TextEncoder().encode(`${head}.${claims}`)
  assert.ok(await crypto.subtle.verify(RS256.name, publicKey, bytes(signature!), signed))
})

const RS256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

const LAST_LINES = /[^\n]+\n[^\n]+\n(?=-----END)/

// What it is, what the message must say, and the advice.
const unusable: [what: string, pem: string, message: RegExp, advice?: RegExp][] = [
  ['an encrypted key', keys.encrypted, /encrypted/i, /openssl pkey -in \S+/],
  ['an encrypted key of the older kind', keys.encryptedPkcs1, /encrypted/i, /openssl pkey -in \S+/],
  ['an encrypted key in one line', keys.encryptedPkcs1.replaceAll('\n', '\\n'), /encrypted/i],
  ['an encrypted key after its certificate', keys.certificate + keys.encrypted, /encrypted/i],
  ['an OpenSSH key', keys.openssh, /has BEGIN OPENSSH PRIVATE KEY/, /ssh-keygen -p -m PKCS8 -f /],
  ['a public key', keys.publicKey, /has BEGIN PUBLIC KEY/],
  ['a public key of the older kind', keys.rsaPublicKey, /has BEGIN RSA PUBLIC KEY/],
  ['a certificate', keys.certificate, /has BEGIN CERTIFICATE/],
  ['an EC key', keys.ec, /has BEGIN EC PRIVATE KEY/],
  ['an EC key in PKCS#8', keys.ecPkcs8, /\bEC\b/],
  ['an EC key without line breaks', keys.ecPkcs8.replaceAll('\n', ''), /\bEC\b/],
  ['an EC key without its parameters', keys.ec.replace(/^[^]*?-----END[^\n]+\n/, ''), /has BEGIN EC PRIVATE KEY/],
  ['an Ed25519 key', keys.ed25519, /not of RSA/],
  ['an RSA key for PSS only', keys.pss, /not of RSA/],
  ['a public key as base64', btoa(keys.publicKey), /has BEGIN PUBLIC KEY/],
  ['a key cut short', keys.rsa.slice(0, 1000), /cut short/],
  ['a key cut short on one line', keys.rsa.replaceAll('\n', '\\n').slice(0, 1001), /cut short/],
  ['a key cut short within its first line', keys.rsa.slice(0, 60), /cut short/],
  ['a key whose middle is missing', keys.rsa.slice(0, 600) + keys.rsa.slice(1000), /cut short/],
  ['a key with one character missing', keys.rsa.slice(0, 600) + keys.rsa.slice(601), /cut short/],
  ['a key without its last lines', keys.rsa.replace(LAST_LINES, ''), /cut short/],
  ['an older key without its last lines', keys.pkcs1.replace(LAST_LINES, ''), /cut short/],
  ['a key without its first lines', keys.rsa.replace(/(?<=KEY-----\n)[^\n]+\n/, ''), /damaged/],
  ['a key with a foreign character', `${keys.rsa.slice(0, 600)}*${keys.rsa.slice(601)}`, /cut short/],
  ['a key with bytes that are wrong', damaged(keys.rsa), /damaged/],
  ['an older key with bytes that are wrong', damaged(keys.pkcs1), /damaged/],
  ['only the base64 of a block', bodyOf(keys.rsa), /needs -----BEGIN PRIVATE KEY-----/],
  ['words', 'my private key', /needs -----BEGIN PRIVATE KEY-----, has none /],
  ['a label with more before it', keys.certificate + keys.rsa.replace('BEGIN', 'NO BEGIN'), /has BEGIN CERTIFICATE/],
  ['a label with more after it', keys.rsa.replaceAll('E KEY', 'E KEYS'), /needs -----BEGIN PRIVATE KEY-----/],
  ['blanks', ' \n ', /needs -----BEGIN PRIVATE KEY-----/],
  ['a block of nothing', '-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n', /cut short|damaged/],
  ['the first line alone', '-----BEGIN PRIVATE KEY-----', /damaged/]
]

for (const [what, pem, message, advice] of unusable) {
  test(`is named: ${what}`, async () => {
    const { google, options } = await setUpWith(pem)
    const error = await fails(getIdToken(options), 'invalid_key', /private_key/, message)
    assert.ok(error.hint)
    assert.ok(error.message.endsWith(error.hint))
    if (advice) assert.match(error.hint, advice)
    showsNothingOf(error, bodyOf(pem), ...formsOf(keys.rsa), ...formsOf(keys.pkcs1))
    assert.is(google.requests.length, 0)
  })
}

test('is named: half of the first line', async () => {
  const { options } = await setUpWith('-----BEGIN PRIVATE KEY')
  await fails(getIdToken(options), 'invalid_key', /needs -----BEGIN PRIVATE KEY-----, has BEGIN PRIVATE KEY/)
})

test('hostile text is refused in time that grows with its length only', async () => {
  const hostile = [
    '-----BEGIN',
    '-----BEGIN ',
    '-----BEGIN PRIVATE KEY-----',
    '-----BEGIN RSA PRIVATE KEY-----\\n\\n',
    '-----BEGIN PRIVATE KEY-----\n-----END',
    '-----BEGIN AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ',
    '\\\\n\\n',
    'ENCRYPTED '
  ]
  for (const text of hostile) {
    const short = repeated(text, 6_000)
    const long = repeated(text, 60_000)
    assert.ok(await takesLess(60, () => refusal(long), () => refusal(short)), text)
  }
})

test('a megabyte of -----BEGIN is refused', async () => {
  const error = await refusal(repeated('-----BEGIN ', 1_000_000))
  assert.match(error.message, /BEGIN PRIVATE KEY/)
})

test.run()

async function refusal(private_key: string): Promise<any> {
  const { options } = await scene
  const credentials = { ...options.credentials, private_key }
  return fails(getIdToken({ ...options, credentials }), 'invalid_key')
}

const scene = setUpWith('')

function repeated(text: string, length: number): string {
  return text.repeat(Math.ceil(length / text.length))
}

/** The right length and the right algorithm, but the numbers are none of an RSA key. */
function damaged(pem: string): string {
  return pem.replace(/(?<=KEY-----\n\S+\n)[^-]+(?=\n-----END)/, (body) => body.replace(/\S/g, 'B'))
}

function withTrailingBytes(pem: string): string {
  const der = bytes(bodyOf(pem))
  const longer = new Uint8Array(der.length + 7)
  longer.set(der)
  return pem.replace(bodyIn(pem), btoa(String.fromCharCode(...longer)))
}

function bodyIn(pem: string): string {
  return pem.split(/-----[^-]+-----/)[1]!.trim()
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
}
