import { checkName, GOOGLE, invalidCredentials } from './credentials.ts'
import type { CredentialJson } from './credentials.ts'
import { advice, IdTokenError } from './errors.ts'
import { getToken } from './flight.ts'
import { check, isEmail } from './options.ts'
import type { CommonOptions } from './options.ts'
import { send } from './request.ts'
import type { Attempt } from './request.ts'
import { isText, VISIBLE } from './text.ts'

/**
 * An ID token of the account, for somebody who may act as it.
 *
 * @see https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
 */
export function getTokenOf(
  { url, email }: Account,
  bearer: Bearer,
  options: CommonOptions,
  delegates: readonly string[] = [],
  includeEmail = true
): Promise<string> {
  async function exchange(attempt: Attempt, audience: string): Promise<unknown> {
    const token = await bearer.get(attempt)
    // It goes into a header, and the errors of headers quote what does not fit.
    if (!isText(token, VISIBLE)) throw new IdTokenError('invalid_response', 'The access token is missing')
    attempt.secrets.push(token)
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const names = delegates.map((email) => RESOURCE + email)
    const body = JSON.stringify({ audience, includeEmail, useEmailAzp: true, delegates: names })
    return (await send(attempt, url, { method: 'POST', headers, body }, hints)).json?.token
  }

  return getToken({
    identity: [url, `${delegates}`, includeEmail, ...bearer.identity],
    endpoint: url,
    email,
    exchange
  }, options)
}

/** The account that the caller names, or else the `service_account_impersonation_url` of the credentials. */
export function readAccount(json: CredentialJson, { serviceAccount, universeDomain }: Named): Account {
  const universe = readUniverse(json, universeDomain)
  const field = 'service_account_impersonation_url'
  const origin = readOrigin(json, field, 'iamcredentials', universe)
  const [, named] = `${json[field]}`.split(/serviceAccounts\/|:generateAccessToken$/)
  if (json[field] && !isEmail(named)) throw foreign(field)
  const email = serviceAccount ?? named
  check(isEmail(email), 'serviceAccount', 'the email of an account: only those have ID tokens')
  return { url: `${origin}/v1/${RESOURCE}${email}:generateIdToken`, email, universe }
}

/** The universe that credentials are for, which must be Google's own or the one that the caller names, too. */
export function readUniverse(json: CredentialJson, universe: string = GOOGLE): string {
  check(isText(universe, /^[a-z\d.-]+$/), 'universeDomain', 'a domain')
  const universe_domain = json.universe_domain ?? GOOGLE
  checkName({ universe_domain }, 'universe_domain', universe, 'Pass it as universeDomain')
  return universe
}

/**
 * Where a URL in credentials leads, if it is one that Google's service may have: credentials come from elsewhere and
 * could send tokens anywhere. Where there is none, the usual place.
 *
 * @see https://cloud.google.com/docs/authentication/external/externally-sourced-credentials
 */
export function readOrigin(json: CredentialJson, field: string, service: string, universe: string): string {
  const url = json[field] ?? `https://${service}`
  const [start] = isText(url) ? url.toLowerCase().split(`.${universe}/`) : []
  const form = new RegExp(`^https://(([\\w-]+[.-])?${service}|${service}\\.[\\w-]+)$`)
  if (form.test(start!)) return `${start}.${universe}`
  throw foreign(field)
}

const foreign = (field: string) => invalidCredentials(`have a foreign ${field}`)

/** Before the email of an account. */
export const RESOURCE = 'projects/-/serviceAccounts/'

/** What Google's own words leave open. */
const hints = advice([/getOpenIdToken/, 'Grant roles/iam.serviceAccountOpenIdTokenCreator'])

/** An account that ID tokens are asked of, and where. */
interface Account {
  readonly url: string
  readonly email: string
  readonly universe: string
}

/** How callers name it. */
interface Named {
  serviceAccount?: string | undefined
  universeDomain?: string | undefined
}

/** What proves that somebody may act as it. */
export interface Bearer {
  /** Everything that it depends on. */
  readonly identity: readonly unknown[]
  /** A self-signed JWT, or an access token as it came. */
  get(attempt: Attempt): Promise<unknown>
}
