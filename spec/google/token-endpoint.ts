import { base64url, compactVerify } from 'jose'
import { issueAccessToken } from './access-token.ts'
import { errorPage, json } from './answers.ts'
import { emailClaims, issueIdToken } from './id-token.ts'
import { refreshGrant } from './refresh-grant.ts'
import { refuse, tokenErrors } from './token-errors.ts'
import type { Refusal } from './token-errors.ts'
import { formOf } from './wire.ts'
import type { Call } from './wire.ts'
import { findAccount, seconds } from './world.ts'
import type { Account, AccountKey, World } from './world.ts'

export const TOKEN_URL = 'https://oauth2.googleapis.com/token'

export const TOKEN_URLS: readonly string[] = [
  TOKEN_URL,
  'https://www.googleapis.com/oauth2/v4/token',
  'https://accounts.google.com/o/oauth2/token'
]

export async function tokenEndpoint(world: World, call: Call): Promise<Response> {
  if (call.request.method !== 'POST') return errorPage(404, call.url.pathname)
  const form = formOf(call)
  const grantType = form.get('grant_type') ?? ''
  if (grantType === 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
    return jwtBearer(world, call.url.origin + call.url.pathname, form.get('assertion') ?? '')
  }
  if (grantType === 'refresh_token') return refreshGrant(world, form)
  const description = `Invalid grant_type: ${grantType}`
  return refuse({ status: 400, error: 'unsupported_grant_type', description })
}

/** The claims of an assertion, or the first of the checks that it fails. */
export async function checkAssertion(world: World, endpoint: string, assertion: string): Promise<Checked> {
  const parts = decoded(assertion)
  if (!parts) return { refusal: tokenErrors.badStructure }
  const { header, claims } = parts

  const account = findAccount(world, 'googleapis.com', String(claims.iss))
  const key = await verifiedBy(assertion, candidates(world, account, header.kid))
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

async function jwtBearer(world: World, url: string, assertion: string): Promise<Response> {
  const { refusal, account, claims: asked } = await checkAssertion(world, url, assertion)
  if (refusal) return refuse(refusal)
  // Scopes that nobody knows are no error: the real endpoint takes them for an ID token's audience.
  const scopes = String(asked.scope).trim().split(/ +/)
  if (!isText(asked.target_audience) && scopes.every(isKnownScope)) {
    const lifetime = world.settings.accessTokenLifetime
    const access_token = issueAccessToken(world, 'c', [`serviceAccount:${account.email}`], scopes, lifetime)
    return json(200, { access_token, expires_in: lifetime - 1, token_type: 'Bearer' })
  }
  const audience = isText(asked.target_audience) ? asked.target_audience : asked.scope
  const claims = emailClaims(account, audience)
  return json(200, { id_token: await issueIdToken(world, world.settings.idTokenLifetime, claims) })
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

async function verifiedBy(assertion: string, keys: AccountKey[] | undefined): Promise<Signer> {
  if (!keys) return 'no candidate'
  for (const key of keys) {
    // The key is for RS256 alone, and jose holds the header to it.
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

/** Where it is padded, as by Google's client for Python, it is padded right. */
function isBase64url(text: string): boolean {
  return /^[\w-]*$/.test(text) ? text.length % 4 !== 1 : /^[\w-]+={1,2}$/.test(text) && text.length % 4 === 0
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

type Json = Record<string, unknown>

type Signer = AccountKey | 'nobody' | 'no candidate'

type Checked =
  | { refusal: Refusal, account?: never, claims?: never }
  | { refusal?: never, account: Account, claims: Json }
