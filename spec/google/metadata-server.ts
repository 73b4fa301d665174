import { issueAccessToken } from './access-token.ts'
import { errorPage, html } from './answers.ts'
import { issueIdToken } from './id-token.ts'
import type { Call } from './wire.ts'
import { seconds } from './world.ts'
import type { Account, Machine, World } from './world.ts'

/** What the GKE metadata server says where the bound account is missing. */
export function gkeNotFound(email: string): string {
  return 'Unable to generate access token; IAM returned 404 Not Found: Not found; ' +
    `Gaia id not found for email ${email}`
}

export async function metadataServer(world: World, call: Call): Promise<Response> {
  const machine = world.machine!
  const response = await answer(world, machine, call)
  response.headers.set('metadata-flavor', 'Google')
  response.headers.set('server', `Metadata Server for ${machine.kind === 'compute' ? 'VM' : 'Serverless'}`)
  return response
}

async function answer(world: World, machine: Machine, call: Call): Promise<Response> {
  const { request, url } = call
  if (url.pathname === '/') return text('computeMetadata/\n')
  if (request.headers.has('x-forwarded-for')) return errorPage(403, url.pathname)
  if (request.headers.get('metadata-flavor')?.toLowerCase() !== 'google') {
    return errorPage(403, url.pathname, ' Missing Metadata-Flavor:Google header.')
  }

  const path = url.pathname.replace('/computeMetadata/v1', '').split('/').slice(1)
  const isDirectory = path.at(-1) === ''
  let found: Entry | undefined = tree(world, machine)
  for (const name of isDirectory ? path.slice(0, -1) : path) {
    found = isFolder(found) && Object.hasOwn(found, name) ? found[name] : undefined
  }
  if (found === undefined || (isDirectory && !isFolder(found))) {
    return machine.kind === 'compute' ? errorPage(404, url.pathname) : new Response(null, { status: 404 })
  }
  if (typeof found === 'function') return found(url.searchParams)
  if (!isFolder(found)) return text(Array.isArray(found) ? found.map(line => `${line}\n`).join('') : found)
  const location = `${url.origin}${url.pathname}/${url.search}`
  if (!isDirectory) return html(301, '', { location })
  return url.searchParams.get('recursive')?.toLowerCase() === 'true' ? recursive(found) : listing(found)
}

function tree(world: World, machine: Machine): Folder {
  const { account, zone, id, name } = machine
  const number = account?.projectNumber ?? '1'
  const folder = account && accountFolder(world, machine, account)
  return {
    instance: {
      id,
      name,
      region: `projects/${number}/regions/${zone.replace(/-\w$/, '')}`,
      zone: `projects/${number}/zones/${zone}`,
      'service-accounts': folder ? { default: folder, [account.email]: folder } : {}
    },
    project: { 'numeric-project-id': number, 'project-id': account?.projectId ?? 'a-project' },
    universe: { 'universe-domain': 'googleapis.com' }
  }
}

function accountFolder(world: World, machine: Machine, account: Account): Folder {
  const scopes = ['https://www.googleapis.com/auth/cloud-platform', 'openid']
  return {
    aliases: ['default'],
    email: account.email,
    scopes,
    async identity(query) {
      if (!query.get('audience')) return text('non-empty audience parameter required', 400)
      const make = () => identity(world, machine, account, query)
      // Compute Engine makes a new one each time.
      const token = machine.kind === 'compute' ? await make()
        : (await kept(world, machine, `identity?${query}`, world.settings.idTokenLifetime, make)).text
      return text(token, 200, machine.kind === 'compute' ? 'text/html' : 'application/text')
    },
    async token(query) {
      const lifetime = world.settings.accessTokenLifetime
      const asked = query.get('scopes')?.split(',') ?? scopes
      const { text: access_token, expires } = await kept(
        world, machine, `token?${asked}`, lifetime,
        async () => issueAccessToken(world, 'c', [`serviceAccount:${account.email}`], asked, lifetime)
      )
      const expires_in = Math.floor((expires - world.now()) / 1000) - 1
      return text(JSON.stringify({ access_token, expires_in, token_type: 'Bearer' }), 200, 'application/json')
    }
  }
}

function identity(
  world: World, machine: Machine, account: Account, query: URLSearchParams
): Promise<string> {
  const isFull = query.get('format') === 'full'
  const isCompute = machine.kind === 'compute'
  const hasEmail = isFull || !isCompute || world.settings.standardEmail
  const licenses = query.get('licenses') === 'TRUE' ? { license_id: ['1000010'] } : {}
  return issueIdToken(world, world.settings.idTokenLifetime, {
    aud: query.get('audience'),
    azp: account.uniqueId,
    sub: account.uniqueId,
    ...hasEmail && { email: account.email, email_verified: true },
    ...isFull && isCompute && {
      google: {
        compute_engine: {
          project_id: account.projectId,
          project_number: Number(account.projectNumber),
          zone: machine.zone,
          instance_id: machine.id,
          instance_name: machine.name,
          instance_creation_timestamp: seconds(world) - 86400,
          ...licenses
        }
      }
    }
  })
}

async function kept(
  world: World, machine: Machine, key: string, lifetime: number, make: () => Promise<string>
): Promise<{ text: string, expires: number }> {
  const found = machine.kept.get(key)
  if (found && found.expires - world.now() > world.settings.keptUntil * 1000) return found
  const fresh = { text: await make(), expires: world.now() + lifetime * 1000 }
  machine.kept.set(key, fresh)
  return fresh
}

function recursive(folder: Folder): Response {
  const camel = (name: string) => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  const inCamels = (_: string, entry: Entry) => isFolder(entry)
    ? Object.fromEntries(Object.entries(entry).map(([name, value]) => [camel(name), value]))
    : entry
  return text(JSON.stringify(folder, inCamels), 200, 'application/json')
}

function listing(folder: Folder): Response {
  const lines = Object.entries(folder).map(([name, entry]) => isFolder(entry) ? `${name}/\n` : `${name}\n`)
  return text(lines.join(''))
}

function text(body: string, status = 200, type = 'application/text'): Response {
  return new Response(body, { status, headers: { 'content-type': type } })
}

function isFolder(entry: Entry | undefined): entry is Folder {
  return typeof entry === 'object' && !Array.isArray(entry)
}

type Entry = string | string[] | Folder | ((query: URLSearchParams) => Promise<Response>)

interface Folder {
  [name: string]: Entry
}
