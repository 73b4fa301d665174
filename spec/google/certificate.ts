import { base64url } from 'jose'

/** A self-signed X.509 certificate in PEM, as Google publishes its keys for clients without JWK. */
export async function certificate(name: string, keys: CryptoKeyPair): Promise<string> {
  const publicKey = new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey))
  const issuer = sequence(set(sequence(COMMON_NAME, der(0x0c, new TextEncoder().encode(name)))))
  const signed = sequence(
    der(0xa0, VERSION_3),
    SERIAL,
    SHA256_WITH_RSA,
    issuer,
    sequence(time(Date.UTC(2020, 0)), time(Date.UTC(2049, 0))),
    issuer,
    publicKey
  )
  const signature = new Uint8Array(await crypto.subtle.sign('RSASSA-PKCS1-v1_5', keys.privateKey, signed))
  return pem('CERTIFICATE', sequence(signed, SHA256_WITH_RSA, der(0x03, Uint8Array.of(0), signature)))
}

export function pem(label: string, bytes: Uint8Array): string {
  const base64 = base64url.encode(bytes).replaceAll('-', '+').replaceAll('_', '/')
  const padded = base64 + '='.repeat(-base64.length & 3)
  return `-----BEGIN ${label}-----\n${padded.replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`
}

const VERSION_3 = Uint8Array.of(0x02, 1, 2)
const SERIAL = Uint8Array.of(0x02, 1, 1)
const COMMON_NAME = Uint8Array.of(0x06, 3, 0x55, 4, 3)
const SHA256_WITH_RSA_OID = Uint8Array.of(0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11)
const SHA256_WITH_RSA = sequence(SHA256_WITH_RSA_OID, Uint8Array.of(0x05, 0))

function sequence(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return der(0x30, ...parts)
}

function set(...parts: Uint8Array[]): Uint8Array {
  return der(0x31, ...parts)
}

function time(milliseconds: number): Uint8Array {
  const text = new Date(milliseconds).toISOString().replace(/\.\d+|[-:T]/g, '')
  return der(0x18, new TextEncoder().encode(text))
}

function der(tag: number, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 255]
  const bytes = new Uint8Array(head.length + length)
  bytes.set(head)
  let offset = head.length
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}
