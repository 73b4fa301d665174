import { fromBase64, textFromBase64 } from './base64.ts'
import { advice, IdTokenError } from './errors.ts'

/**
 * The PKCS#8 DER (RFC 5958) of an RSA private key in PEM (RFC 7468). The text may have been mangled by environment
 * variables, attributes or certificates may stand before the key, and it may be in the older PKCS#1 form (RFC 8017),
 * which WebCrypto does not import.
 */
export function readPrivateKey(pem: string): Uint8Array {
  const text = pem.includes('-----BEGIN') ? pem : textFromBase64(pem)
  const block = /-----BEGIN (RSA )?PRIVATE KEY-----([^-]*)/.exec(text)
  // OpenSSL's older encryption (RFC 1421) leaves the label as it was, and says so in a header.
  if (!block || text.includes('ENCRYPTED')) {
    const [found = 'none'] = /BEGIN [A-Z ]{0,40}(KEY|CERTIFICATE)/.exec(text) ?? []
    throw invalidKey(`needs -----BEGIN PRIVATE KEY-----, has ${found}`, howToConvert(text))
  }
  const [, isPkcs1, content] = block
  if (content!.includes(EC_ALGORITHM)) throw invalidKey('is of EC, not of RSA')
  const bytes = fromBase64(content!)
  // Of an RSA key, the length takes two bytes, as 130 says.
  const end = 4 + bytes[2]! * 256 + bytes[3]!
  if (bytes[1] === 130 && end > bytes.length) throw invalidKey('is cut short')
  // What follows the DER, some runtimes refuse and others ignore.
  const der = bytes.slice(0, end)
  if (!isPkcs1) return der
  const length = end + 22
  // Of larger numbers, a Uint8Array keeps the last byte.
  return Uint8Array.of(48, 130, length >> 8, length, ...fromBase64(PKCS8_HEAD), end >> 8, end, ...der)
}

/** What is wrong with the `private_key`, and what to do about it. */
export const invalidKey = (what: string, hint = 'Use the JSON file as it came'): IdTokenError =>
  new IdTokenError('invalid_key', `private_key ${what}`, { hint })

const howToConvert = advice(
  [/ENCRYPTED/, 'Encrypted: openssl pkey -in key.pem'],
  [/OPENSSH/, 'ssh-keygen -p -m PKCS8 -f key.pem']
)
/** id-ecPublicKey, 1.2.840.10045.2.1 (RFC 5480 section 2.1.1), as base64 has it in every PKCS#8. */
const EC_ALGORITHM = 'GByqGSM49AgE'
/** Version, AlgorithmIdentifier of rsaEncryption (RFC 8017 appendix A.1), OCTET STRING with a length of two bytes. */
const PKCS8_HEAD = 'AgEAMA0GCSqGSIb3DQEBAQUABII'
