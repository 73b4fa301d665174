import type { Issuer } from './issuer.ts'
import type { SigningKeys } from './signing-keys.ts'
import type { Answer } from './wire.ts'

/** What all parts of the local Google share: its clock, its accounts, and the tokens that it gave out. */
export interface World {
  /** Google's own time, in milliseconds. */
  now(): number
  keys: SigningKeys
  accounts: Map<string, Account>
  accessTokens: Map<string, AccessToken>
  refreshTokens: Map<string, UserLogin>
  providers: Provider[]
  grants: Grant[]
  services: Service[]
  issuers: Issuer[]
  /** Whoever else is to be found on this internet, by hostname. */
  hosts: Map<string, Answer>
  /** Where Google is at home. */
  universes: string[]
  /** What the metadata server speaks for; without it there is none. */
  machine: Machine | undefined
  settings: Settings
}

export interface Account {
  email: string
  uniqueId: string
  projectId: string
  projectNumber: string
  universe: string
  keys: AccountKey[]
  systemKey?: { id: string, privateKey: CryptoKey }
  disabled: boolean
}

export interface AccountKey {
  id: string
  publicKey: CryptoKey
  disabled: boolean
}

/** Who a bearer is: `serviceAccount:…`, `user:…`, `principal://iam.googleapis.com/…` and the like. */
export type Member = string

export interface AccessToken {
  members: Member[]
  scopes: string[]
  expires: number
}

/** A private service on Cloud Run. */
export interface Service {
  url: string
  /** All URLs that Cloud Run gives the service: each is an audience that it takes. */
  urls: string[]
  customAudiences: string[]
  handler(request: Request): Response | Promise<Response>
}

export interface UserLogin {
  email: string
  uniqueId: string
  clientId: string
  clientSecret: string
  /** An administrator asks for a password now and then. */
  reauthNeeded: boolean
}

/** A provider of a workload identity pool. */
export interface Provider {
  /** `projects/…/locations/global/workloadIdentityPools/…/providers/…` */
  name: string
  issuer: string
  /** Where none are listed, the provider's own name is the audience. */
  audiences: string[]
  disabled: boolean
  condition(claims: Record<string, unknown>): boolean
}

export interface Machine {
  kind: 'compute' | 'serverless'
  account: Account | undefined
  zone: string
  id: string
  name: string
  /** Tokens that are handed out again, and when they end. */
  kept: Map<string, { text: string, expires: number }>
}

export interface Grant {
  member: Member
  role: Role
  resource: string
}

export type Role =
  | 'roles/iam.serviceAccountTokenCreator'
  | 'roles/iam.serviceAccountOpenIdTokenCreator'
  | 'roles/iam.workloadIdentityUser'
  | 'roles/run.invoker'

/** What Google does not document, or what a spec wants otherwise. Times are in seconds. */
export interface Settings {
  /** How far Google's clock is ahead of the local one. */
  clockOffset: number
  /** Every answer carries Google's time in `Date`. */
  dateHeader: boolean
  /** 3600 is documented, and 3900 is known to be refused: strict by default. */
  longestAssertion: number
  /** How far in the future an assertion's `iat` may lie. */
  futureSkew: number
  /** An assertion may name one of the older token URLs while it is posted to another. */
  mixedAudiences: boolean
  /** The life of ID tokens, per source. */
  idTokenLifetime: number
  iamIdTokenLifetime: number
  /** ID tokens are given out as if they had been signed so long ago. */
  idTokenAge: number
  /** Put over the claims of every ID token; `undefined` takes a claim away. */
  idTokenClaims: Record<string, unknown>
  accessTokenLifetime: number
  /** The metadata server hands out the same token until so little of it is left. */
  keptUntil: number
  /** The metadata server of Compute Engine names the email in `format=standard` as well. */
  standardEmail: boolean
  /** Documented, though longer ones were seen to be taken. */
  longestSubjectToken: number
  /** Subject tokens whose `iat` is older are stale, however long they live. */
  oldestSubjectToken: number
  /** Cloud Run takes an `aud` with a path, as Tasks and Scheduler write it. */
  audienceWithPath: boolean
}

export const defaults: Settings = {
  clockOffset: 0,
  dateHeader: true,
  longestAssertion: 3600,
  futureSkew: 60,
  mixedAudiences: false,
  idTokenLifetime: 3600,
  iamIdTokenLifetime: 3600,
  idTokenAge: 0,
  idTokenClaims: {},
  accessTokenLifetime: 3600,
  keptUntil: 300,
  standardEmail: false,
  longestSubjectToken: 48 * 3600,
  oldestSubjectToken: Infinity,
  audienceWithPath: false
}

/** Of a URL's `host`: its `hostname` is `[` for `[::1]` in Workers of 2022. */
export const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/

export function seconds(world: World): number {
  return Math.floor(world.now() / 1000)
}

/** The universe that a hostname belongs to; on loopback it may be any. */
export function universeOf(world: World, hostname: string): string | undefined {
  return world.universes.find(universe => hostname.endsWith(`.${universe}`))
}

/** An account by its email or unique id. */
export function findAccount(world: World, universe: string | undefined, id: string): Account | undefined {
  const found = world.accounts.get(id) ?? [...world.accounts.values()].find(({ uniqueId }) => uniqueId === id)
  return universe === undefined || found?.universe === universe ? found : undefined
}

export function isGranted(world: World, roles: Role[], members: Member[], resource: string): boolean {
  return world.grants.some(grant =>
    grant.resource === resource && roles.includes(grant.role) && members.includes(grant.member))
}

export function isServiceAccount(email: string): boolean {
  return email.endsWith('.gserviceaccount.com')
}
