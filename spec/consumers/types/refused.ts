// Mistakes that the types must tell: where one goes through, its `@ts-expect-error` is an error itself.

import * as core from 'gcp-id-token'
import * as adc from 'gcp-id-token/adc'
import * as federation from 'gcp-id-token/federation'
import { authorizedFetch } from 'gcp-id-token/fetch'
import * as impersonation from 'gcp-id-token/impersonation'
import * as metadata from 'gcp-id-token/metadata'
import { encryptedStore, workersKvStore } from 'gcp-id-token/store'

declare const credentials: string
declare const secret: string
declare const error: core.IdTokenError

const audience = 'https://my-service-abc123-ew.a.run.app'
const serviceAccount = 'caller@my-project.iam.gserviceaccount.com'
const subjectToken = 'header.claims.signature'

// @ts-expect-error
core.getIdToken()
// @ts-expect-error
core.getIdToken({ credentials })
// @ts-expect-error
core.getIdToken({ audience })
// @ts-expect-error
core.getIdToken({ audience, credentials: undefined })
// @ts-expect-error
core.getIdToken({ audience, credentials: { client_email: serviceAccount } })
// @ts-expect-error
core.getIdToken({ credentials, audience: new URL(audience) })
// @ts-expect-error
core.getIdToken({ credentials, audience: [audience] })
// @ts-expect-error
core.getIdToken({ credentials, audience, serviceAccount })
// @ts-expect-error
core.getIdToken({ credentials, audience, timeout: '5s' })
// @ts-expect-error
core.getIdToken({ credentials, audience, retries: false })
// @ts-expect-error
core.getIdToken({ credentials, audience, forceRefresh: 'yes' })
// @ts-expect-error
core.getIdToken({ credentials, audience, signal: new AbortController() })
// @ts-expect-error
core.getIdToken({ credentials, audience, fetch: () => 'text' })
// @ts-expect-error
core.getIdToken({ credentials, audience, waitUntil: true })
// @ts-expect-error
core.getIdToken({ credentials, audience, store: new Map<string, string>() })
// @ts-expect-error
core.getIdToken({ credentials, audience }).split('.')
// @ts-expect-error
error.code === 'unauthorized'
// @ts-expect-error
error.code = 'rejected'

// @ts-expect-error
metadata.getIdToken({ audience, credentials })
// @ts-expect-error
metadata.getIdToken({ audience, format: 'compact' })
// @ts-expect-error
metadata.getIdToken({ audience, licenses: 'TRUE' })
// @ts-expect-error
metadata.getIdToken({ audience, host: new URL('http://localhost:8080') })

// @ts-expect-error
federation.getIdToken({ audience, credentials })
// @ts-expect-error
federation.getIdToken({ audience, credentials, subjectToken: () => 1 })
// @ts-expect-error
federation.getIdToken({ audience, credentials, subjectToken: Promise.resolve(subjectToken) })
// @ts-expect-error
federation.getIdToken({ audience, subjectToken, provider: 123456789012 })
// @ts-expect-error
federation.getIdToken({ audience, subjectToken, credentials: { client_email: '', private_key: '' } })

// @ts-expect-error
impersonation.getIdToken({ audience, serviceAccount })
// @ts-expect-error
impersonation.getIdToken({ audience, credentials, serviceAccount, delegates: serviceAccount })
// @ts-expect-error
impersonation.getIdToken({ audience, credentials, serviceAccount, includeEmail: 'true' })

// @ts-expect-error
adc.getIdToken({})
// @ts-expect-error
adc.getIdToken({ audience, credentials: 1 })
// @ts-expect-error
adc.getIdToken({ audience, credentials: { type: 'gdch_service_account' } })

// @ts-expect-error
authorizedFetch()
// @ts-expect-error
authorizedFetch(core.getIdToken)
// @ts-expect-error
authorizedFetch(metadata.getIdToken, { header: 'cookie' })
// @ts-expect-error
authorizedFetch(metadata.getIdToken, { origins: audience })
// @ts-expect-error
authorizedFetch(metadata.getIdToken, { audience: new URL(audience) })
// @ts-expect-error
authorizedFetch(metadata.getIdToken)()

// @ts-expect-error
encryptedStore(new Map<string, string>(), { secret })
// @ts-expect-error
encryptedStore({ get: async () => null, set: async () => {} })
// @ts-expect-error
encryptedStore({ get: async () => null, set: async () => {} }, { secret: 12345 })
// @ts-expect-error
workersKvStore(undefined, { secret })
