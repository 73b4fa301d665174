import { errorPage, json } from './answers.ts'
import { frontEnd } from './cloud-run.ts'
import type { Service } from './cloud-run.ts'
import type { Fault } from './faults.ts'
import { emailClaims, issueIdToken } from './id-token.ts'
import { digits, letters } from './random.ts'
import { freshPair, newAccount, newKeyFile, pooledPair } from './service-account.ts'
import type { KeyFile } from './service-account.ts'
import { ISSUER, signingKeys } from './signing-keys.ts'
import type { SigningKeys } from './signing-keys.ts'
import { tokenEndpoint } from './token-endpoint.ts'
import { ConnectionLost, fetchThrough, seen } from './wire.ts'
import type { Answer, Call, Seen } from './wire.ts'
import { defaults } from './world.ts'
import type { Account, Role, Settings, World } from './world.ts'

export { faults } from './faults.ts'
export { tokenErrors } from './token-endpoint.ts'
export type { Account, Fault, KeyFile, Seen, Service, Settings }

/** Every place that can be asked, and that faults can stand before. */
export type Endpoint = 'token' | 'certs' | 'run' | 'other'

export interface GoogleOptions {
  /** The local clock, in milliseconds; Google's is `settings.clockOffset` seconds ahead of it. */
  now?: () => number
  settings?: Partial<Settings>
}

export interface ServiceOptions {
  name?: string
  /** Emails of service accounts, or any other member, such as `allUsers`. */
  invokers?: string[]
  customAudiences?: string[]
  handler?: Service['handler']
}

export function createGoogle(options: GoogleOptions = {}): Google {
  return new Google(options)
}

/** A Google of one's own: ask it through `fetch`, or put the server of `server.ts` around `handle`. */
export class Google {
  readonly settings: Settings
  readonly world: World
  readonly keys: SigningKeys = signingKeys()
  readonly services: Service[] = []
  /** Whoever else is to be found on this internet, by hostname. */
  readonly hosts: Map<string, Answer> = new Map()
  /** All that was asked, in order. */
  readonly requests: Seen[] = []
  #keysMade = 0
  readonly #queued = new Map<Endpoint, Fault[]>()
  readonly #standing = new Map<Endpoint, Fault>()

  constructor({ now = Date.now, settings = {} }: GoogleOptions) {
    this.settings = { ...defaults, ...settings }
    this.world = {
      now: () => now() + this.settings.clockOffset * 1000,
      accounts: new Map(),
      accessTokens: new Map(),
      grants: [],
      settings: this.settings
    }
  }

  /** A service account without a key. */
  createAccount(name: string = `sa-${letters(6)}`, projectId: string = `project-${letters(6)}`): Account {
    const account = newAccount(name, projectId)
    this.world.accounts.set(account.email, account)
    return account
  }

  /** A service account's key file, parsed; makes the account too, if none is given. */
  async createKey(account: Account = this.createAccount(), { fresh = false } = {}): Promise<KeyFile> {
    return newKeyFile(account, await (fresh ? freshPair() : pooledPair(this.#keysMade++)))
  }

  /** A service that only `invokers` may call; unless told otherwise it says what reached it. */
  createService(options: ServiceOptions = {}): Service {
    const { name = 'hello', invokers = [], customAudiences = [], handler = mirror } = options
    const url = `https://${name}-${letters(10)}-uc.a.run.app`
    const urls = [url, `https://${name}-${digits(12)}.us-central1.run.app`]
    const service = { url, urls, customAudiences, handler }
    this.services.push(service)
    for (const invoker of invokers) {
      this.grant(/^[^:]+@/.test(invoker) ? `serviceAccount:${invoker}` : invoker, 'roles/run.invoker', url)
    }
    return service
  }

  /** An ID token of the account, as the token endpoint would give it, with claims of one's own on top. */
  issueIdToken(account: Account, audience: string, claims: Record<string, unknown> = {}): Promise<string> {
    return issueIdToken(this.world, this.keys, this.settings.idTokenLifetime, {
      ...emailClaims(account, audience), ...claims
    })
  }

  grant(member: string, role: Role, resource: string): void {
    this.world.grants.push({ member, role, resource })
  }

  /** These faults stand in a row before the endpoint's next answers. */
  next(endpoint: Endpoint, ...faults: Fault[]): void {
    this.#queued.set(endpoint, [...this.#queued.get(endpoint) ?? [], ...faults])
  }

  /** A fault for every answer that none was queued for; without one, the endpoint is itself again. */
  always(endpoint: Endpoint, fault?: Fault): void {
    if (fault) this.#standing.set(endpoint, fault)
    else this.#standing.delete(endpoint)
  }

  /** Needs no `this`: it can be handed on as it is. */
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response> =
    fetchThrough((request, init) => this.handle(request, init))

  /** One request, answered by whoever its URL names: by host, and on loopback by path. */
  async handle(request: Request, init?: RequestInit): Promise<Response> {
    const url = new URL(request.url)
    const [endpoint, answer] = this.#route(url)
    const call = { request, url, text: endpoint === 'run' ? '' : await request.text() }
    const entry = seen(endpoint, call, init)
    this.requests.push(entry)

    const fault = this.#queued.get(endpoint)?.shift() ?? this.#standing.get(endpoint)
    const response = await (fault ? fault(call, async () => answer(call)) : answer(call))
    entry.status = response.status
    const dates = this.settings.dateHeader && response.status !== 0 && !response.headers.has('date')
    if (dates) response.headers.set('date', new Date(this.world.now()).toUTCString())
    return response
  }

  #route({ hostname, origin, pathname }: URL): [Endpoint, Answer] {
    const other = this.hosts.get(hostname)
    if (other) return ['other', other]
    const isLocal = LOOPBACK.test(hostname)
    const found = this.#places.find(({ host, path }) => (isLocal || host === hostname) && path === pathname)
    if (found) return [found.endpoint, found.answer]
    const service = isLocal ? this.services[0] : this.services.find(({ urls }) => urls.includes(origin))
    if (service) return ['run', ({ request }) => frontEnd(this.world, this.keys, service, request)]
    if (isLocal || GOOGLE.test(hostname)) return ['other', ({ url }) => errorPage(404, url.pathname)]
    return ['other', () => { throw new ConnectionLost() }]
  }

  readonly #places: Place[] = [
    place('token', 'oauth2.googleapis.com', '/token', call => this.#token(call)),
    place('token', 'www.googleapis.com', '/oauth2/v4/token', call => this.#token(call)),
    place('token', 'accounts.google.com', '/o/oauth2/token', call => this.#token(call)),
    place('certs', 'www.googleapis.com', '/oauth2/v3/certs', () => this.#jwks()),
    place('certs', 'www.googleapis.com', '/oauth2/v1/certs', () => this.#certificates()),
    place('certs', 'accounts.google.com', '/.well-known/openid-configuration', discovery)
  ]

  #token(call: Call): Promise<Response> {
    return tokenEndpoint(this.world, this.keys, call)
  }

  async #jwks(): Promise<Response> {
    return json(200, await this.keys.jwks(), CACHED)
  }

  async #certificates(): Promise<Response> {
    return json(200, await this.keys.certificates(), CACHED)
  }
}

const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\])$/

const GOOGLE = /\.(googleapis\.com|google\.com|run\.app)$/

const CACHED = { 'cache-control': 'public, max-age=21600, must-revalidate, no-transform' }

function place(endpoint: Endpoint, host: string, path: string, answer: Answer): Place {
  return { endpoint, host, path, answer }
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

/** What reached the service, so that a spec can look. */
async function mirror(request: Request): Promise<Response> {
  const { method, url, headers } = request
  return json(200, { method, url, headers: Object.fromEntries(headers), body: await request.text() })
}

interface Place {
  endpoint: Endpoint
  host: string
  path: string
  answer: Answer
}
