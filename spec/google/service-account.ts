import { exportPKCS8 } from 'jose'
import { newKeyPair } from './key-pair.ts'
import { digits, hex } from './random.ts'
import type { Account } from './world.ts'

/** A service account's key file, as Google gives it. */
export interface KeyFile {
  type: 'service_account'
  project_id: string
  private_key_id: string
  private_key: string
  client_email: string
  client_id: string
  auth_uri: string
  token_uri: string
  auth_provider_x509_cert_url: string
  client_x509_cert_url: string
  universe_domain: string
}

export function newAccount(name: string, projectId: string, universe: string): Account {
  return {
    email: `${name}@${projectId}.iam.gserviceaccount.com`,
    uniqueId: digits(21),
    projectId,
    projectNumber: digits(12),
    universe,
    keys: [],
    disabled: false
  }
}

/** A new key of the account, which knows the public half from then on. */
export async function newKeyFile(account: Account, pair: CryptoKeyPair): Promise<KeyFile> {
  const { publicKey, privateKey } = pair
  const id = hex(20)
  account.keys.push({ id, publicKey, disabled: false })
  return {
    type: 'service_account',
    project_id: account.projectId,
    private_key_id: id,
    private_key: `${await exportPKCS8(privateKey)}\n`,
    client_email: account.email,
    client_id: account.uniqueId,
    auth_uri: 'https://accounts.google.com/o/oauth2/auth',
    token_uri: `https://oauth2.${account.universe}/token`,
    auth_provider_x509_cert_url: 'https://www.googleapis.com/oauth2/v1/certs',
    client_x509_cert_url: CERTIFICATES + encodeURIComponent(account.email),
    universe_domain: account.universe
  }
}

/** The key that Google itself keeps for an account, to sign for those who may. */
export async function systemKey(account: Account): Promise<{ id: string, privateKey: CryptoKey }> {
  if (!account.systemKey) {
    const { publicKey, privateKey } = await newKeyPair()
    const id = hex(20)
    account.keys.push({ id, publicKey, disabled: false })
    account.systemKey = { id, privateKey }
  }
  return account.systemKey
}

/**
 * RSA keys are slow to make, and specs need many: all Googles of this realm take theirs from one pool.
 * No two accounts of one Google share a key, and no two Googles an account.
 */
export async function pooledPair(index: number): Promise<CryptoKeyPair> {
  const pair = pool[index] ?? await newKeyPair()
  return pool[index] ??= pair
}

const CERTIFICATES = 'https://www.googleapis.com/robot/v1/metadata/x509/'

const pool: CryptoKeyPair[] = []
