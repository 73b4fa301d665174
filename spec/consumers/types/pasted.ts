// The copy-paste file beside one's own code, under the strictest settings.

import { getIdToken, IdTokenError } from './single.ts'
import type { GetIdTokenOptions, IdTokenErrorCode, TokenStore } from './single.ts'

declare const store: TokenStore

const options: GetIdTokenOptions = { credentials: '{}', audience: 'https://my-service-abc123-ew.a.run.app', store }
export const token: Promise<string> = getIdToken(options)
export const code = (error: IdTokenError): IdTokenErrorCode => error.code

// @ts-expect-error
getIdToken({ audience: options.audience })
