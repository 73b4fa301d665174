import { importSPKI } from 'jose'
import { createGoogle } from '../google/index.ts'
import type { Google, KeyFile, Settings } from '../google/index.ts'
import * as keys from './keys.ts'

export const audience = 'https://hello-uc.a.run.app'

/** A local Google, a key of an account that it knows, and the options that bring the two together. */
export async function setUp(settings: Partial<Settings> = {}): Promise<Scene> {
  const google = createGoogle({ settings })
  const key = await google.createKey()
  return { google, key, options: { credentials: key, audience, fetch: google.fetch, retries: 0 } }
}

/** The same, where the account has the RSA key of `keys.ts`, which comes in many forms. */
export async function setUpWith(private_key: string): Promise<Scene> {
  const google = createGoogle()
  const account = google.createAccount()
  account.keys.push({ id: '1', publicKey: await importSPKI(keys.publicKey, 'RS256'), disabled: false })
  const key = { client_email: account.email, private_key } as KeyFile
  return { google, key, options: { credentials: key, audience, fetch: google.fetch, retries: 0 } }
}

export interface Scene {
  google: Google
  key: KeyFile
  options: { credentials: KeyFile, audience: string, fetch: Google['fetch'], retries: number }
}
