import { base64url, compactVerify } from 'jose'
import { errorPage, json } from './answers.ts'
import { emailClaims, issueIdToken } from './id-token.ts'
import { letters } from './random.ts'
import type { SigningKeys } from './signing-keys.ts'
import { formOf } from './wire.ts'
import type { Call } from './wire.ts'
import { seconds } from './world.ts'
import type { Account, AccountKey, World } from './world.ts'

export const TOKEN_URL = 'https://oauth2.googleapis.com/token'

export const TOKEN_URLS: readonly string[] = [
  TOKEN_URL,
  'https://www.googleapis.com/oauth2/v4/token',
  'https://accounts.google.com/o/oauth2/token'
]

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
  revokedToken: refusal(400, 'invalid_grant', 'Token has been expired or revoked.'),
  reauthNeeded: refusal(400, 'invalid_grant', 'reauth related error (invalid_rapt)'),

  internalFailure: refusal(500, 'internal_failure'),
  backendError: refusal(500, 'internal_failure', 'Backend Error'),
  serverError: refusal(500, 'server_error'),
  temporarilyUnavailable: refusal(503, 'temporarily_unavailable'),
  rateLimited: refusal(429, 'rate_limit_exceeded')
} as const

export interface Refusal {
  status: number
  error: string
  description?: string
}

export function refuse({ status, error, description }: Refusal, headers: HeadersInit = {}): Response {
  return json(status, { error, ...description !== undefined && { error_description: description } }, headers)
}

export async function tokenEndpoint(world: World, keys: SigningKeys, call: Call): Promise<Response> {
  if (call.request.method !== 'POST') return errorPage(404, call.url.pathname)
  const form = formOf(call)
  const grantType = form.get('grant_type') ?? ''
  if (grantType === 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
    return jwtBearer(world, keys, call.url.origin + call.url.pathname, form.get('assertion') ?? '')
  }
  return refuse(refusal(400, 'unsupported_grant_type', `Invalid grant_type: ${grantType}`))
}

/** The claims of an assertion, or the first of the checks that it fails. */
export async function checkAssertion(world: World, endpoint: string, assertion: string): Promise<Checked> {
  const parts = decoded(assertion)
  if (!parts) return { refusal: tokenErrors.badStructure }
  const { header, claims } = parts

  const account = world.accounts.get(String(claims.iss))
  const key = await verifiedBy(assertion, header, candidates(world, account, header.kid))
  if (key === 'nobody') return { refusal: tokenErrors.badSignature }
  if (!account || key === 'no candidate') return { refusal: tokenErrors.unknownAccount }
  if (key.disabled || account.disabled) return { refusal: tokenErrors.disabledClient }

  if (claims.iat == null) return { refusal: tokenErrors.noIat }
  if (claims.exp == null) return { refusal: tokenErrors.noExp }
  if (!isShortLived(world, numeric(claims.iat), numeric(claims.exp))) return { refusal: tokenErrors.badTime }

  if (!isText(claims.target_audience) && !isText(claims.scope)) return { refusal: tokenErrors.noAudience }
  if (!isAudience(world, endpoint, claims.aud)) return { refusal: tokenErrors.badAudience }
  if (claims.sub != null && claims.sub !== account.email) {
    return { refusal: isText(claims.sub) ? tokenErrors.unauthorizedClient : tokenErrors.badSubject }
  }
  return { account, claims }
}

export function issueAccessToken(
  world: World, kind: 'a0' | 'c' | 'd', member: string, scopes: string[], lifetime?: number
): string {
  const token = `ya29.${kind}.${letters(120)}`
  const expires = world.now() + (lifetime ?? world.settings.accessTokenLifetime) * 1000
  world.accessTokens.set(token, { member, scopes, expires })
  return token
}

async function jwtBearer(world: World, keys: SigningKeys, url: string, assertion: string): Promise<Response> {
  const { refusal, account, claims: asked } = await checkAssertion(world, url, assertion)
  if (refusal) return refuse(refusal)
  // Scopes that nobody knows are no error: the real endpoint takes them for an ID token's audience.
  const scopes = String(asked.scope).trim().split(/ +/)
  if (!isText(asked.target_audience) && scopes.every(isKnownScope)) {
    const access_token = issueAccessToken(world, 'c', `serviceAccount:${account.email}`, scopes)
    const expires_in = world.settings.accessTokenLifetime - 1
    return json(200, { access_token, expires_in, token_type: 'Bearer' })
  }
  const audience = isText(asked.target_audience) ? asked.target_audience : asked.scope
  const claims = emailClaims(account, audience)
  return json(200, { id_token: await issueIdToken(world, keys, world.settings.idTokenLifetime, claims) })
}

/** The keys that may have signed: the issuer's own, or for an unknown issuer whose key the `kid` names. */
function candidates(world: World, account: Account | undefined, kid: unknown): AccountKey[] | undefined {
  const keys = account ? account.keys : [...world.accounts.values()].flatMap(({ keys }) => keys)
  if (kid !== undefined) {
    const named = keys.filter(({ id }) => id === kid)
    return account || named.length ? named : undefined
  }
  return account && keys
}

async function verifiedBy(
  assertion: string, header: Json, keys: AccountKey[] | undefined
): Promise<AccountKey | 'nobody' | 'no candidate'> {
  if (header.alg !== 'RS256') return 'nobody'
  if (!keys) return 'no candidate'
  for (const key of keys) {
    const verified = await compactVerify(assertion, key.publicKey).catch(() => undefined)
    if (verified) return key
  }
  return 'nobody'
}

function isShortLived(world: World, iat: number, exp: number): boolean {
  const now = seconds(world)
  const life = exp - iat
  const { longestAssertion, futureSkew } = world.settings
  return life >= 0 && life <= longestAssertion && iat <= now + futureSkew && exp > now
}

function isAudience(world: World, endpoint: string, aud: unknown): boolean {
  const right = world.settings.mixedAudiences ? [endpoint, ...TOKEN_URLS] : [endpoint, TOKEN_URL]
  return typeof aud === 'string' && right.includes(aud)
}

function decoded(assertion: string): { header: Json, claims: Json } | undefined {
  const parts = assertion.split('.')
  if (parts.length !== 3 || !parts.every(isBase64url)) return undefined
  const [header, claims] = parts.map(jsonObject)
  return header && claims && { header, claims }
}

function isBase64url(text: string): boolean {
  return /^[\w-]*$/.test(text) && text.length % 4 !== 1
}

function jsonObject(segment: string): Json | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(base64url.decode(segment))
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Json : undefined
  } catch {
    return undefined
  }
}

/** Digits in a string are taken for a number; NaN is in no time frame. */
function numeric(value: unknown): number {
  return typeof value === 'number' || /^\d+$/.test(String(value)) ? Number(value) : NaN
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== ''
}

function isKnownScope(scope: string): boolean {
  return /^(https:\/\/www\.googleapis\.com\/auth\/[\w.-]+|openid|email|profile)$/.test(scope)
}

function refusal(status: number, error: string, description?: string): Refusal {
  return description === undefined ? { status, error } : { status, error, description }
}

type Json = Record<string, unknown>

type Checked =
  | { refusal: Refusal, account?: never, claims?: never }
  | { refusal?: never, account: Account, claims: Json }
