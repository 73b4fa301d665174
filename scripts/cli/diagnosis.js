// What an answer of a service says about the token that came with the request, and what to do about it.

import { EXIT } from './failure.js'

/** What the service behind the URL takes as audience, as far as the URL tells. */
export function defaultAudience(url) {
  return isFunction(url) ? functionUrl(url) : url.origin
}

/**
 * Whether the audience fits the URL, and what to do if not.
 *
 * @see https://cloud.google.com/run/docs/configuring/custom-audiences
 */
export function judgeAudience(url, audience) {
  const { origin, hostname } = url
  const right = defaultAudience(url)
  if (CLIENT_ID.test(audience)) return fits('an OAuth client ID, as IAP takes it')
  if (!URL.canParse(audience)) return misfits('no URL', 'A service takes it only as a custom audience.')
  const isRight = audience === right || (audience === `${right}/` && right === origin)
  if (isRight && isFunction(url)) return fits('the URL of the function')
  if (isRight && (isRun(url) || LOOPBACK.test(hostname))) return fits('the origin of the URL')
  if (isRight) {
    return misfits('the origin of the URL, which is no run.app',
      'Cloud Run takes its own URL, or a custom audience. To take this one, too:',
      `  gcloud run services update SERVICE --region=REGION --add-custom-audiences=${audience}`)
  }
  if (isFunction(url)) return misfits('not the URL of the function', `Try --audience ${right}`)
  const advice = `Try --audience ${right}`
  if (new URL(audience).origin !== origin) return misfits('of another origin', advice)
  return misfits('with a path, which Cloud Run does not take', advice)
}

/** The answer, read: `outcome` is the exit code. */
export function diagnose(answer) {
  const { status } = answer
  if (status >= 200 && status < 300) return result(EXIT.ok, 'the service let the caller in')
  if (IAP.test(answer.body)) return fromIap(answer)
  if (status === 401) return unauthorized(answer)
  if (status === 403) return forbidden(answer)
  if (status >= 300 && status < 400) return redirected(answer)
  if (status === 404) return notFound(answer)
  if (isGooglePage(answer)) {
    return result(EXIT.otherAnswer, "Google's page: the service did not answer", 'Its logs may tell why.')
  }
  return result(EXIT.otherAnswer, "the application's own answer, so the caller got in")
}

function unauthorized({ url, audience, body }) {
  if (isGateway(body)) {
    return result(EXIT.notLetIn, 'an API gateway does not take the token',
      'Its configuration must name the issuer https://accounts.google.com as x-google-issuer,',
      `and the audience ${audience} in x-google-audiences.`)
  }
  if (!isGooglePage({ body })) return ownRefusal()
  const { ok, text, advice } = judgeAudience(url, audience)
  const causes = ok
    ? ['The audience fits the URL, and the token is fresh. Is this the URL that the service itself has?',
        '  gcloud run services describe SERVICE --region=REGION --format="value(status.url)"']
    : [`Most likely for its audience, which is ${text}.`, ...advice]
  return result(EXIT.notLetIn, "Google's page: the token was not taken", ...causes)
}

function forbidden({ url, audience, email, body }) {
  if (isGateway(body)) {
    return result(EXIT.notLetIn, 'an API gateway does not take the token',
      `Its x-google-audiences must name ${audience}.`)
  }
  if (CLIENT_ID.test(audience)) {
    return result(EXIT.notLetIn, 'the caller lacks the role IAP-secured Web App User. Grant it:',
      `  gcloud iap web add-iam-policy-binding ${memberFlag(email)} --role=roles/iap.httpsResourceAccessor`)
  }
  if (!isGooglePage({ body })) return ownRefusal()
  if (!email) {
    return result(EXIT.notLetIn, "Google's page: the token names no email, by which a caller is known",
      'Use credentials of a service account.')
  }
  return result(EXIT.notLetIn, "Google's page: the caller lacks the role that lets it in. Grant it:",
    `  ${grantCommand(url, email)}`, 'It takes a minute or two before a new grant is known everywhere.')
}

/** @see https://cloud.google.com/iap/docs/authentication-howto */
function fromIap({ body }) {
  return result(EXIT.notLetIn, 'Identity-Aware Proxy does not take the token',
    `It says: ${body.slice(0, 200).replace(/[\p{C}]+/gu, ' ').trim()}`,
    'Its audience is an OAuth client ID: --audience NUMBER-NAME.apps.googleusercontent.com')
}

/** What follows a redirect would send the token along. */
function redirected({ url, headers }) {
  const location = headers.get('location') ?? ''
  const to = URL.canParse(location, url) ? new URL(location, url) : undefined
  if (to?.hostname === 'accounts.google.com') {
    return result(EXIT.notLetIn, "a redirect to Google's login, as Identity-Aware Proxy does it",
      'Its audience is an OAuth client ID: --audience NUMBER-NAME.apps.googleusercontent.com')
  }
  const place = to ? `${to.origin}${to.pathname}` : 'nowhere'
  const isElsewhere = to && to.origin !== url.origin
  return result(EXIT.otherAnswer, `a redirect to ${place}, not followed, for the token would go along`,
    isElsewhere ? 'Another origin may want a token of its own.' : 'Call the URL that it redirects to.')
}

function notFound(answer) {
  if (!isGooglePage(answer)) {
    return result(EXIT.otherAnswer, "the application's own answer: the caller got in, but nothing is there")
  }
  return result(EXIT.otherAnswer, "Google's page: no service is there for calls from here",
    'Check the host name. A service whose ingress is internal answers so, too:',
    '  gcloud run services describe SERVICE --region=REGION --format="value(metadata.annotations)"')
}

function ownRefusal() {
  return result(EXIT.otherAnswer, "the application's own answer, so the caller got past Google",
    'If it wants an Authorization of its own, send the ID token as X-Serverless-Authorization.')
}

/** @see https://cloud.google.com/sdk/gcloud/reference/functions/add-invoker-policy-binding */
function grantCommand({ hostname, pathname }, email) {
  const who = memberFlag(email)
  const [, place, name] = FUNCTION.exec(`${hostname}${pathname}`) ?? []
  if (name) return `gcloud functions add-invoker-policy-binding ${name} --region=${place} ${who}`
  const [, , service = 'SERVICE', region = 'REGION'] = RUN.exec(hostname) ?? RUN_HASHED.exec(hostname) ?? []
  const binding = `--region=${region} ${who} --role=roles/run.invoker`
  return `gcloud run services add-iam-policy-binding ${service} ${binding}`
}

function memberFlag(email) {
  if (!/^[\w.+-]+@[\w.-]+$/.test(email)) return '--member=serviceAccount:EMAIL'
  return `--member=${email.endsWith('.gserviceaccount.com') ? 'serviceAccount' : 'user'}:${email}`
}

const CLIENT_ID = /^[\w-]+\.apps\.googleusercontent\.com$/
const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\])$/
/** A tag may stand before the name: `tag---service-…`. */
const RUN = /^(.+---)?(.+)-\d+\.([a-z]+-[a-z]+\d+)\.run\.app$/
const RUN_HASHED = /^(.+---)?(.+)-[a-z\d]{10}-[a-z]{2}\.a\.run\.app$/
const FUNCTION = /^([a-z]+-[a-z]+\d+)-.+\.cloudfunctions\.net\/([\w-]+)/
/** Cloud Run's pages, and those of Google's front end. */
const GOOGLE_PAGES = [/<h1>Error: [^<]+<\/h1>\s*<h2>/, /<title>Error \d+ \([^)]+\)!!1<\/title>/]
const IAP = /^\s*Invalid IAP credentials/

function isRun({ hostname }) {
  return hostname.endsWith('.run.app')
}

function isFunction({ hostname }) {
  return hostname.endsWith('.cloudfunctions.net')
}

function functionUrl({ origin, pathname }) {
  return `${origin}/${pathname.split('/')[1]}`
}

function isGooglePage({ body }) {
  return GOOGLE_PAGES.some((page) => page.test(body))
}

/** As ESPv2 and Envoy say it. */
function isGateway(body) {
  return /"message":\s*"(Jwt |Audiences in Jwt)/.test(body)
}

function fits(text) {
  return { ok: true, text, advice: [] }
}

function misfits(text, ...advice) {
  return { ok: false, text, advice }
}

function result(outcome, text, ...advice) {
  return { outcome, text, advice }
}
