import { issueAccessToken } from './access-token.ts'
import { json } from './answers.ts'
import { issueIdToken } from './id-token.ts'
import { refuse, tokenErrors } from './token-errors.ts'
import type { World } from './world.ts'

/** For a user; the ID token that comes along is for the OAuth client, never for another audience. */
export async function refreshGrant(world: World, form: URLSearchParams): Promise<Response> {
  const refreshToken = form.get('refresh_token')
  if (!refreshToken) return refuse(tokenErrors.noRefreshToken)
  const login = world.refreshTokens.get(refreshToken)
  if (!login) return refuse(tokenErrors.revokedToken)
  const { email, uniqueId, clientId, clientSecret, reauthNeeded } = login
  if (form.get('client_id') !== clientId || form.get('client_secret') !== clientSecret) {
    return refuse(tokenErrors.invalidClient)
  }
  if (reauthNeeded) return refuse(tokenErrors.reauthNeeded)

  const { accessTokenLifetime, idTokenLifetime } = world.settings
  return json(200, {
    access_token: issueAccessToken(world, 'a0', [`user:${email}`], SCOPES, accessTokenLifetime),
    expires_in: accessTokenLifetime - 1,
    scope: SCOPES.join(' '),
    token_type: 'Bearer',
    id_token: await issueIdToken(world, idTokenLifetime, {
      aud: clientId, azp: clientId, email, email_verified: true, sub: uniqueId
    })
  })
}

const SCOPES = [
  'openid',
  'https://www.googleapis.com/auth/userinfo.email',
  'https://www.googleapis.com/auth/cloud-platform'
]
