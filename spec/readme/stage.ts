import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLocalJWKSet, jwtVerify } from 'jose'
import * as assert from 'uvu/assert'
import { install, workFolder } from '../../scripts/project.js'
import { createGoogle } from '../google/index.ts'
import type { Google, Seen, Service } from '../google/index.ts'
import { denoApp, gitHubJob, vercelProject } from '../google/platforms.ts'
import { serve } from '../google/server.ts'
import { newAccount } from '../google/service-account.ts'
import { AUDIENCE } from './examples.ts'

/** The world that the examples name: a local Google with their account, their service and their providers. */
export interface Stage {
  google: Google
  service: Service
  /** What the deployment has in its environment. */
  env: Record<string, string>
  /** What Vercel puts into the header of each request. */
  vercelToken(): Promise<string>
  /** A new folder, in which the packed package is installed. */
  folder(): Promise<string>
  /** Fails unless the token is good for the audience, and the caller's. */
  verify(token: string, audience: string): Promise<void>
  close(): Promise<void>
}

const CALLER = newAccount('caller', 'my-project', 'googleapis.com')
const POOLS = 'projects/123456789012/locations/global/workloadIdentityPools'

export async function openStage(): Promise<Stage> {
  const google = createGoogle()
  const { email } = CALLER
  google.world.accounts.set(email, CALLER)
  const service = google.createService({ invokers: [email] })
  service.urls.push(AUDIENCE)
  google.runOnGoogleCloud(CALLER)
  google.grant(`serviceAccount:${email}`, 'roles/iam.serviceAccountTokenCreator', email)
  const platforms = await openPlatforms(google)
  const { url, close } = await serve((request) => google.handle(asMeant(request)))
  const key = JSON.stringify({ ...await google.createKey(CALLER), token_uri: `${url}/token` })

  const work = workFolder()
  const { project } = await install(work)
  const keyFile = join(work, 'key.json')
  await writeFile(keyFile, key)
  let folders = 0

  return {
    google,
    service,
    env: {
      SERVICE_URL: url,
      GOOGLE_KEY: key,
      GOOGLE_CREDENTIALS: key,
      GOOGLE_APPLICATION_CREDENTIALS: keyFile,
      TOKENS_SECRET: crypto.randomUUID(),
      ...platforms.env
    },
    vercelToken: platforms.vercelToken,
    async folder() {
      const folder = join(project, `${++folders}`)
      await mkdir(folder)
      await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
      await writeFile(join(folder, 'internet.js'), internet(url))
      return folder
    },
    async verify(token, audience) {
      const keys = createLocalJWKSet(await google.keys.jwks())
      const { payload } = await jwtVerify(token, keys, { issuer: 'https://accounts.google.com', audience })
      assert.is(payload.email, email)
      assert.is(payload.email_verified, true)
    },
    close
  }
}

/** The token that came with a request to the service. */
export function tokenOf({ headers }: Seen): string {
  return headers.authorization!.replace(/^Bearer /, '')
}

/** Vercel, Deno Deploy and GitHub, each trusted by the provider that its example names. */
async function openPlatforms(google: Google) {
  const vercel = await vercelProject(google)
  const deno = await denoApp(google)
  const gitHub = await gitHubJob(google)
  trust('vercel', vercel.issuer.url, ['https://vercel.com/acme'])
  trust('deno', deno.issuer.url)
  trust('github', gitHub.issuer.url)
  google.world.hosts.set('oidc.deno.com', async ({ url }) => {
    return new Response(await deno.getIdToken(url.searchParams.get('audience')!))
  })
  return { env: gitHub.env, vercelToken: vercel.token }

  function trust(name: string, issuer: string, audiences: string[] = []) {
    const pool = `${POOLS}/${name}`
    const members = `principalSet://iam.googleapis.com/${pool}/*`
    google.world.providers.push({
      name: `${pool}/providers/${name}`, issuer, audiences, disabled: false, condition: () => true
    })
    google.grant(members, 'roles/iam.workloadIdentityUser', CALLER.email)
  }
}

/**
 * All of the internet that the examples get to see is the local Google: a request to another host than
 * loopback goes there, and says what it was meant for.
 */
function internet(google: string): string {
  return `
const { fetch } = globalThis

globalThis.fetch = (input, init) => {
  const { hostname, href } = new URL(input.url ?? input)
  if (hostname === '127.0.0.1') return fetch(input, init)
  const request = new Request('${google}', new Request(input, init))
  request.headers.set('${MEANT_FOR}', href)
  return fetch(request)
}
`
}

function asMeant(request: Request): Request {
  const url = request.headers.get(MEANT_FOR)
  return url ? new Request(url, request) : request
}

const MEANT_FOR = 'x-meant-for'
