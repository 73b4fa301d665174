import { fromBase64, textFromBase64 } from './base64.ts'
import { IdTokenError } from './errors.ts'

/**
 * The PKCS#8 DER (RFC 5958) of an RSA private key in PEM (RFC 7468). The text may have been mangled by environment
 * variables, and the key may be in the older PKCS#1 form (RFC 8017), which WebCrypto does not import.
 */
export function readPrivateKey(pem: string): Uint8Array {
  const [der, start] = readSequence(fromBase64(readBlock(pem)))
  // Both forms begin with an INTEGER, the version; then comes the algorithm's SEQUENCE, or the modulus as INTEGER.
  const next = start + 3
  if (der[next] === INTEGER) return wrapPkcs1(der)
  // SEQUENCE, its length, then the algorithm's OID
  const startsWith = (oid: readonly number[]) => oid.every((byte, i) => der[next + 2 + i] === byte)
  if (startsWith(EC_OID)) throw notRsa('EC PRIVATE KEY')
  if (!startsWith(RSA_OID)) throw notRsa('PRIVATE KEY of another algorithm')
  return der
}

/** What went wrong with the `private_key`, and what to do about it. */
export function invalidKey(what: string, hint = 'Use the private_key of the JSON file as Google made it'): IdTokenError {
  return new IdTokenError('invalid_key', `private_key ${what}`, { hint })
}

const LONGEST_PEM = 65_536
const INTEGER = 0x02
const OCTET_STRING = 0x04
const SEQUENCE = 0x30
/** rsaEncryption, 1.2.840.113549.1.1.1 (RFC 8017 appendix C) */
const RSA_OID = [6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1]
/** id-ecPublicKey, 1.2.840.10045.2.1 (RFC 5480 section 2.1.1) */
const EC_OID = [6, 7, 42, 134, 72, 206, 61, 2, 1]

/** The base64 of the block that holds the key. Certificates or attributes may stand before it. */
function readBlock(pem: string): string {
  if (pem.length > LONGEST_PEM) throw invalidKey('is longer than 64 KiB')
  let text = pem.includes(BEGIN) ? pem : (textFromBase64(strip(pem)) ?? '')
  text = text.replace(ESCAPED_BREAK, '\n')
  const begin = /-----BEGIN ((?:RSA )?PRIVATE KEY)-----/.exec(text) ?? /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)
  if (!begin) throw invalidKey(`has no line "${BEGIN}PRIVATE KEY-----"`)
  const start = begin.index + begin[0].length
  const end = text.indexOf('-----END', start)
  const block = text.slice(start, end < 0 ? text.length : end)
  // OpenSSL's traditional encryption (RFC 1421) leaves the label as it was and says so in a header.
  const kind = block.includes('ENCRYPTED') ? 'ENCRYPTED PRIVATE KEY' : begin[1]!
  if (!/^(RSA )?PRIVATE KEY$/.test(kind)) throw notRsa(kind)
  if (end < 0) throw cutShort()
  const base64 = strip(block).replace(/=/g, '')
  // One character of a group of four is no byte: what was cut off, the length in the DER tells.
  return base64.length % 4 === 1 ? base64.slice(0, -1) : base64
}

const BEGIN = '-----BEGIN '
const ESCAPED_BREAK = /\\[nrt]/g

/** What quoting and escaping leave behind. */
function strip(text: string): string {
  return text.replace(ESCAPED_BREAK, '').replace(/[\s\\"',]/g, '')
}

/** The SEQUENCE without what follows it, which some runtimes refuse and others don't, and where its content starts. */
function readSequence(bytes: Uint8Array | undefined): [der: Uint8Array, start: number] {
  if (bytes?.[0] !== SEQUENCE) throw invalidKey('is damaged')
  let length = bytes[1]!
  let start = 2
  if (length > 0x80) {
    start += length - 0x80
    length = bytes.subarray(2, start).reduce((sum, byte) => sum * 256 + byte, 0)
  }
  if (!(start + length <= bytes.length)) throw cutShort()
  return [bytes.subarray(0, start + length), start]
}

/** PrivateKeyInfo { version 0, rsaEncryption, the key } (RFC 5958 section 2). */
function wrapPkcs1(key: Uint8Array): Uint8Array {
  return encode(SEQUENCE, [INTEGER, 1, 0, ...encode(SEQUENCE, [...RSA_OID, 5, 0]), ...encode(OCTET_STRING, key)])
}

/** Tag, length and content (X.690 section 8.1). */
function encode(tag: number, content: ArrayLike<number> & Iterable<number>): Uint8Array {
  const { length } = content
  return Uint8Array.of(tag, ...(length < 0x80 ? [length] : [0x82, length >> 8, length & 0xff]), ...content)
}

function notRsa(kind: string): IdTokenError {
  if (kind.startsWith('ENC')) return invalidKey('is encrypted', 'Decrypt it: openssl pkey -in key.pem -out plain.pem')
  if (kind.startsWith('OPENSSH')) return invalidKey(`is "${kind}"`, 'Convert it: ssh-keygen -p -m PKCS8 -f key.pem')
  return invalidKey(`is "${kind}", not the "PRIVATE KEY" of RSA`)
}

function cutShort(): IdTokenError {
  return invalidKey('is cut short')
}
