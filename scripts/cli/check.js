// From credentials to the answer of a service, each step reported when it is done.

import { describe } from './credentials.js'
import { defaultAudience, diagnose, judgeAudience } from './diagnosis.js'
import { EXIT, exitCodeOf, Failure, messageOf, nameOf } from './failure.js'

/**
 * Calls the URL with a token, and tells what happens; never the token itself.
 *
 * @returns the exit code
 */
export async function check({ url: target, audience: wanted, source, fetch = globalThis.fetch, report }) {
  const url = readUrl(target)
  const audience = wanted ?? defaultAudience(url)
  const found = findStep(source, report)
  if (!found.getIdToken) return found.exitCode

  // Credentials are right once the library makes a request with them; a metadata server has yet to answer.
  function introduce(isUsable) {
    report[isUsable && found.path ? 'ok' : 'note']('credentials', found.path
      ? `${found.path} (${found.from}): ${describe(found)}`
      : 'the metadata server, as there are no others')
    const { ok, text, advice } = judgeAudience(url, audience)
    report[ok ? 'ok' : 'note']('audience', `${audience}, ${text}`, ...advice)
  }

  const { token, claims, exitCode } = await tokenStep({ ...found, audience, fetch, report, introduce })
  return token ? serviceStep({ url, audience, token, claims, fetch, report }) : exitCode
}

const SERVICE_PATIENCE = 60_000
/** NTP keeps clocks well within it, and assertions are signed so far back. */
const CLOCK_TOLERANCE = 30
const LONGEST_BODY = 65_536

function readUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isSafe = url && /^https:\/\/|^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:|\/)/.test(url.href)
  const rule = '--check takes a URL of https, or of http on loopback'
  if (!isSafe) throw new Failure(EXIT.usage, [rule, ...guesses(text)].join('. '))
  if (url.username || url.password) throw new Failure(EXIT.usage, '--check takes no URL with a password')
  return url
}

/** What a host without its scheme was meant to be; nothing that may be secret is repeated. */
function guesses(text) {
  const [, rest] = /^(?:http:\/\/)?((?:[\w-]+\.)+[a-z]{2,}(?:[:/?#].*)?)$/i.exec(text) ?? []
  const guess = `https://${rest}`
  if (!rest || !URL.canParse(guess)) return []
  const { origin, pathname, username } = new URL(guess)
  return username ? [] : [`Did you mean ${origin}${pathname.replace(/^\/$/, '')}?`]
}

function findStep(source, report) {
  report.begin('credentials', 'looking')
  try {
    return source()
  } catch (error) {
    report.fail('credentials', messageOf(error))
    return { exitCode: exitCodeOf(error) }
  }
}

async function tokenStep({ json, getIdToken, audience, fetch, report, introduce }) {
  const clock = {}
  let requests = 0

  async function watched(to, init) {
    const isSigned = String(init.body).includes('jwt-bearer')
    if (requests++ === 0) {
      introduce(true)
      if (isSigned) report.ok('key', 'readable, and it signs')
    }
    const request = `${init.method ?? 'GET'} ${to.split('?')[0]}`
    report.begin('exchange', request)
    const started = Date.now()
    try {
      const response = await fetch(to, init)
      const ended = Date.now()
      const { ok, status } = response
      report[ok ? 'ok' : 'note']('exchange', `${request}: ${status} (${ended - started} ms)`)
      clock.offset = Date.parse(response.headers.get('date')) - (started + ended) / 2
      return response
    } catch (error) {
      report.note('exchange', `${request}: no answer (${nameOf(error)})`)
      throw error
    }
  }

  try {
    const token = await getIdToken({ audience, fetch: watched })
    clockStep(clock, report)
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
    const minutes = Math.round((claims.exp * 1000 - Date.now() - (clock.offset || 0)) / 60_000)
    report.ok('token', `audience ${claims.aud}, email ${claims.email ?? '(none)'}, time left ${minutes} min`)
    return { token, claims }
  } catch (error) {
    const exitCode = exitCodeOf(error)
    const culprit = error.code === 'invalid_key' ? 'key' : 'credentials'
    const step = exitCode === EXIT.credentials ? culprit : 'token'
    if (requests === 0) introduce(step !== 'credentials')
    clockStep(clock, report)
    report.fail(step, messageOf(error), ...keyAdvice(error, json))
    return { exitCode }
  }
}

function clockStep({ offset }, report) {
  if (offset === undefined) return
  if (Number.isNaN(offset)) return report.note('clock', 'unknown, because the answer has no date')
  // The date has no fractions of a second.
  const seconds = Math.round(offset / 1000)
  if (Math.abs(seconds) <= 1) return report.ok('clock', "as Google's, to the second")
  const text = `Google's is ${duration(Math.abs(seconds))} ${seconds > 0 ? 'ahead' : 'behind'}`
  if (Math.abs(seconds) <= CLOCK_TOLERANCE) report.ok('clock', `${text}, which does no harm`)
  else report.note('clock', text, 'The library allows for it, others do not: set the clock of this machine.')
}

function duration(seconds) {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

function keyAdvice({ code, reason, description }, json) {
  if (code !== 'rejected' || reason !== 'invalid_grant' || !/signature|verifier/i.test(description)) return []
  const { client_email: email } = json ?? {}
  const account = /^[\w.+-]+@[\w.-]+$/.test(email) ? email : 'EMAIL'
  return ['The keys that Google knows:', `  gcloud iam service-accounts keys list --iam-account=${account}`]
}

async function serviceStep({ url, audience, token, claims, fetch, report }) {
  const request = `GET ${url.origin}${url.pathname}`
  report.begin('service', request)
  let answer
  try {
    const headers = { authorization: `Bearer ${token}` }
    const signal = AbortSignal.timeout(SERVICE_PATIENCE)
    const response = await fetch(url.href, { method: 'GET', headers, redirect: 'manual', signal })
    answer = { status: response.status, headers: response.headers, body: await readStart(response) }
  } catch (error) {
    const advice = 'Is the URL right, and can it be reached from here?'
    report.fail('service', `${request}: no answer (${nameOf(error)})`, advice)
    return EXIT.otherAnswer
  }
  const { outcome, text, advice } = diagnose({ url, audience, email: claims.email, ...answer })
  const isOk = outcome === EXIT.ok
  const own = isOk || outcome === EXIT.otherAnswer ? quoted(answer.body, token) : []
  report[isOk ? 'ok' : 'fail']('service', `${request}: ${answer.status}, ${text}`, ...advice, ...own)
  return outcome
}

async function readStart({ body }) {
  const decoder = new TextDecoder()
  const reader = body?.getReader()
  let text = ''
  while (reader && text.length < LONGEST_BODY) {
    const { done, value } = await reader.read()
    if (done) return text
    text += decoder.decode(value, { stream: true })
  }
  reader?.cancel().catch(() => {})
  return text
}

/** The start of an answer, without tokens that it echoes, and without control characters for the terminal. */
function quoted(body, token) {
  const parts = token.split('.')
  const safe = parts.reduce((text, part) => text.replaceAll(part, '[redacted]'), body)
    .replace(/eyJ[\w.-]{9,}/g, '[redacted]')
    .replace(/[^\P{C}\n]+/gu, ' ')
  return safe.trim().slice(0, 500).split('\n').slice(0, 10).filter(Boolean).map((line) => `> ${line}`)
}
