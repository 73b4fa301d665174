import { checkUniverse, GOOGLE, invalidCredentials, readFields } from './credentials.ts'
import type { CredentialJson } from './credentials.ts'
import { IdTokenError } from './errors.ts'
import { check, isEmail } from './options.ts'
import { sendForJson } from './request.ts'
import type { Attempt, Hints } from './request.ts'

/**
 * An ID token of the account behind `url`, for whoever the bearer is of.
 *
 * @see https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
 */
export async function generateIdToken(
  attempt: Attempt,
  { url, delegates, includeEmail }: Target,
  bearer: string,
  audience: string
): Promise<unknown> {
  const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }
  const body = JSON.stringify({
    audience,
    includeEmail,
    useEmailAzp: true,
    delegates: delegates.map((email) => RESOURCE + email)
  })
  const { token } = await sendForJson(attempt, url, { method: 'POST', headers, body }, advise)
  return token
}

/** An account that ID tokens are asked of. */
export interface Target {
  readonly url: string
  readonly email: string
  readonly delegates: readonly string[]
  readonly includeEmail: boolean
}

/** The account that the caller names, or else the `service_account_impersonation_url` of the credentials. */
export function readTarget(json: CredentialJson, universe: string, options: TargetOptions): Target {
  const { delegates = readDelegates(json), includeEmail = true } = options
  let host = `iamcredentials.${universe}`
  let email = options.serviceAccount
  if (json.service_account_impersonation_url != null) {
    const url = readGoogleUrl(json, 'service_account_impersonation_url', 'iamcredentials', universe)
    const named = url.path.split(RESOURCE)[1]?.replace(':generateAccessToken', '')
    if (!isEmail(named)) throw invalidCredentials('have a service_account_impersonation_url of no account')
    host = url.host
    email ??= named
  }
  check(isEmail(email), 'serviceAccount', 'the email of an account')
  check(isEmails(delegates), 'delegates', 'emails')
  check(typeof includeEmail === 'boolean', 'includeEmail', 'true or false')
  return { url: `https://${host}/v1/${RESOURCE}${email}:generateIdToken`, email, delegates, includeEmail }
}

/** One of the requests before {@link generateIdToken}: an access token, which no error may show from now on. */
export async function requestAccessToken(
  attempt: Attempt,
  url: string,
  init: RequestInit,
  hints?: Hints
): Promise<string> {
  const { access_token } = await sendForJson(attempt, url, init, hints)
  // It goes into a header, and the errors of headers quote what does not fit.
  if (typeof access_token !== 'string' || !/^[!-~]+$/.test(access_token)) {
    throw new IdTokenError('invalid_response', `${url} gave no access token`)
  }
  attempt.secrets.push(access_token)
  return access_token
}

/** The universe that credentials are for, which must be Google's own or the one that the caller names, too. */
export function readUniverse(json: CredentialJson, universe: string = GOOGLE): string {
  check(typeof universe === 'string' && /^[a-z\d-]+(\.[a-z\d-]+)+$/.test(universe), 'universeDomain', 'a domain')
  checkUniverse(json, universe, 'They and universeDomain must name the same one')
  return universe
}

/**
 * Host and path of a URL in credentials, if it is one that Google's service may have there: credentials come from
 * elsewhere and could send tokens anywhere.
 *
 * @see https://cloud.google.com/docs/authentication/external/externally-sourced-credentials
 */
export function readGoogleUrl(json: CredentialJson, field: string, service: string, universe: string): GoogleUrl {
  const [, host = '', path = ''] = /^https:\/\/([\w.-]+)(\/\S*)$/.exec(readFields(json, [field])[field]!) ?? []
  const name = host.toLowerCase().endsWith(`.${universe}`) ? host.slice(0, -universe.length - 1) : ''
  if (!new RegExp(`^(([\\w-]+\\.)?${service}|${service}\\.[\\w-]+|[\\w-]+-${service})$`, 'i').test(name)) {
    throw invalidCredentials(`have a ${field} that is no ${service} URL of ${universe}`)
  }
  return { host, path }
}

/** Emails, in order, out of their resource names as gcloud writes them. */
function readDelegates({ delegates = [] }: CredentialJson): readonly string[] {
  const emails = Array.isArray(delegates) && delegates.map((name) => typeof name === 'string' && name.replace(RESOURCE, ''))
  if (!isEmails(emails)) throw invalidCredentials('have delegates that are no accounts')
  return emails
}

function isEmails(list: unknown): list is string[] {
  return Array.isArray(list) && list.every(isEmail)
}

const RESOURCE = 'projects/-/serviceAccounts/'

function advise(reason: string, description: string): string | undefined {
  if (description.includes('getOpenIdToken')) {
    return 'Grant the caller roles/iam.serviceAccountOpenIdTokenCreator on the service account'
  }
  if (reason === 'NOT_FOUND') return 'Check the email of the service account'
  if (/disabled|not been used/.test(description)) return 'Enable the API iamcredentials.googleapis.com in the project'
}

interface TargetOptions {
  serviceAccount?: string | undefined
  delegates?: readonly string[] | undefined
  includeEmail?: boolean | undefined
}

interface GoogleUrl {
  readonly host: string
  readonly path: string
}
