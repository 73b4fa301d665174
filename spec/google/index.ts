import { generateKeyPair } from 'jose'
import { json } from './answers.ts'
import type { Fault } from './faults.ts'
import { emailClaims, issueIdToken } from './id-token.ts'
import { newIssuer } from './issuer.ts'
import type { Issuer } from './issuer.ts'
import { newKeyPair } from './key-pair.ts'
import { digits, letters } from './random.ts'
import { route } from './router.ts'
import type { Endpoint } from './router.ts'
import { newAccount, newKeyFile, pooledPair } from './service-account.ts'
import type { KeyFile } from './service-account.ts'
import { signingKeys } from './signing-keys.ts'
import type { SigningKeys } from './signing-keys.ts'
import { fetchThrough, seen } from './wire.ts'
import type { Seen } from './wire.ts'
import { defaults } from './world.ts'
import type { Account, Machine, Provider, Role, Service, Settings, World } from './world.ts'

export { faults } from './faults.ts'
export { iamErrors, notFound } from './iam-credentials.ts'
export { stsErrors } from './sts.ts'
export { tokenErrors } from './token-errors.ts'
export type { Account, Endpoint, Fault, Issuer, KeyFile, Machine, Provider, Seen, Service, Settings }

export interface GoogleOptions {
  /** The local clock, in milliseconds; Google's is `settings.clockOffset` seconds ahead of it. */
  now?: () => number
  settings?: Partial<Settings>
  /** Where Google is at home beside `googleapis.com`. */
  universes?: string[]
}

export interface ServiceOptions {
  name?: string
  /** Emails of service accounts, or any other member, such as `allUsers`. */
  invokers?: string[]
  customAudiences?: string[]
  handler?: Service['handler']
}

export interface UserFile {
  type: 'authorized_user'
  client_id: string
  client_secret: string
  refresh_token: string
  universe_domain: string
}

export function createGoogle(options: GoogleOptions = {}): Google {
  return new Google(options)
}

/** A Google of one's own: ask it through `fetch`, or put the server of `server.ts` around `handle`. */
export class Google {
  readonly settings: Settings
  readonly keys: SigningKeys = signingKeys()
  readonly world: World
  /** All that was asked, in order. */
  readonly requests: Seen[] = []
  readonly #queued = new Map<Endpoint, Fault[]>()
  readonly #standing = new Map<Endpoint, Fault>()
  #keysMade = 0

  constructor({ now = () => Date.now(), settings = {}, universes = [] }: GoogleOptions) {
    this.settings = { ...defaults, ...settings }
    this.world = {
      now: () => now() + this.settings.clockOffset * 1000,
      keys: this.keys,
      accounts: new Map(),
      accessTokens: new Map(),
      refreshTokens: new Map(),
      providers: [],
      grants: [],
      services: [],
      issuers: [],
      hosts: new Map(),
      universes: ['googleapis.com', ...universes],
      machine: undefined,
      settings: this.settings
    }
  }

  /** A service account without a key. */
  createAccount(name: string = `sa-${letters(6)}`, universe: string = 'googleapis.com'): Account {
    const account = newAccount(name, `project-${letters(6)}`, universe)
    this.world.accounts.set(account.email, account)
    return account
  }

  /** A service account's key file, parsed; makes the account too, if none is given. */
  async createKey(account: Account = this.createAccount(), { fresh = false } = {}): Promise<KeyFile> {
    return newKeyFile(account, await (fresh ? newKeyPair() : this.#nextPair()))
  }

  /** What `gcloud auth application-default login` leaves of a user. */
  createUser(email: string): UserFile {
    const clientId = `${digits(12)}-${letters(32)}.apps.googleusercontent.com`
    const clientSecret = `GOCSPX-${letters(28)}`
    const refreshToken = `1//0${letters(60)}`
    const login = { email, uniqueId: digits(21), clientId, clientSecret, reauthNeeded: false }
    this.world.refreshTokens.set(refreshToken, login)
    return {
      type: 'authorized_user',
      client_id: clientId,
      client_secret: clientSecret,
      refresh_token: refreshToken,
      universe_domain: 'googleapis.com'
    }
  }

  /** A service that only `invokers` may call; unless told otherwise it says what reached it. */
  createService(options: ServiceOptions = {}): Service {
    const { name = 'hello', invokers = [], customAudiences = [], handler = mirror } = options
    const url = `https://${name}-${letters(10)}-uc.a.run.app`
    const urls = [url, `https://${name}-${digits(12)}.us-central1.run.app`]
    const service = { url, urls, customAudiences, handler }
    this.world.services.push(service)
    for (const invoker of invokers) {
      this.grant(/^[^:]+@/.test(invoker) ? `serviceAccount:${invoker}` : invoker, 'roles/run.invoker', url)
    }
    return service
  }

  /** From now on there is a metadata server, as on Google Cloud; without an account it knows none. */
  runOnGoogleCloud(account?: Account, kind: Machine['kind'] = 'serverless'): Machine {
    const named = { id: digits(19), name: `machine-${letters(6)}`, zone: 'us-central1-a' }
    return this.world.machine = { kind, account, ...named, kept: new Map() }
  }

  /** An issuer of subject tokens that workload identity federation can trust. */
  async createIssuer(url: string, alg: 'RS256' | 'ES256' = 'RS256'): Promise<Issuer> {
    const newPair = () => alg === 'RS256' ? this.#nextPair() : generateKeyPair(alg)
    const issuer = await newIssuer(url, this.world.now, alg, newPair)
    this.world.issuers.push(issuer)
    return issuer
  }

  /** A provider of a pool of its own, which trusts the issuer. */
  createProvider(issuer: Issuer, options: Partial<Provider> = {}): Provider {
    const pool = `projects/${digits(12)}/locations/global/workloadIdentityPools/pool-${letters(4)}`
    const name = `${pool}/providers/provider-${letters(4)}`
    const defaults = { name, issuer: issuer.url, audiences: [], disabled: false, condition: () => true }
    const provider = { ...defaults, ...options }
    this.world.providers.push(provider)
    return provider
  }

  /** On an account (its email) or a service (its URL). */
  grant(member: string, role: Role, resource: string): void {
    this.world.grants.push({ member, role, resource })
  }

  /** An ID token of the account, as the token endpoint would give it, with claims of one's own on top. */
  issueIdToken(account: Account, audience: string, claims: Record<string, unknown> = {}): Promise<string> {
    return issueIdToken(this.world, this.settings.idTokenLifetime, {
      ...emailClaims(account, audience), ...claims
    })
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
    const [endpoint, answer] = route(this.world, request)
    const text = endpoint === 'run' ? '' : await request.text()
    const call = { request, url: new URL(request.url), text }
    const entry = seen(endpoint, call, init)
    this.requests.push(entry)

    const fault = this.#queued.get(endpoint)?.shift() ?? this.#standing.get(endpoint)
    const response = await (fault ? fault(call, async () => answer(call)) : answer(call))
    entry.status = response.status
    const dates = this.settings.dateHeader && response.status !== 0 && !response.headers.has('date')
    if (dates) response.headers.set('date', new Date(this.world.now()).toUTCString())
    return response
  }

  #nextPair(): Promise<CryptoKeyPair> {
    return pooledPair(this.#keysMade++)
  }
}

/** What reached the service, so that a spec can look. */
async function mirror(request: Request): Promise<Response> {
  const { method, url, headers } = request
  return json(200, { method, url, headers: Object.fromEntries(headers), body: await request.text() })
}
