// What the documentation shows, entry by entry; it compiles wherever the package does.

import * as core from 'gcp-id-token'
import * as adc from 'gcp-id-token/adc'
import * as federation from 'gcp-id-token/federation'
import { authorizedFetch } from 'gcp-id-token/fetch'
import type { AuthorizedFetch, AuthorizedFetchOptions, GetToken, TokenRequest } from 'gcp-id-token/fetch'
import * as impersonation from 'gcp-id-token/impersonation'
import * as metadata from 'gcp-id-token/metadata'
import { encryptedStore, workersKvStore } from 'gcp-id-token/store'
import type { KvNamespace, StoreOptions, TokenStore } from 'gcp-id-token/store'

declare const secret: string
declare const namespace: KvNamespace
declare const key: core.ServiceAccountKey
declare const externalAccount: federation.ExternalAccount
declare const gcloudJson: impersonation.ImpersonatedServiceAccount

const audience = 'https://my-service-abc123-ew.a.run.app'
const serviceAccount = 'caller@my-project.iam.gserviceaccount.com'
const provider = 'projects/123456789012/locations/global/workloadIdentityPools/pool/providers/provider'
const storeOptions: StoreOptions = { secret }

const texts = new Map<string, string>()
const store: TokenStore = encryptedStore({
  get: async (name) => texts.get(name),
  set: async (name, value, { ttl }) => ttl > 0 && texts.set(name, value),
}, storeOptions)

const bound: core.Fetch = (url, init) => fetch(url, init)
const waitUntil: core.WaitUntil = (promise) => { promise.catch(() => {}) }

const common: core.CommonOptions = {
  audience,
  fetch: bound,
  signal: new AbortController().signal,
  timeout: 2000,
  retries: 0,
  waitUntil: { waitUntil },
  store: workersKvStore(namespace, storeOptions),
  forceRefresh: true,
}

export const tokens: Promise<string>[] = [
  core.getIdToken({ credentials: secret, ...common }),
  core.getIdToken({ credentials: key, audience, store, waitUntil, fetch: (url, init) => fetch(url, init) }),
  core.getIdToken({ credentials: { client_email: serviceAccount, private_key: secret }, audience, fetch }),
  metadata.getIdToken(common),
  metadata.getIdToken({ audience, serviceAccount, host: 'localhost:8080', format: 'full', licenses: true }),
  federation.getIdToken({ provider, serviceAccount, subjectToken: () => secret, ...common }),
  federation.getIdToken({ credentials: externalAccount, subjectToken: async (wanted) => wanted, audience }),
  federation.getIdToken({ provider, serviceAccount, subjectToken: secret, identity: 'job', audience }),
  impersonation.getIdToken({ credentials: key, serviceAccount, delegates: [serviceAccount], ...common }),
  impersonation.getIdToken({ credentials: gcloudJson, includeEmail: false, universeDomain: 'example', audience }),
  adc.getIdToken({ audience }),
  adc.getIdToken({ credentials: key, ...common }),
  adc.getIdToken({ credentials: externalAccount, subjectToken: secret, ...common }),
  adc.getIdToken({ credentials: gcloudJson, ...common }),
]

const fromKey: GetToken = (request: TokenRequest) => core.getIdToken({ credentials: key, ...request })
const settings: AuthorizedFetchOptions = { audience, origins: [audience], header: 'auto', fetch: (request) => fetch(request) }
const callers: AuthorizedFetch[] = [
  authorizedFetch(metadata.getIdToken),
  authorizedFetch(adc.getIdToken, { header: 'x-serverless-authorization' }),
  authorizedFetch(fromKey, settings),
  authorizedFetch(fromKey, { fetch }),
]
export const responses: Promise<Response>[] = callers.flatMap((call) => [
  call(audience),
  call(new URL(audience), { method: 'POST', body: '{}' }),
  call(new Request(audience)),
])

export function describe(error: unknown): string | undefined {
  // Whichever entry it comes from, there is one class.
  const classes: (typeof core.IdTokenError)[] = [
    adc.IdTokenError,
    federation.IdTokenError,
    impersonation.IdTokenError,
    metadata.IdTokenError,
  ]
  if (!(error instanceof core.IdTokenError) || classes.length === 0) return
  const { name, code, status, reason, description, hint } = error
  const word: core.IdTokenErrorCode = code
  const number: number | undefined = status
  const details: core.IdTokenErrorDetails = { status: number, reason, description, hint }
  return `${name} ${word} ${details.hint}`
}
