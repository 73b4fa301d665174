// It makes no ID tokens for an audience: its getIdToken is for users of Firebase. The nearest that it has are
// access tokens, which take the same steps. So each audience is a scope here.

import { getAccessToken } from 'web-auth-library/google'

export const open = (credentials) => (audience) => getAccessToken({ credentials, scope: audience })
