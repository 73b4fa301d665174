import { SignJWT, decodeJwt, jwtVerify } from 'jose'
import { issueAccessToken } from './access-token.ts'
import { errorPage, json } from './answers.ts'
import { issueIdToken } from './id-token.ts'
import { systemKey } from './service-account.ts'
import { formOf, isForm, isJson } from './wire.ts'
import type { Call } from './wire.ts'
import { findAccount, isGranted, universeOf } from './world.ts'
import type { Account, Member, Role, World } from './world.ts'

const AUTHENTICATION = 'Expected OAuth 2 access token, login cookie or other valid authentication ' +
  'credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.'
const LONG_LIFETIME = 'The access token can not have lifetimes of more than 1 hour. Use the Org Policy ' +
  'Constraint constraints/iam.allowServiceAccountCredentialLifetimeExtension to allow up to 12 hours.'
const SERVICE_DISABLED = 'IAM Service Account Credentials API has not been used in project 123456789012 ' +
  'before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/' +
  'iamcredentials.googleapis.com/overview?project=123456789012 then retry. If you enabled this API ' +
  'recently, wait a few minutes for the action to propagate to our systems and retry.'

/** Every answer of the IAM Credentials API but a token. */
export const iamErrors = {
  invalidArgument: status(400, 'INVALID_ARGUMENT', 'Request contains an invalid argument.'),
  noLifetime: status(400, 'INVALID_ARGUMENT', 'Lifetime of access token must be larger then zero.'),
  longLifetime: status(400, 'INVALID_ARGUMENT', LONG_LIFETIME),
  noCredentials: status(401, 'UNAUTHENTICATED',
    `Request is missing required authentication credential. ${AUTHENTICATION}`, 'CREDENTIALS_MISSING'),
  badCredentials: status(401, 'UNAUTHENTICATED',
    `Request had invalid authentication credentials. ${AUTHENTICATION}`),
  badScopes: status(403, 'PERMISSION_DENIED', 'Request had insufficient authentication scopes.',
    'ACCESS_TOKEN_SCOPE_INSUFFICIENT'),
  noIdToken: denied('iam.serviceAccounts.getOpenIdToken'),
  noAccessToken: denied('iam.serviceAccounts.getAccessToken'),
  noSignature: denied('iam.serviceAccounts.signJwt'),
  noDelegation: denied('iam.serviceAccounts.implicitDelegation'),
  serviceDisabled: status(403, 'PERMISSION_DENIED', SERVICE_DISABLED, 'SERVICE_DISABLED'),
  exhausted: status(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.', 'RATE_LIMIT_EXCEEDED'),
  internal: status(500, 'INTERNAL', 'Internal error encountered.'),
  unavailable: status(503, 'UNAVAILABLE', 'The service is currently unavailable.')
} as const

export interface Status {
  code: number
  status: string
  message: string
  reason?: string
  permission?: string
}

export function notFound(email: string): Status {
  return status(404, 'NOT_FOUND', `Not found; Gaia id not found for email ${email}`)
}

export function failed(error: Status, headers: HeadersInit = {}): Response {
  const { code, status, message, reason, permission } = error
  const details = reason && [{
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason,
    domain: permission ? 'iam.googleapis.com' : 'googleapis.com',
    ...permission && { metadata: { permission } }
  }]
  const all = new Headers(headers)
  if (code === 401) {
    const invalid = reason === 'CREDENTIALS_MISSING' ? '' : ', error="invalid_token"'
    all.set('www-authenticate', `Bearer realm="https://accounts.google.com/"${invalid}`)
  }
  return json(code, { error: { code, message, status, ...details && { details } } }, all)
}

export async function iamCredentials(world: World, call: Call): Promise<Response> {
  const { request, url } = call
  const universe = universeOf(world, url.hostname)
  const [, project, id, name] = PATH.exec(decodeURIComponent(url.pathname)) ?? []
  const method = METHODS.find(method => method.name === name)
  if (request.method !== 'POST' || !method) return errorPage(404, url.pathname)

  const authorization = request.headers.get('authorization')
  if (!authorization) return failed(iamErrors.noCredentials)
  const caller = await bearer(world, universe, authorization)
  if (!caller) return failed(iamErrors.badCredentials)
  if (!caller.scopes.some(scope => SCOPES.includes(scope))) return failed(iamErrors.badScopes)

  const body = parsed(call)
  if (project !== '-' || !body || !Object.keys(body).every(field => method.fields.includes(field))) {
    return failed(iamErrors.invalidArgument)
  }
  const refusal = chain(world, universe, caller.members, body.delegates ?? [], id!, method)
  if (refusal) return failed(refusal)
  return method.answer(world, findAccount(world, universe, id!)!, body)
}

const PATH = /^\/v1\/projects\/([^/]+)\/serviceAccounts\/([^/:]+):(\w+)$/

const SCOPES = ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/iam']

const CREATOR: Role = 'roles/iam.serviceAccountTokenCreator'

const METHODS: Method[] = [
  {
    name: 'generateIdToken',
    fields: ['audience', 'includeEmail', 'delegates', 'organizationNumberIncluded', 'useEmailAzp'],
    roles: [CREATOR, 'roles/iam.serviceAccountOpenIdTokenCreator', 'roles/iam.workloadIdentityUser'],
    refusal: iamErrors.noIdToken,
    async answer(world, { email, uniqueId }, body) {
      if (typeof body.audience !== 'string' || !body.audience) return failed(iamErrors.invalidArgument)
      const token = await issueIdToken(world, world.settings.iamIdTokenLifetime, {
        aud: body.audience,
        azp: isTrue(body.useEmailAzp) ? email : uniqueId,
        sub: uniqueId,
        ...isTrue(body.includeEmail) && { email, email_verified: true },
        ...isTrue(body.organizationNumberIncluded) && { google: { organization_number: null } }
      })
      return json(200, { token })
    }
  },
  {
    name: 'generateAccessToken',
    fields: ['scope', 'lifetime', 'delegates'],
    roles: [CREATOR, 'roles/iam.workloadIdentityUser'],
    refusal: iamErrors.noAccessToken,
    async answer(world, { email }, { scope, lifetime = '3600s' }) {
      const [, digits] = /^(\d+)s$/.exec(String(lifetime)) ?? []
      if (!Array.isArray(scope) || scope.length === 0 || !digits) return failed(iamErrors.invalidArgument)
      const length = Number(digits)
      if (length === 0) return failed(iamErrors.noLifetime)
      if (length > 3600) return failed(iamErrors.longLifetime)
      const accessToken = issueAccessToken(world, 'c', [`serviceAccount:${email}`], scope, length)
      const expireTime = new Date(world.now() + length * 1000).toISOString().replace(/\.\d+/, '')
      return json(200, { accessToken, expireTime })
    }
  },
  {
    name: 'signJwt',
    fields: ['payload', 'delegates'],
    roles: [CREATOR],
    refusal: iamErrors.noSignature,
    async answer(_, account, { payload }) {
      const claims = objectIn(payload)
      if (!claims) return failed(iamErrors.invalidArgument)
      const { id, privateKey } = await systemKey(account)
      const jwt = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: id, typ: 'JWT' })
      return json(200, { keyId: id, signedJwt: await jwt.sign(privateKey) })
    }
  }
]

/** Who calls: by an access token of Google's, or by a JWT that a service account signed for itself. */
async function bearer(
  world: World, universe: string | undefined, authorization: string
): Promise<{ members: Member[], scopes: string[] } | undefined> {
  const [, token = ''] = /^bearer +(\S+)$/i.exec(authorization) ?? []
  const known = world.accessTokens.get(token)
  if (known) return known.expires > world.now() ? known : undefined
  try {
    const { iss = '', sub, aud, scope } = decodeJwt<{ scope?: string }>(token)
    const account = findAccount(world, universe, iss)
    if (!account || account.email !== iss || account.disabled || sub !== iss) return undefined
    if (!await isSelfSigned(world, account, token)) return undefined
    if (aud === `https://iamcredentials.${account.universe}/` && scope === undefined) {
      return { members: [`serviceAccount:${iss}`], scopes: SCOPES }
    }
    if (aud !== undefined || typeof scope !== 'string') return undefined
    return { members: [`serviceAccount:${iss}`], scopes: scope.split(' ') }
  } catch {
    return undefined
  }
}

async function isSelfSigned(world: World, account: Account, token: string): Promise<boolean> {
  for (const key of account.keys.filter(({ disabled }) => !disabled)) {
    const verified = await jwtVerify(token, key.publicKey, {
      algorithms: ['RS256'],
      currentDate: new Date(world.now())
    }).catch(() => undefined)
    if (!verified) continue
    const { iat = NaN, exp = NaN } = verified.payload
    const { longestAssertion, futureSkew } = world.settings
    return exp - iat <= longestAssertion && iat <= world.now() / 1000 + futureSkew
  }
  return false
}

/** From the caller over each delegate to the target: the first step that is not allowed. */
function chain(
  world: World,
  universe: string | undefined,
  caller: Member[],
  delegates: unknown,
  target: string,
  method: Method
): Status | undefined {
  if (!Array.isArray(delegates)) return iamErrors.invalidArgument
  let members = caller
  for (const delegate of delegates) {
    const [, id] = /^projects\/-\/serviceAccounts\/([^/]+)$/.exec(delegate) ?? []
    if (!id) return iamErrors.invalidArgument
    const account = findAccount(world, universe, id)
    if (!account) return notFound(id)
    if (!isGranted(world, [CREATOR], members, account.email)) return iamErrors.noDelegation
    members = [`serviceAccount:${account.email}`]
  }
  const account = findAccount(world, universe, target)
  if (!account) return notFound(target)
  return isGranted(world, method.roles, members, account.email) ? undefined : method.refusal
}

/** JSON it must be, but the API takes forms as well, and Google's Java client sends one. */
function parsed(call: Call): Body | undefined {
  if (isForm(call.request)) return Object.fromEntries(formOf(call))
  return isJson(call.request) ? objectIn(call.text) : undefined
}

function objectIn(text: unknown): Body | undefined {
  try {
    const value: unknown = JSON.parse(String(text))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Body : undefined
  } catch {
    return undefined
  }
}

function isTrue(value: unknown): boolean {
  return value === true || value === 'true'
}

function status(code: number, status: string, message: string, reason?: string): Status {
  return { code, status, message, ...reason && { reason } }
}

function denied(permission: string): Status {
  const message = `Permission '${permission}' denied on resource (or it may not exist).`
  return { code: 403, status: 'PERMISSION_DENIED', message, reason: 'IAM_PERMISSION_DENIED', permission }
}

type Body = Record<string, unknown>

interface Method {
  name: string
  fields: string[]
  roles: Role[]
  refusal: Status
  answer(world: World, account: Account, body: Body): Promise<Response>
}
