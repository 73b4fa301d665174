import { generateKeyPair, importJWK } from 'jose'

/** A new RSA key. They are slow to make, so the runner of the specs hands in some that it made for this run. */
export async function newKeyPair(): Promise<CryptoKeyPair> {
  const { rsaKeys = [] }: { rsaKeys?: string[] } = (globalThis as any).SPEC_HOST ?? {}
  const made = rsaKeys.pop()
  if (!made) return generateKeyPair('RS256', { extractable: true })
  const jwk = JSON.parse(made)
  const halves = [jwk, { kty: jwk.kty, n: jwk.n, e: jwk.e }]
  const [privateKey, publicKey] = await Promise.all(halves.map((half) => importJWK(half, 'RS256', { extractable: true })))
  return { privateKey, publicKey } as CryptoKeyPair
}
