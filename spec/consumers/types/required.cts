import core = require('gcp-id-token')
import store = require('gcp-id-token/store')

export const token: Promise<string> = core.getIdToken({ credentials: '{}', audience: 'a' })
export const isFunction: boolean = typeof store.encryptedStore === 'function'
