import { errorPage, json } from './answers.ts'
import { frontEnd } from './cloud-run.ts'
import { iamCredentials } from './iam-credentials.ts'
import { metadataServer } from './metadata-server.ts'
import { ISSUER } from './signing-keys.ts'
import { securityTokenService } from './sts.ts'
import { TOKEN_URLS, tokenEndpoint } from './token-endpoint.ts'
import { ConnectionLost } from './wire.ts'
import type { Answer, Call } from './wire.ts'
import { LOOPBACK, universeOf } from './world.ts'
import type { World } from './world.ts'

/** Every place that can be asked, and that faults can stand before. */
export type Endpoint = 'token' | 'certs' | 'metadata' | 'sts' | 'iam' | 'run' | 'issuer' | 'other'

/** Who answers a URL: told by its host, and on loopback by its path. */
export function route(world: World, request: Request): [Endpoint, Answer] {
  const url = new URL(request.url)
  const isLocal = LOOPBACK.test(url.host)
  const issuer = world.issuers.find(issuer => url.href.startsWith(`${issuer.url}/.well-known/`))
  if (issuer) return ['issuer', call => issuer.answer(call)]
  const other = world.hosts.get(url.hostname)
  if (other) return ['other', other]

  const asksForMetadata = request.headers.has('metadata-flavor')
  const place = PLACES.find(({ endpoint, at }) => {
    if (endpoint === 'metadata' && !world.machine) return false
    // On loopback it shares the root with a service, which nobody asks with this header.
    if (isLocal && url.pathname === '/') return endpoint === 'metadata' && asksForMetadata
    return isLocal ? matches(new URL(at).pathname, url.pathname) : matches(at, official(world, url))
  })
  if (place) return [place.endpoint, call => place.answer(world, call)]

  const service = isLocal ? world.services[0] : world.services.find(({ urls }) => urls.includes(url.origin))
  if (service) return ['run', ({ request }) => frontEnd(world, service, request)]
  if (isLocal || GOOGLE.test(url.hostname)) return ['other', ({ url }) => errorPage(404, url.pathname)]
  return ['other', () => { throw new ConnectionLost() }]
}

const GOOGLE = /\.(googleapis\.com|google\.com|run\.app)$/

const METADATA_HOST = 'metadata.google.internal'
const METADATA_HOSTS = [METADATA_HOST, `${METADATA_HOST}.`, '169.254.169.254']

/** A star stands for anything below. */
const PLACES: Place[] = [
  ...TOKEN_URLS.map((at): Place => ({ endpoint: 'token', at, answer: tokenEndpoint })),
  { endpoint: 'certs', at: 'https://www.googleapis.com/oauth2/v3/certs', answer: jwks },
  { endpoint: 'certs', at: 'https://www.googleapis.com/oauth2/v1/certs', answer: certificates },
  { endpoint: 'certs', at: `${ISSUER}/.well-known/openid-configuration`, answer: discovery },
  { endpoint: 'metadata', at: `http://${METADATA_HOST}/`, answer: metadataServer },
  { endpoint: 'metadata', at: `http://${METADATA_HOST}/computeMetadata/*`, answer: metadataServer },
  { endpoint: 'sts', at: 'https://sts.googleapis.com/v1/token', answer: (world, call) =>
    securityTokenService(world, call, url => askIssuer(world, url)) },
  { endpoint: 'iam', at: 'https://iamcredentials.googleapis.com/v1/projects/*', answer: iamCredentials }
]

function matches(pattern: string, text: string): boolean {
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern
}

/** A URL as the table has it: regional hosts, other universes and the metadata server have many names. */
function official(world: World, { protocol, host, hostname, pathname }: URL): string {
  const universe = universeOf(world, hostname)
  const name = universe && hostname.slice(0, -universe.length - 1)
  const [, service = ''] = /^(?:[^.]+[.-])?(sts|iamcredentials)(?:\.[^.]+)?$/.exec(name ?? '') ?? []
  const known = service ? `${service}.googleapis.com` : METADATA_HOSTS.includes(host) ? METADATA_HOST : host
  return `${protocol}//${known}${pathname}`
}

async function askIssuer(world: World, url: string): Promise<Response> {
  const request = new Request(url)
  const [, answer] = route(world, request)
  return answer({ request, url: new URL(url), text: '' })
}

async function jwks({ keys }: World): Promise<Response> {
  return json(200, await keys.jwks(), CACHED)
}

async function certificates({ keys }: World): Promise<Response> {
  return json(200, await keys.certificates(), CACHED)
}

function discovery(): Response {
  return json(200, {
    issuer: ISSUER,
    authorization_endpoint: 'https://accounts.google.com/o/oauth2/v2/auth',
    token_endpoint: 'https://oauth2.googleapis.com/token',
    jwks_uri: 'https://www.googleapis.com/oauth2/v3/certs',
    response_types_supported: ['code', 'token', 'id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256']
  }, CACHED)
}

const CACHED = { 'cache-control': 'public, max-age=21600, must-revalidate, no-transform' }

interface Place {
  endpoint: Endpoint
  at: string
  answer(world: World, call: Call): Response | Promise<Response>
}
