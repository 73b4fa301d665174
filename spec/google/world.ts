/** What all parts of the local Google share: its clock, its accounts, and the tokens that it gave out. */
export interface World {
  /** Google's own time, in milliseconds. */
  now(): number
  accounts: Map<string, Account>
  accessTokens: Map<string, AccessToken>
  grants: Grant[]
  settings: Settings
}

export interface Account {
  email: string
  uniqueId: string
  projectId: string
  projectNumber: string
  keys: AccountKey[]
  disabled: boolean
}

export interface AccountKey {
  id: string
  publicKey: CryptoKey
  disabled: boolean
}

/** Who a bearer is: `serviceAccount:…`, `user:…` or `principal://iam.googleapis.com/…`. */
export type Member = string

export interface AccessToken {
  member: Member
  scopes: string[]
  expires: number
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
  audienceWithPath: false
}

export function seconds(world: World): number {
  return Math.floor(world.now() / 1000)
}

export function isGranted(world: World, roles: Role[], members: Member[], resource: string): boolean {
  return world.grants.some(grant =>
    grant.resource === resource && roles.includes(grant.role) && members.includes(grant.member))
}

export function isServiceAccount(email: string): boolean {
  return email.endsWith('.gserviceaccount.com')
}
