import { toBase64url } from './base64.ts'
import { readFields } from './credentials.ts'
import type { CredentialJson } from './credentials.ts'
import { check } from './options.ts'
import { invalidKey, readPrivateKey } from './private-key.ts'
import { Table } from './table.ts'

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
  /** Google's token endpoint, or `http:` on loopback for an emulator. Default: `https://oauth2.googleapis.com/token`. */
  token_uri?: string
  /** `googleapis.com`, where present; others are for `gcp-id-token/impersonation`. */
  universe_domain?: string
}

/** A service account with its key, read once. */
export interface ServiceAccount {
  readonly email: string
  readonly keyId: string | null | undefined
  readonly tokenUri: string | null | undefined
  /** As it was given. */
  readonly privateKey: string
  readonly pkcs8: Uint8Array
  /** Everything above, so that no two accounts, keys or endpoints share one. */
  readonly identity: string
  /** Plain data in every runtime, so that requests may share it. */
  key?: SigningKey
}

/** The account of a service-account JSON; one that was seen before costs no parsing. */
export function readServiceAccount(json: CredentialJson): ServiceAccount {
  const {
    client_email: email,
    private_key: privateKey,
    private_key_id: keyId,
    token_uri: tokenUri
  } = readFields(json, REQUIRED, OPTIONAL)
  // Looked up by what is short, then held against all: who knows only an email and a key id gets nothing.
  const name = `${email} ${keyId} ${tokenUri}`
  const known = accounts.get(name)
  if (known && known.privateKey === privateKey && known.keyId === keyId && known.tokenUri === tokenUri) return known
  const pkcs8 = readPrivateKey(privateKey)
  const identity = JSON.stringify(['key', email, keyId, tokenUri, toBase64url(pkcs8)])
  const account = { email, privateKey, keyId, tokenUri, pkcs8, identity }
  accounts.set(name, account)
  return account
}

/** A JWT (RFC 7519) of the account's, signed by RS256 (RFC 7518 section 3.3); valid for an hour around `now`. */
export async function signJwt(account: ServiceAccount, claims: object, now: number): Promise<string> {
  // Google refuses what is signed in its future, and clocks differ: NTP keeps them well within 30 s.
  const iat = Math.floor(now / 1000) - 30
  const header = { alg: 'RS256', typ: 'JWT', kid: account.keyId ?? undefined }
  const body = { iss: account.email, ...claims, iat, exp: iat + 3600 }
  const input = `${toBase64url(JSON.stringify(header))}.${toBase64url(JSON.stringify(body))}`
  const { subtle } = crypto
  check(subtle, 'crypto.subtle', 'there, as it is on pages of https')
  try {
    account.key ??= await subtle.importKey('pkcs8', account.pkcs8 as never, RS256, false, ['sign'])
    const signature = await subtle.sign(RS256.name, account.key, new TextEncoder().encode(input))
    return `${input}.${toBase64url(new Uint8Array(signature))}`
  } catch {
    throw invalidKey('is damaged') // what runtimes say of it differs, and says less
  }
}

const REQUIRED = ['client_email', 'private_key'] as const
const OPTIONAL = ['private_key_id', 'token_uri'] as const
// Node's types for Node 20 have no global CryptoKey.
type SigningKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

const RS256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
const accounts = new Table<ServiceAccount>()
