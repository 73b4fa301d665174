import { toBase64url } from './base64.ts'
import { readFields } from './credentials.ts'
import type { CredentialJson } from './credentials.ts'
import { check } from './options.ts'
import { invalidKey, readPrivateKey } from './private-key.ts'
import { remember } from './remember.ts'

/** The fields of a service-account key file that matter here. */
export interface ServiceAccountKey {
  /** `service_account`, where present. */
  type?: string
  /** The account's email. */
  client_email: string
  /** PEM, PKCS#8 as Google makes it, or PKCS#1. Damage done by environment variables is repaired. */
  private_key: string
  /** Becomes the assertion's `kid`, where present. */
  private_key_id?: string
  /** Google's token endpoint, or `http:` on loopback for emulators. Default: `https://oauth2.googleapis.com/token`. */
  token_uri?: string
  /** `googleapis.com`, where present; others are for `gcp-id-token/impersonation`. */
  universe_domain?: string
}

/** A service account with its key. */
export type ServiceAccount = readonly [email: string, privateKey: string, keyId: string, tokenUri: string]

/** The account of a service-account JSON. */
export function readServiceAccount(json: CredentialJson): ServiceAccount {
  const fields = readFields(json, ['client_email', 'private_key', 'private_key_id', 'token_uri'], 2)
  return fields as unknown as ServiceAccount
}

/** A JWT (RFC 7519) of the account's, signed by RS256 (RFC 7518 section 3.3); valid for an hour around `now`. */
export async function signJwt(
  [email, privateKey, keyId]: ServiceAccount,
  claims: object,
  now: number
): Promise<string> {
  // Google refuses what is signed in its future, and clocks differ: NTP keeps them well within 30 s.
  const iat = Math.floor(now / 1000) - 30
  const header = { alg: 'RS256', typ: 'JWT', kid: keyId || undefined }
  const body = { iss: email, sub: email, ...claims, iat, exp: iat + 3600 }
  const encode = (text: string) => new TextEncoder().encode(text)
  const input = [header, body].map((part) => toBase64url(encode(JSON.stringify(part)))).join('.')
  const { subtle } = crypto
  check(subtle, 'crypto.subtle', 'there: use https')
  let key = keys.get(privateKey)
  const pkcs8 = key ? undefined : readPrivateKey(privateKey)
  try {
    key ??= await subtle.importKey('pkcs8', pkcs8 as never, RS256, false, ['sign'])
    remember(keys, privateKey, key)
    return `${input}.${toBase64url(await subtle.sign(RS256, key, encode(input)))}`
  } catch {
    throw invalidKey('is damaged or not of RSA') // what runtimes say of it differs, and says less
  }
}

const RS256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
/** What was imported before, by its PEM: plain data in every runtime, so that requests may share it. */
const keys = new Map<string, SigningKey>()

// Node's types for Node 20 have no global CryptoKey.
type SigningKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>
