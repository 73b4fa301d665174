import type { JWTPayload } from 'jose'
import { runPage } from './answers.ts'
import { LOOPBACK, isGranted, isServiceAccount } from './world.ts'
import type { Member, Role, Service, World } from './world.ts'

/** Google's front end before a service. */
export async function frontEnd(world: World, service: Service, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (isGranted(world, INVOKER, ['allUsers'], service.url)) return served(service, request)

  const header = HEADERS.find(name => request.headers.has(name))
  const token = header && /^bearer +(\S+)$/i.exec(request.headers.get(header)!)?.[1]
  if (!header || !token) return runPage(403, pathname)
  const claims = await world.keys.verify(token, world.now()).catch(() => undefined)
  if (!claims || !isAudience(world, service, request, claims)) return runPage(401, pathname)
  if (!isGranted(world, INVOKER, members(claims), service.url)) return runPage(403, pathname)

  const headers = new Headers(request.headers)
  headers.set(header, `Bearer ${token.replace(/[^.]*$/, 'SIGNATURE_REMOVED_BY_GOOGLE')}`)
  return served(service, new Request(request, { headers }))
}

// Where both are sent, only the first is looked at.
const HEADERS = ['x-serverless-authorization', 'authorization']

const INVOKER: Role[] = ['roles/run.invoker']

/** gcloud's own OAuth client, whose tokens Cloud Run takes from users. */
const GCLOUD = '32555940559.apps.googleusercontent.com'

async function served(service: Service, request: Request): Promise<Response> {
  const { body, status, statusText, headers } = await service.handler(request)
  const all = new Headers(headers)
  all.set('server', 'Google Frontend')
  return new Response(body, { status, statusText, headers: all })
}

function isAudience(world: World, service: Service, request: Request, { aud, email }: JWTPayload): boolean {
  if (typeof aud !== 'string') return false
  if (service.customAudiences.includes(aud)) return true
  if (aud === GCLOUD) return typeof email === 'string' && !isServiceAccount(email)
  const { host, origin } = new URL(request.url)
  const urls = LOOPBACK.test(host) ? [...service.urls, origin] : service.urls
  return urls.some(url => aud === url || aud === `${url}/` ||
    (world.settings.audienceWithPath && aud.startsWith(`${url}/`)))
}

/** Without a verified email no binding can be matched. */
function members({ email, email_verified }: JWTPayload): Member[] {
  if (typeof email !== 'string' || email_verified !== true) return []
  return [`${isServiceAccount(email) ? 'serviceAccount' : 'user'}:${email}`, 'allAuthenticatedUsers']
}
