import { json } from './answers.ts'
import type { Google } from './index.ts'
import type { Issuer } from './issuer.ts'
import { letters } from './random.ts'

export interface GitHubJob {
  issuer: Issuer
  /** What a job with `permissions: id-token: write` finds in its environment. */
  env: { ACTIONS_ID_TOKEN_REQUEST_URL: string, ACTIONS_ID_TOKEN_REQUEST_TOKEN: string }
}

/** GitHub Actions: a URL that gives a token for any audience to who knows the job's bearer. */
export async function gitHubJob(google: Google, repository = 'acme/shop'): Promise<GitHubJob> {
  const issuer = await google.createIssuer('https://token.actions.githubusercontent.com')
  const bearer = letters(40)
  google.world.hosts.set(GITHUB, async ({ request, url }) => {
    const [owner] = repository.split('/')
    if (request.headers.get('authorization') !== `Bearer ${bearer}`) return json(401, {})
    const aud = url.searchParams.get('audience') ?? `https://github.com/${owner}`
    const sub = `repo:${repository}:ref:refs/heads/main`
    const value = await issuer.issue({ aud, sub, repository, repository_owner: owner })
    return json(200, { count: 1, value })
  })
  const url = `https://${GITHUB}/idtoken/${letters(12)}?api-version=2.0`
  return { issuer, env: { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } }
}

export interface VercelProject {
  issuer: Issuer
  /** The value of `x-vercel-oidc-token` in the next request. */
  token(): Promise<string>
}

export async function vercelProject(google: Google, team = 'acme', project = 'shop'): Promise<VercelProject> {
  const issuer = await google.createIssuer(`https://oidc.vercel.com/${team}`)
  return {
    issuer,
    token() {
      const exp = Math.floor(google.world.now() / 1000) + 3600
      const sub = `owner:${team}:project:${project}:environment:production`
      return issuer.issue({ aud: `https://vercel.com/${team}`, sub, exp, project, environment: 'production' })
    }
  }
}

export interface DenoApp {
  issuer: Issuer
  /** What `@deno/oidc` exports under this name. */
  getIdToken(audience: string): Promise<string>
}

export async function denoApp(google: Google, org = 'acme', app = 'shop'): Promise<DenoApp> {
  const issuer = await google.createIssuer('https://oidc.deno.com', 'ES256')
  const sub = `deployment:${org}/${app}/production`
  return {
    issuer,
    getIdToken: aud => issuer.issue({ aud, sub, nbf: Math.floor(google.world.now() / 1000) - 60 })
  }
}

const GITHUB = 'run-actions-1.actions.githubusercontent.com'
