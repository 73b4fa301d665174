import * as adc from 'gcp-id-token/adc'
import * as federation from 'gcp-id-token/federation'
import * as impersonation from 'gcp-id-token/impersonation'
import * as metadata from 'gcp-id-token/metadata'
import type { ExternalAccount } from 'gcp-id-token/federation'
import type { ImpersonatedServiceAccount } from 'gcp-id-token/impersonation'
import { createGoogle } from '../google/index.ts'
import type {
  Account, Endpoint, Google, GoogleOptions, Issuer, KeyFile, Provider, UserFile
} from '../google/index.ts'

/** Code on Google Cloud. */
export async function onGoogleCloud(options?: GoogleOptions): Promise<Road<metadata.GetIdTokenOptions>> {
  const road = newRoad(metadata.getIdToken, ['metadata'], options)
  road.google.runOnGoogleCloud(road.account)
  return road
}

/** Code elsewhere, which has an OIDC token of its platform's and may act as the account. */
export async function federated(options?: GoogleOptions): Promise<FederatedRoad> {
  const road = newRoad(federation.getIdToken, ['sts', 'iam'], options)
  const { google, account } = road
  const issuer = await google.createIssuer('https://issuer.example')
  const provider = google.createProvider(issuer)
  const members = `iam.googleapis.com/${provider.name.replace(/\/providers\/.*/, '')}`
  google.grant(`principal://${members}/subject/me`, 'roles/iam.workloadIdentityUser', account.email)
  const aud = `https://iam.googleapis.com/${provider.name}`
  const tokens: string[] = []
  const subject = async (claims: object = {}) => {
    const token = await issuer.issue({ aud, sub: 'me', jti: `${tokens.length}`, ...claims })
    tokens.push(token)
    return token
  }
  const own = { provider: provider.name, serviceAccount: account.email, subjectToken: () => subject() }
  const json: ExternalAccount = {
    type: 'external_account',
    audience: `//iam.googleapis.com/${provider.name}`,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `https://sts.${account.universe}/v1/token`,
    service_account_impersonation_url: impersonationUrl(account),
    universe_domain: account.universe
  }
  const extended = Object.assign(road, { issuer, provider, json, tokens, subject })
  Object.assign(road.options, own)
  return extended
}

/** A key that may act as the account. */
export async function impersonating(options?: GoogleOptions): Promise<ImpersonatingRoad> {
  const road = newRoad(impersonation.getIdToken, ['iam'], options)
  const { google, account } = road
  const key = await google.createKey(google.createAccount('caller', account.universe))
  google.grant(`serviceAccount:${key.client_email}`, CREATOR, account.email)
  Object.assign(road.options, { credentials: key, serviceAccount: account.email })
  const json: ImpersonatedServiceAccount = {
    type: 'impersonated_service_account',
    service_account_impersonation_url: impersonationUrl(account),
    delegates: [],
    source_credentials: { ...key }
  }
  return Object.assign(road, { key, json })
}

/** What gcloud leaves of a user who may act as the account. */
export async function impersonatingByLogin(options?: GoogleOptions): Promise<LoginRoad> {
  const road = newRoad(impersonation.getIdToken, ['token', 'iam'], options)
  const { google, account } = road
  const user = google.createUser('someone@example.com')
  google.grant('user:someone@example.com', CREATOR, account.email)
  const json: ImpersonatedServiceAccount = {
    type: 'impersonated_service_account',
    service_account_impersonation_url: impersonationUrl(account),
    delegates: [],
    source_credentials: { ...user }
  }
  Object.assign(road.options, { credentials: json })
  return Object.assign(road, { user, json })
}

/** All roads but the core's own, and those of `adc` to each of them. */
export const roads: Record<string, (options?: GoogleOptions) => Promise<Road<any>>> = {
  'metadata': onGoogleCloud,
  'federation': federated,
  'impersonation with a key': impersonating,
  'impersonation with a login': impersonatingByLogin,
  'adc without credentials': async (options) => byAdc(await onGoogleCloud(options), {}),
  'adc with a key': async (options) => {
    const road = newRoad(adc.getIdToken, ['token'], options)
    return byAdc(road, { credentials: await road.google.createKey(road.account) })
  },
  'adc with an external account': async (options) => {
    const road = await federated(options)
    return byAdc(road, { credentials: road.json, subjectToken: () => road.subject() })
  },
  'adc with an impersonated service account': async (options) => {
    const road = await impersonatingByLogin(options)
    return byAdc(road, { credentials: road.json })
  }
}

/** Access to tokens of an account. */
export const CREATOR = 'roles/iam.serviceAccountTokenCreator'

/** What does not fit into a URL as the email of an account, whatever it may look like. */
export const noEmails: readonly unknown[] = [
  '', ' ', 'default', 'caller', '@', 'caller@', '@project.iam.gserviceaccount.com', 7, {}, [], null, true,
  ['caller@project.iam.gserviceaccount.com'],
  'caller@project.iam.gserviceaccount.com/../../evil@project.iam.gserviceaccount.com',
  'caller@project.iam.gserviceaccount.com:generateAccessToken',
  'caller@project.iam.gserviceaccount.com:generateIdToken?x=',
  'caller@project.iam.gserviceaccount.com?alt=media',
  'caller@project.iam.gserviceaccount.com#',
  'caller@project.iam.gserviceaccount.com\n',
  'caller@project.iam.gserviceaccount.com\r\nx: y',
  ' caller@project.iam.gserviceaccount.com',
  'caller@project.iam.gserviceaccount.com,other@project.iam.gserviceaccount.com',
  'a caller@project.iam.gserviceaccount.com',
  'a@caller@project.iam.gserviceaccount.com',
  '../caller@project.iam.gserviceaccount.com',
  '..\\caller@project.iam.gserviceaccount.com',
  'caller%2f@project.iam.gserviceaccount.com',
  'caller@project.iam.gserviceaccount.com%00',
  'caller@pröject.iam.gserviceaccount.com',
  'projects/-/serviceAccounts/caller@project.iam.gserviceaccount.com',
  `caller@${'a'.repeat(245)}.com`
]

/** As configurations name an account: by a URL that gives something else than an ID token. */
export function impersonationUrl({ email, universe }: Account, host = `iamcredentials.${universe}`): string {
  return `https://${host}/v1/projects/-/serviceAccounts/${email}:generateAccessToken`
}

/** The account as IAM takes it among delegates. */
export function resourceName(email: string): string {
  return `projects/-/serviceAccounts/${email}`
}

function newRoad<Options extends Common>(
  getIdToken: (options: Options) => Promise<string>, endpoints: Endpoint[], options: GoogleOptions = {}
): Road<Options> {
  let issued = 0
  // Within a second, Google gives the same token to the same question; here no two are the same.
  const idTokenClaims = { get jti() { return `${++issued}` } }
  const google = createGoogle({ settings: { idTokenClaims }, ...options })
  const [universe] = options.universes ?? []
  const account = google.createAccount('target', universe)
  const service = google.createService({ invokers: [account.email] })
  const road: Road<Options> = {
    google,
    account,
    endpoints,
    options: { audience: service.url, fetch: google.fetch, retries: 0 } as Options,
    ask: (more) => getIdToken({ ...road.options, ...more })
  }
  return road
}

function byAdc(road: Road<any>, options: object): Road<adc.GetIdTokenOptions> {
  const { audience, fetch, retries } = road.options
  return Object.assign(road, {
    options: { audience, fetch, retries, ...options },
    ask: (more: object) => adc.getIdToken({ ...road.options, ...more })
  })
}

type Common = metadata.CommonOptions

export interface Road<Options extends Common> {
  google: Google
  /** Whose tokens come. */
  account: Account
  /** Who is asked for one, in order. */
  endpoints: Endpoint[]
  /** What leads to one at the first try; the audience is a service that the account may call. */
  options: Options
  ask(options?: { [name in keyof Options]?: unknown }): Promise<string>
}

export interface FederatedRoad extends Road<federation.GetIdTokenOptions> {
  issuer: Issuer
  provider: Provider
  /** The same as JSON. */
  json: ExternalAccount
  /** All subject tokens that were issued. */
  tokens: string[]
  subject(claims?: object): Promise<string>
}

export interface ImpersonatingRoad extends Road<impersonation.GetIdTokenOptions> {
  key: KeyFile
  /** The same as gcloud writes it. */
  json: ImpersonatedServiceAccount
}

export interface LoginRoad extends Road<impersonation.GetIdTokenOptions> {
  user: UserFile
  json: ImpersonatedServiceAccount
}
