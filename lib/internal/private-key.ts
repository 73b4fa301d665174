import { fromBase64, textFromBase64 } from './base64.ts'
import { IdTokenError } from './errors.ts'

/**
 * The PKCS#8 DER (RFC 5958) of an RSA private key in PEM (RFC 7468). The text may have been mangled by environment
 * variables, and the key may be in the older PKCS#1 form (RFC 8017), which WebCrypto does not import.
 */
export function readPrivateKey(pem: string): Uint8Array {
  const bytes = fromBase64(readBlock(pem)) ?? new Uint8Array()
  const start = `${bytes.subarray(0, 32)},`
  if (start.includes(EC_OID)) throw invalidKey('is "EC PRIVATE KEY"')
  if (bytes[0] !== SEQUENCE) throw invalidKey('is damaged')
  // A length of two bytes, which every RSA key has, and an INTEGER: the version
  if (!/^48,130,\d+,\d+,2,1,/.test(start)) throw invalidKey(NOT_RSA)
  const end = 4 + bytes[2]! * 256 + bytes[3]!
  if (end > bytes.length) throw invalidKey('is cut short')
  // What follows the DER, some runtimes refuse and others ignore.
  const der = bytes.subarray(0, end)
  if (start.includes(RSA_ALGORITHM.join())) return der
  // Without an algorithm, what comes next is the modulus, an INTEGER.
  if (der[7] !== INTEGER) throw invalidKey(NOT_RSA)
  return Uint8Array.of(...head(SEQUENCE, end + 22), INTEGER, 1, 0, ...RSA_ALGORITHM, ...head(OCTET_STRING, end), ...der)
}

/** What is wrong with the `private_key`, and what to do about it. */
export function invalidKey(what: string, hint = 'Use the private_key of the JSON file as Google made it'): IdTokenError {
  return new IdTokenError('invalid_key', `private_key ${what}`, { hint })
}

const NOT_RSA = 'is not of RSA'
const LONGEST_PEM = 65_536
const INTEGER = 2
const OCTET_STRING = 4
const SEQUENCE = 48
/** AlgorithmIdentifier of rsaEncryption, 1.2.840.113549.1.1.1, with its NULL (RFC 8017 appendix A.1) */
const RSA_ALGORITHM = [SEQUENCE, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0]
/** id-ecPublicKey, 1.2.840.10045.2.1 (RFC 5480 section 2.1.1) */
const EC_OID = '6,7,42,134,72,206,61,2,1,'

/** Tag and length, as they are for 256 to 65,535 bytes (X.690 section 8.1). */
function head(tag: number, length: number): number[] {
  return [tag, 130, length >> 8, length & 255]
}

/** The base64 of the block that holds the key. Certificates or attributes may stand before it. */
function readBlock(pem: string): string {
  if (pem.length > LONGEST_PEM) throw invalidKey('is longer than 64 KiB')
  const text = (pem.includes('-----BEGIN') ? pem : (textFromBase64(strip(pem)) ?? '')).replace(ESCAPED_BREAK, '\n')
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]{1,40})-----/g)]
  const named = (name: RegExp) => blocks.find(([, label]) => name.test(label!))
  const block = named(/^(RSA )?PRIVATE KEY$/) ?? named(/PRIVATE KEY$/) ?? blocks[0]
  if (!block) throw invalidKey('has no "-----BEGIN PRIVATE KEY-----"')
  const [line, label] = block
  const start = block.index + line.length
  const end = text.indexOf('-----END', start)
  const content = text.slice(start, end < 0 ? text.length : end)
  // OpenSSL's older encryption (RFC 1421) leaves the label as it was, and says so in a header.
  const kind = content.includes('ENCRYPTED') ? 'ENCRYPTED PRIVATE KEY' : label!
  if (!/^(RSA )?PRIVATE KEY$/.test(kind)) throw invalidKey(`is "${kind}"`, CONVERSIONS.get(kind))
  if (end < 0) throw invalidKey('is cut short')
  const base64 = strip(content)
  // One character of a group of four is no byte: how much was cut off, the DER tells.
  return base64.length % 4 === 1 ? base64.slice(0, -1) : base64
}

const ESCAPED_BREAK = /\\[nrt]/g
const CONVERSIONS = new Map([
  ['ENCRYPTED PRIVATE KEY', 'Decrypt it: openssl pkey -in key.pem -out plain.pem'],
  ['OPENSSH PRIVATE KEY', 'Convert it: ssh-keygen -p -m PKCS8 -f key.pem']
])

/** Without what quoting and escaping leave behind, and without padding. */
function strip(text: string): string {
  return text.replace(ESCAPED_BREAK, '').replace(/[\s\\"',=]/g, '')
}
