// The ways in, each with what may come that way: mostly what is right, and then changed, else what chance makes.

import * as core from 'gcp-id-token'
import * as adc from 'gcp-id-token/adc'
import * as federation from 'gcp-id-token/federation'
import * as impersonation from 'gcp-id-token/impersonation'
import * as metadata from 'gcp-id-token/metadata'
import { encryptedStore } from 'gcp-id-token/store'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import * as keys from '../support/keys.ts'
import { base64, binary, coatsOfJson, coatsOfPem, damage, wear } from '../support/mangled.ts'
import type { Change } from '../support/mangled.ts'
import { answer, claims, date, retryAfter, seldom, thrown } from './answers.ts'
import { authorized } from './authorized.ts'
import { clock, judge, START } from './oracle.ts'
import { asUsual, journal, jwt, respond, secretOf, Stage } from './stage.ts'
import type { Answer } from './stage.ts'

export interface Surface<Input> {
  /** Of all inputs. */
  share: number
  inputs: fc.Arbitrary<Input>
  outcome(input: Input): Promise<string>
}

const EMAIL = 'caller@project-1.iam.gserviceaccount.com'
const SUBJECT = jwt(JSON.stringify({ iss: 'https://issuer.example', sub: 'somebody' }))
const MISUSE = /^(credentials|delegates|serviceAccount|universeDomain|subjectToken|provider) must be /

const serviceAccountKey = {
  type: 'service_account',
  project_id: 'project-1',
  private_key_id: '0123456789abcdef0123456789abcdef01234567',
  private_key: keys.short,
  client_email: EMAIL,
  token_uri: 'https://oauth2.googleapis.com/token',
  universe_domain: 'googleapis.com'
}
const login = {
  type: 'authorized_user',
  client_id: '764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com',
  client_secret: 'd-FL95Q19q7MQmFpd7hHD0Ty',
  refresh_token: '1//04dKq0N7gW2xRtCgYIARAAGAQSNwF-L9Irf3vZ8yTbUu5sQhPcXaJmEoWnVkGi'
}
const impersonated = {
  type: 'impersonated_service_account',
  service_account_impersonation_url: iamUrl(''),
  delegates: [`projects/-/serviceAccounts/${EMAIL}`],
  source_credentials: login
}
const external = {
  type: 'external_account',
  audience: '//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/pool/providers/provider',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  token_url: 'https://sts.googleapis.com/v1/token',
  service_account_impersonation_url: iamUrl(''),
  credential_source: { file: '/var/run/token' },
  universe_domain: 'googleapis.com'
}

/** What may stand in a field by mistake or by malice. */
const TEXTS = [
  '', ' ', 'service_account', 'external_account', 'authorized_user', 'impersonated_service_account',
  'external_account_authorized_user', 'googleapis.com', 'apis-s3ns.fr', 'https://oauth2.googleapis.com/token',
  'https://accounts.google.com/o/oauth2/token', 'http://127.0.0.1:1/token', 'http://localhost', 'http://[::1]:99999/',
  'http://127.0.0.1:1@evil.example/', 'https://sts.evil.example/v1/token', keys.ec, keys.encrypted, keys.rsa
]

const oftenDamaged = fc.oneof(fc.constant(unchanged), damage())
const seldomDamaged = fc.oneof({ weight: 2, arbitrary: fc.constant(unchanged) }, { weight: 1, arbitrary: damage() })

const credentials: fc.Arbitrary<Credentials> = fc.record({
  entry: fc.constantFrom<Entry[]>(core, adc, impersonation, federation),
  named: fc.boolean(),
  subject: fc.boolean(),
  value: fc.oneof(
    { weight: 6, arbitrary: altered(serviceAccountKey) },
    { weight: 2, arbitrary: altered({ client_email: EMAIL, private_key: keys.pkcs1 }) },
    { weight: 2, arbitrary: altered(external) },
    { weight: 2, arbitrary: altered(impersonated) },
    { weight: 1, arbitrary: altered({ ...impersonated, source_credentials: serviceAccountKey }) },
    { weight: 1, arbitrary: altered(login) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) }
  ),
  form: fc.oneof(
    { weight: 1, arbitrary: fc.constant(undefined) },
    { weight: 8, arbitrary: fc.tuple(fc.boolean(), wear(coatsOfJson, 6), oftenDamaged) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) }
  )
})

const pem: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(
    fc.oneof(fc.constantFrom(keys.short, keys.rsa, keys.pkcs1), fc.constantFrom(...Object.values(keys))),
    fc.oneof(fc.constant(unchanged), damage(binary)),
    fc.constantFrom(...coatsOfPem, unchanged),
    wear(coatsOfPem, 4),
    oftenDamaged,
    fc.boolean()
  ).map(([key, inside, first, then, outside, isEncoded]) => {
    const body = key.replace(/(?<=KEY-----\n)[^-:]+(?=-)/, (text) => btoa(inside(atob(text))))
    const worn = outside(then(first(body)))
    return isEncoded ? base64(worn) : worn
  }) },
  { weight: 1, arbitrary: fc.array(der(), { maxLength: 6 }).map((parts) => {
    return `-----BEGIN PRIVATE KEY-----\n${btoa(parts.join(''))}\n-----END PRIVATE KEY-----`
  }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }) }
)

/** What calls are made of beside the answers to them. */
const course = {
  road: fc.constantFrom(...['key', 'metadata', 'federation', 'login', 'impersonation'] as const),
  byAdc: fc.boolean(),
  retries: fc.nat(2),
  holds: fc.boolean(),
  forceRefresh: fc.boolean(),
  abortAfter: seldom(fc.nat(3000)),
  again: seldom(fc.nat(3_600_000))
}
const quick = { ...course, road: fc.constantFrom(...['metadata', 'login'] as const) }
const someAnswers = fc.array(fc.oneof(
  { weight: 6, arbitrary: answer }, { weight: 1, arbitrary: thrown }, { weight: 3, arbitrary: fc.constant(asUsual) }
), { minLength: 1, maxLength: 4 })

/** What gives the subject token, or should. */
const subjects: fc.Arbitrary<() => unknown> = fc.oneof(
  { weight: 5, arbitrary: fc.constant(() => SUBJECT) },
  { weight: 1, arbitrary: fc.anything().map((value) => () => value) },
  { weight: 1, arbitrary: fc.anything().map((value) => () => { throw value }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }).map((text) => () => {
    throw new Error(text + SUBJECT + text)
  }) }
)

/** With each answer the value of a header. */
const pauses = fc.array(fc.tuple(fc.constantFrom(400, 408, 429, 500, 503), retryAfter(START)), { minLength: 1, maxLength: 3 })
const dates = fc.array(fc.tuple(fc.constantFrom(200, 400, 401, 503), date(START)), { minLength: 1, maxLength: 3 })

const claimed = fc.tuple(claims(EMAIL), seldomDamaged, seldomDamaged)

/** What a store may give, as it is, or by a failure of its own. */
const stored: fc.Arbitrary<(stage: Stage) => unknown> = fc.oneof(
  { weight: 6, arbitrary: claimed.map((claimed) => (stage: Stage) => tokenOf(stage, ...claimed)) },
  { weight: 2, arbitrary: oftenDamaged.map((change) => (stage: Stage) => {
    const token = stage.idToken()
    stage.secrets.add(secretOf(token))
    return change(token)
  }) },
  { weight: 2, arbitrary: fc.anything().map((value) => () => value) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }).map((text) => () => text) },
  { weight: 1, arbitrary: fc.constantFrom(() => new Promise(() => {}), (stage: Stage) => {
    throw new Error(`the store has ${stage.idToken()}`)
  }, (stage: Stage) => Promise.reject({ value: stage.idToken() })) }
)

export const surfaces: Record<string, Surface<any>> = {
  'credentials': surface(0.2, credentials, async ({ entry, named, subject, value, form }) => {
    const stage = new Stage()
    const given = typeof form === 'string' ? form : form ? written(value, ...form) : value
    journal.note(`credentials: ${JSON.stringify(given)}`)
    const options: any = { credentials: given, audience: stage.audience, fetch: stage.fetch, retries: 0 }
    if (named) options.serviceAccount = EMAIL
    if (subject) options.subjectToken = SUBJECT
    for (const secret of [login.client_secret, login.refresh_token, SUBJECT]) stage.secrets.add(secret)
    return judge(stage, () => entry.getIdToken(options), { misuse: MISUSE })
  }),

  'PEM': surface(0.15, pem, async (private_key) => {
    const stage = new Stage()
    journal.note(`private_key: ${JSON.stringify(private_key)}`)
    const credentials = { client_email: EMAIL, private_key }
    const { audience, fetch } = stage
    const word = await judge(stage, () => core.getIdToken({ credentials, audience, fetch }))
    assert.match(word, /^(token|invalid_key|invalid_credentials)$/)
    return word
  }),

  'answers': surface(0.2, fc.record({ ...course, answers: someAnswers, subject: subjects }), ask),

  'claims': surface(0.1, fc.record({ ...quick, claimed }), ({ claimed: [claims, ...changes], ...course }) => {
    const answer: Answer = ({ body, token }, stage) => {
      if (token.startsWith('ya29')) return asUsual({ body, token, signal: null }, stage)
      return respond(200, body.replace(token, () => tokenOf(stage, claims, ...changes).replaceAll('"', '\'')))
    }
    return ask({ ...course, answers: [answer, answer] })
  }),

  'Retry-After': surface(0.05, fc.record({ ...quick, pauses }), ({ pauses, ...course }) => {
    const answers = pauses.map(([status, pause]) => () => respond(status, null, { 'retry-after': pause }))
    return ask({ ...course, answers })
  }),

  'Date': surface(0.05, fc.record({ ...course, dates }), ({ dates, ...course }) => {
    const answers = dates.map(([status, date]): Answer => ({ body, token }, { secrets }) => {
      secrets.add(secretOf(token))
      return respond(status, status === 200 ? body : '{"error":"invalid_grant"}', { date })
    })
    return ask({ ...course, answers })
  }),

  'WWW-Authenticate': { share: 0.1, ...authorized },

  'stored values': surface(0.08, fc.record({ ...quick, store: stored }), ({ store, ...course }) => {
    const get = async (_key: string, stage: Stage) => {
      const value: any = await store(stage)
      journal.note(`stored: ${typeof value === 'string' ? JSON.stringify(value) : typeof value}`)
      return value
    }
    return ask({ ...course, answers: [], get })
  }),

  'sealed values': surface(0.07, fc.record({
    ...quick,
    change: fc.oneof(damage(), damage(binary), fc.constant(unchanged)),
    instead: seldom(fc.anything()),
    claimed: fc.option(claimed)
  }), async ({ change, instead, claimed, ...course }) => {
    const wrong: unknown[] = [] // the library takes what is thrown below for a fault of the store
    const get = async (key: string, stage: Stage) => {
      const token = asUtf8(claimed ? tokenOf(stage, ...claimed) : stage.idToken())
      await sealing.set(key, token, { ttl: 3600 })
      const text = held.text
      held.text = instead === null ? change(text) : instead
      journal.note(`sealed: ${typeof held.text === 'string' ? JSON.stringify(held.text) : typeof held.text}`)
      const opened = await sealing.get(key)
      if (opened !== (held.text === text ? token : opened && token)) wrong.push(opened)
      stage.secrets.add(secretOf(token))
      return opened
    }
    const word = await ask({ ...course, answers: [], get })
    assert.equal(wrong, [], 'it was opened to something else')
    return word
  })
}

/** An encrypted store of one value, whatever its name. */
const held: { text: any } = { text: undefined }
const sealing = encryptedStore({
  get: async () => held.text,
  set: async (_, text) => { held.text = text }
}, { secret: 'fuzzed-fuzzed-fuzzed-fuzzed-fuzzed' })

function surface<Input>(
  share: number, inputs: fc.Arbitrary<Input>, outcome: (input: Input) => Promise<string>
): Surface<Input> {
  return { share, inputs, outcome }
}

/** One call, on one of the roads; where Google answers as usual and nobody aborts, a token has to come of it. */
async function ask(input: Course): Promise<string> {
  const { road, byAdc, retries, holds, forceRefresh, abortAfter, again, answers, subject, get } = input
  const stage = new Stage(answers)
  const reason = { reason: 'the caller went away' }
  const controller = new AbortController()
  const options: any = { audience: stage.audience, fetch: stage.fetch, retries, forceRefresh, timeout: TIMEOUT }
  const own = roads[road](stage, subject)
  if (abortAfter !== null) {
    options.signal = controller.signal
    setTimeout(() => controller.abort(reason), abortAfter)
  }
  const held: Promise<unknown>[] = []
  if (holds) options.waitUntil = (work: Promise<unknown>) => held.push(work)
  if (get) options.store = { get: (key: string) => get(key, stage), set: async () => {} }
  const { getIdToken } = byAdc ? adc as Entry : own.entry
  // Every attempt, one more for the clock's sake, every pause, and the store twice.
  const patience = (retries + 2) * TIMEOUT + retries * LONGEST_PAUSE + 2 * 1000 + 500
  const call = async () => {
    const expected = { patience, reason, misuse: MISUSE }
    const word = await judge(stage, () => getIdToken({ ...options, ...own.options }), expected)
    await clock.atOnce(Promise.all(held))
    if (answers.length === 0 && abortAfter === null) assert.is(word, 'token')
    return word
  }
  const word = await call()
  if (again === null || abortAfter !== null) return word
  // Out of memory, or with a refresh behind it, or anew. What was sent for the first call is forgotten by then.
  stage.sent.length = 0
  await clock.advance(again)
  return call()
}

const TIMEOUT = 1000
const LONGEST_PAUSE = 5000

const roads: Record<Course['road'], (stage: Stage, subject?: () => unknown) => { entry: Entry, options: object }> = {
  key: ({ number }) => {
    const token_uri = `http://127.0.0.1:${1024 + number % 60_000}/token`
    return { entry: core, options: { credentials: { ...serviceAccountKey, token_uri } } }
  },
  metadata: ({ number }) => ({ entry: metadata, options: { host: `m${number}` } }),
  federation: ({ number }, subject) => ({
    entry: federation,
    options: {
      credentials: {
        ...external,
        token_url: `https://sts.r${number}.googleapis.com/v1/token`,
        service_account_impersonation_url: iamUrl(`.r${number}`)
      },
      subjectToken: subject ?? SUBJECT
    }
  }),
  login: ({ number }) => ({
    entry: impersonation,
    options: { credentials: { ...impersonated, service_account_impersonation_url: iamUrl(`.r${number}`) } }
  }),
  impersonation: ({ number }) => ({
    entry: impersonation,
    options: {
      credentials: {
        ...impersonated,
        source_credentials: serviceAccountKey,
        service_account_impersonation_url: iamUrl(`.r${number}`)
      }
    }
  })
}

function iamUrl(region: string): string {
  return `https://iamcredentials${region}.googleapis.com/v1/projects/-/serviceAccounts/${EMAIL}:generateAccessToken`
}

/** JSON with up to two fields gone, changed, or with something else in them. */
function altered(json: object): fc.Arbitrary<unknown> {
  const fields = ['__proto__', 'toString', ...Object.keys(json)]
  const change = fc.oneof<fc.Arbitrary<(value: any) => unknown>[]>(
    fc.constant(() => undefined),
    damage().map((change) => (value: any) => typeof value === 'string' ? change(value) : value),
    fc.jsonValue({ maxDepth: 1 }).map((value) => () => value),
    fc.constantFrom(...TEXTS).map((text) => () => text)
  )
  const edits = fc.array(fc.tuple(fc.constantFrom(...fields), change), { maxLength: 2 })
  return edits.map((chosen) => {
    const copy: any = { ...json }
    for (const [field, change] of chosen) {
      const value = change(copy[field])
      Object.defineProperty(copy, field, { value, enumerable: true, configurable: true, writable: true })
    }
    return copy
  })
}

function written(value: unknown, isRaw: boolean, wear: Change, change: Change): string {
  const json = JSON.stringify(value) ?? ''
  return change(wear(isRaw ? json.replaceAll('\\n', '\n') : json))
}

/** A JWT with such claims, damaged inside or outside of its encoding. */
function tokenOf(
  stage: Stage, claims: (stage: Stage) => object, inside: Change, outside: Change
): string {
  const token = jwt(inside(JSON.stringify(claims(stage))))
  stage.secrets.add(secretOf(token))
  return outside(token)
}

/** Pieces of DER, right and wrong. */
function der(): fc.Arbitrary<string> {
  const bytes = (...list: number[]) => String.fromCharCode(...list)
  return fc.oneof(
    fc.constantFrom(
      bytes(48, 130, 2, 92, 2, 1, 0), bytes(48, 130, 0, 0, 2, 1, 0), bytes(48, 130, 255, 255), bytes(48, 128),
      bytes(2, 1, 0), bytes(48, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0),
      bytes(6, 7, 42, 134, 72, 206, 61, 2, 1)
    ),
    binary,
    fc.nat(700).map((length) => '\x01'.repeat(length))
  )
}

/** Half characters are lost on the way. */
function asUtf8(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text))
}

function unchanged(text: string): string {
  return text
}

interface Entry {
  getIdToken(options: any): Promise<string>
}

interface Credentials {
  entry: Entry
  named: boolean
  subject: boolean
  value: any
  form: undefined | string | [boolean, Change, Change]
}

interface Course {
  road: 'key' | 'metadata' | 'federation' | 'login' | 'impersonation'
  byAdc: boolean
  retries: number
  holds: boolean
  forceRefresh: boolean
  abortAfter: number | null
  again: number | null
  answers: Answer[]
  subject?: () => unknown
  get?: (key: string, stage: Stage) => Promise<string | null | undefined>
}
