import { json } from './answers.ts'

const TIME_FRAME = 'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable ' +
  'timeframe. Check your iat and exp values'
const UNAUTHORIZED = 'Client is unauthorized to retrieve access tokens using this method, ' +
  'or client not authorized for any of the scopes requested.'

/** Every answer of the token endpoint but a token; those of its own checks first, in their order. */
export const tokenErrors = {
  badStructure: refusal(400, 'invalid_request', 'Bad Request'),
  badSignature: refusal(400, 'invalid_grant', 'Invalid JWT Signature.'),
  unknownAccount: refusal(400, 'invalid_grant', 'Invalid grant: account not found'),
  disabledClient: refusal(401, 'disabled_client', 'The OAuth client was disabled.'),
  noIat: refusal(400, 'invalid_grant', 'Invalid JWT: iat (issued at) is not set.'),
  noExp: refusal(400, 'invalid_grant', 'Invalid JWT: exp (expiration time) is not set.'),
  badTime: refusal(400, 'invalid_grant', `${TIME_FRAME} in the JWT claim.`),
  noAudience: refusal(400, 'invalid_scope', 'Invalid OAuth scope or ID token audience provided.'),
  badAudience: refusal(400, 'invalid_grant', 'Invalid JWT: Failed audience check.'),
  unauthorizedClient: refusal(401, 'unauthorized_client', UNAUTHORIZED),
  badSubject: refusal(400, 'invalid_request', 'Invalid impersonation "sub" field'),

  noVerifier: refusal(400, 'invalid_grant', 'Invalid JWT: No valid verifier found for issuer.'),
  badEmail: refusal(400, 'invalid_grant', 'Not a valid email or user ID.'),
  deletedAccount: refusal(400, 'invalid_grant', 'The account has been deleted'),
  olderBadTime: refusal(400, 'invalid_grant',
    `${TIME_FRAME} and use a clock with skew to account for clock differences between systems.`),
  olderBadAudience: refusal(400, 'invalid_grant',
    'Invalid JWT: Failed audience check. The right audience is https://www.googleapis.com/oauth2/v4/token'),
  accessDenied: refusal(403, 'access_denied', 'Requested client not authorized.'),
  adminPolicy: refusal(400, 'admin_policy_enforced', 'Access is restricted by your administrator.'),
  deletedClient: refusal(401, 'deleted_client', 'The OAuth client was deleted.'),
  invalidClient: refusal(401, 'invalid_client', 'The OAuth client was not found.'),
  noRefreshToken: refusal(400, 'invalid_request', 'Missing required parameter: refresh_token'),
  revokedToken: refusal(400, 'invalid_grant', 'Token has been expired or revoked.'),
  reauthNeeded: refusal(400, 'invalid_grant', 'reauth related error (invalid_rapt)'),

  internalFailure: refusal(500, 'internal_failure'),
  backendError: refusal(500, 'internal_failure', 'Backend Error'),
  serverError: refusal(500, 'server_error'),
  temporarilyUnavailable: refusal(503, 'temporarily_unavailable'),
  rateLimited: refusal(429, 'rate_limit_exceeded')
} as const

export function refuse({ status, error, description }: Refusal, headers: HeadersInit = {}): Response {
  return json(status, { error, ...description !== undefined && { error_description: description } }, headers)
}

function refusal(status: number, error: string, description?: string): Refusal {
  return { status, error, ...description !== undefined && { description } }
}

export interface Refusal {
  status: number
  error: string
  description?: string
}
