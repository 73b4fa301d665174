import { createLocalJWKSet, compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import type { JSONWebKeySet, JWTPayload } from 'jose'
import { issueAccessToken } from './access-token.ts'
import { errorPage, json } from './answers.ts'
import { refuse } from './token-errors.ts'
import type { Refusal } from './token-errors.ts'
import { formOf, isForm } from './wire.ts'
import type { Call } from './wire.ts'
import { seconds } from './world.ts'
import type { Provider, World } from './world.ts'

const BAD_AUDIENCE = 'Invalid value for "audience". This value should be the full resource name of the ' +
  'Identity Provider. See https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the ' +
  'list of possible formats.'
const BAD_TARGET = 'The target service indicated by the "audience" parameters is invalid. This might ' +
  'either be because the pool or provider is disabled or deleted or because it doesn\'t exist.'
const BAD_CONDITION = 'The given credential is rejected by the attribute condition.'

/** The answers of the Security Token Service that are always the same; others follow. */
export const stsErrors = {
  badGrant: refusal('unsupported_grant_type', 'Invalid grant_type.'),
  badRequest: refusal('invalid_request', 'Bad Request'),
  badAudience: refusal('invalid_request', BAD_AUDIENCE),
  badTarget: refusal('invalid_target', BAD_TARGET),
  unparsable: refusal('invalid_grant', 'Unable to parse the ID Token.'),
  unreachable: refusal('invalid_grant', 'Error connecting to the given credential\'s issuer.'),
  badSignature: refusal('invalid_grant', 'Unable to verify the ID Token signature.'),
  badCondition: refusal('unauthorized_client', BAD_CONDITION),
  longSubject: refusal('invalid_request', 'The size of mapped attribute exceeds the 127 bytes limit.')
} as const

export function otherIssuer(iss: unknown, expected: string): Refusal {
  return refusal('invalid_grant',
    `The issuer in ID Token ${iss ?? null} does not match the expected one in config: ${expected}.`)
}

export function otherAudience(aud: unknown): Refusal {
  const list = [aud ?? []].flat().join(', ')
  return refusal('invalid_grant', `The audience in ID Token [${list}] does not match the expected audience.`)
}

export function stale(iat: unknown): Refusal {
  return refusal('invalid_grant', `ID Token issued at ${iat ?? null} is stale to sign-in.`)
}

/** `ask` is the way to the issuers of subject tokens. */
export async function securityTokenService(world: World, call: Call, ask: Ask): Promise<Response> {
  if (call.request.method !== 'POST') return errorPage(404, call.url.pathname)
  const { grantType, audience, requestedTokenType, subjectTokenType, subjectToken, scope } = fields(call)
  if (grantType !== 'urn:ietf:params:oauth:grant-type:token-exchange') return refuse(stsErrors.badGrant)
  if (!AUDIENCE.test(audience ?? '')) return refuse(stsErrors.badAudience)
  if (requestedTokenType !== ACCESS_TOKEN || !SUBJECT_TYPES.includes(subjectTokenType ?? '') || !scope) {
    return refuse(stsErrors.badRequest)
  }
  const provider = world.providers.find(({ name }) => audience === `//iam.googleapis.com/${name}`)
  if (!provider || provider.disabled) return refuse(stsErrors.badTarget)

  const { refusal, claims } = await checkSubject(world, provider, subjectToken ?? '', ask)
  if (refusal) return refuse(refusal)
  const lifetime = Math.min(Number(claims.exp) - seconds(world), world.settings.accessTokenLifetime)
  const members = principals(provider, String(claims.sub))
  return json(200, {
    access_token: issueAccessToken(world, 'd', members, scope.split(' '), lifetime),
    issued_token_type: ACCESS_TOKEN,
    token_type: 'Bearer',
    expires_in: Math.max(lifetime - 1, 1)
  })
}

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

const SUBJECT_TYPES = ['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token']

const AUDIENCE = new RegExp('^//iam\\.googleapis\\.com/projects/\\d+/locations/global/' +
  'workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+$')

// A minute either way was seen to be allowed.
const SKEW = 60

/** Both encodings are taken, each with its own spelling. */
function fields(call: Call): Record<string, string | undefined> {
  if (!isForm(call.request)) {
    try {
      return { ...JSON.parse(call.text) }
    } catch {
      return {}
    }
  }
  const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
  return Object.fromEntries([...formOf(call)].map(([name, value]) => [camel(name), value]))
}

async function checkSubject(world: World, provider: Provider, token: string, ask: Ask): Promise<Checked> {
  const { claims, header } = readable(token)
  if (!claims || !header?.kid || !['RS256', 'ES256'].includes(header.alg ?? '')) {
    return { refusal: stsErrors.unparsable }
  }
  if (claims.iss !== provider.issuer) return { refusal: otherIssuer(claims.iss, provider.issuer) }

  const jwks = await publishedKeys(provider.issuer, ask).catch(() => undefined)
  if (!jwks?.keys.some(({ kid }) => kid === header.kid)) return { refusal: stsErrors.unreachable }
  const verified = await compactVerify(token, createLocalJWKSet(jwks)).catch(() => undefined)
  if (!verified) return { refusal: stsErrors.badSignature }

  if (isStale(world, claims)) return { refusal: stale(claims.iat) }
  if (![claims.aud ?? []].flat().some(aud => audiences(provider).includes(aud))) {
    return { refusal: otherAudience(claims.aud) }
  }
  const isAllowed = typeof claims.sub === 'string' && provider.condition(claims)
  if (!isAllowed) return { refusal: stsErrors.badCondition }
  if (new TextEncoder().encode(claims.sub).length > 127) return { refusal: stsErrors.longSubject }
  return { claims }
}

async function publishedKeys(issuer: string, ask: Ask): Promise<JSONWebKeySet> {
  const { jwks_uri } = await read(ask, `${issuer}/.well-known/openid-configuration`)
  return read(ask, jwks_uri)
}

async function read(ask: Ask, url: string): Promise<any> {
  const response = await ask(url)
  if (response.status !== 200) throw new Error(String(response.status))
  return JSON.parse(await response.text())
}

function isStale(world: World, { iat, exp }: JWTPayload): boolean {
  const now = seconds(world)
  const { longestSubjectToken, oldestSubjectToken } = world.settings
  return typeof iat !== 'number' || typeof exp !== 'number' || exp <= now - SKEW || iat > now + SKEW ||
    exp - iat > longestSubjectToken || now - iat > oldestSubjectToken
}

function audiences({ name, audiences }: Provider): string[] {
  const own = `//iam.googleapis.com/${name}`
  return audiences.length > 0 ? audiences : [own, `https:${own}`]
}

function principals({ name }: Provider, subject: string): string[] {
  const pool = name.replace(/\/providers\/.*/, '')
  return [
    `principal://iam.googleapis.com/${pool}/subject/${subject}`,
    `principalSet://iam.googleapis.com/${pool}/*`
  ]
}

function readable(token: string): { claims?: JWTPayload, header?: { alg?: string, kid?: string } } {
  try {
    return { claims: decodeJwt(token), header: decodeProtectedHeader(token) as {} }
  } catch {
    return {}
  }
}

function refusal(error: string, description: string): Refusal {
  return { status: 400, error, description }
}

type Ask = (url: string) => Promise<Response>

type Checked = { refusal: Refusal, claims?: never } | { refusal?: never, claims: JWTPayload }
