// What Google, or who stands in its place, may answer.

import fc from 'fast-check'
import { damage } from '../support/mangled.ts'
import { jwt, letters, respond, secretOf } from './stage.ts'
import type { Answer, Stage } from './stage.ts'

/** Now and then something, mostly nothing. */
export function seldom<T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: some })
}

/** Text as headers can have it. */
export const latin1: fc.Arbitrary<string> = fc
  .string({ unit: fc.nat(255).map((byte) => String.fromCharCode(byte)) })
  .map((text) => text.replace(/[\0\r\n]/g, ' '))

/** HTTP dates near to a time and far from it, and what looks like one. */
export function date(now: number): fc.Arbitrary<string> {
  const ranges = [7200, 1e10, Number.MAX_SAFE_INTEGER].map((max) => fc.integer({ min: -max, max }))
  const right = fc.oneof(...ranges).map((seconds) => new Date(within(now + seconds * 1000)).toUTCString())
  return oneOf(right, ['0 GMT', 'GMT', ' GMT', '1 GMT', '275760 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT', '1e999 GMT'])
}

/** Seconds, dates, and what looks like one of them. */
export function retryAfter(now: number): fc.Arbitrary<string> {
  const right = fc.oneof(fc.nat(20).map(String), fc.bigInt({ min: -10n, max: 10n ** 30n }).map(String), date(now))
  return oneOf(right, ['-0', '+1', '1e3', '0x10', '1.5', '١', '1,2', '9'.repeat(400)])
}

/** Names and values as the library looks at them. */
export const headers: fc.Arbitrary<Record<string, string>> = fc.dictionary(
  fc.constantFrom('content-type', 'location', 'x-something', 'metadata-flavor', 'content-encoding'),
  latin1,
  { maxKeys: 2 }
)

/** Claims that are right but for one or two. */
export function claims(email: string): fc.Arbitrary<(stage: Stage) => object> {
  const value = fc.jsonValue({ maxDepth: 1 }).map((value) => () => value)
  const time = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: -4000, max: 4000 }).map((offset) => (now: number) => now + offset) },
    { weight: 1, arbitrary: fc.double().map((number) => () => number) },
    { weight: 1, arbitrary: value }
  )
  const some = fc.array(fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fc.constantFrom('iat', 'exp'), time) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom('aud', 'email'), value) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom('email'), fc.constant(() => email)) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('sub'), fc.string().map((text) => () => text)) }
  ), { maxLength: 2 })
  return some.map((changes) => ({ audience }) => {
    const now = Math.floor(Date.now() / 1000)
    const changed = changes.map(([name, value]) => [name, value(now)])
    return { aud: audience, iat: now, exp: now + 3600, ...Object.fromEntries(changed) }
  })
}

/** How a body comes: at once, in pieces, and with an end or without one. */
const endings = fc.constantFrom('whole', 'whole', 'whole', 'pieces', 'broken', 'stalled', 'endless')

const STATUSES = [200, 200, 201, 204, 302, 400, 401, 403, 404, 408, 429, 500, 503]
const GOOGLES = [
  'invalid_grant', 'Invalid JWT Signature.', 'invalid_client', 'disabled_client', 'internal_failure', 'server_error',
  'temporarily_unavailable', 'PERMISSION_DENIED', 'NOT_FOUND', 'UNAVAILABLE', 'invalid_target', 'getOpenIdToken',
  'Token must be a short-lived token and in a reasonable timeframe', 'account not found', '<!DOCTYPE html>', '\n', '\0',
  '\u2028', 'disabled', 'has not been used', 'stale', 'expected audience'
]

/** Text with pieces of what was sent in it. */
const said: fc.Arbitrary<(stage: Stage) => string> = fc.array(fc.oneof(
  fc.constantFrom(...GOOGLES).map((text) => () => text),
  fc.string({ unit: 'binary' }).map((text) => () => text),
  fc.tuple(fc.nat(3), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(900), fc.constantFrom(...forms()))
    .map(([which, from, length, form]) => (stage: Stage) => {
      const secret = stage.sent[which] ?? ''
      const start = Math.floor(from * secret.length)
      return form(secret.slice(start, start + length))
    })
), { maxLength: 5 }).chain((parts) => fc.constantFrom('', ' ', ': ').map((between) => (stage: Stage) => {
  return parts.map((part) => part(stage)).join(between)
}))

const body: fc.Arbitrary<(usual: string, stage: Stage) => string> = fc.oneof(
  { weight: 4, arbitrary: damage().map((change) => (usual: string) => change(usual)) },
  { weight: 1, arbitrary: fc.constant((usual: string) => usual) },
  { weight: 4, arbitrary: fc.tuple(said, said).map(([error, description]) => (_: string, stage: Stage) =>
    JSON.stringify({ error: error(stage), error_description: description(stage) })) },
  { weight: 3, arbitrary: fc.tuple(said, said).map(([status, message]) => (_: string, stage: Stage) =>
    JSON.stringify({ error: { code: 400, status: status(stage), message: message(stage) } })) },
  { weight: 2, arbitrary: said.map((text) => (_: string, stage: Stage) => text(stage)) },
  { weight: 2, arbitrary: fc.dictionary(
    fc.constantFrom('error', 'error_description', 'id_token', 'token', 'access_token', '__proto__'),
    fc.jsonValue({ maxDepth: 2 })
  ).map((json) => () => JSON.stringify(json)) },
  { weight: 1, arbitrary: fc.json({ maxDepth: 2 }).map((text) => () => text) }
)

/**
 * An answer of any kind. What a success has in it for a token is secret, and a token that comes whole with a refusal;
 * what is left of one that was broken on the way, nobody can tell from other text.
 */
export const answer: fc.Arbitrary<Answer> = fc.tuple(
  fc.oneof(fc.constantFrom(...STATUSES), fc.integer({ min: 200, max: 599 })),
  body,
  endings,
  headers,
  fc.boolean()
).map(([status, body, ending, headers, isOpaque]): Answer => (usual, stage) => {
  const isSuccess = status >= 200 && status < 300
  // Of refusals, no two have a token with anything in common.
  const token = isSuccess || usual.token.startsWith('ya29') ? usual.token : jwt(letters())
  const right = usual.body.replace(usual.token, token)
  const text = body(right, stage)
  if (isSuccess || (text === right && token.startsWith('eyJ'))) stage.secrets.add(secretOf(token))
  const response = respond(status, ending === 'whole' ? text : streamed(text, ending, usual.signal), headers)
  return status === 302 && isOpaque ? Object.defineProperty(response, 'status', { value: 0 }) : response
})

/** A `fetch` that fails, and says with what. */
export const thrown: fc.Arbitrary<Answer> = fc.tuple(said, fc.nat(5)).map(([said, kind]): Answer => (_, stage) => {
  const text = said(stage)
  throw [
    () => new TypeError(`Invalid header value: ${text}`),
    () => Object.assign(new Error('failed', { cause: new Error(text) }), { request: text }),
    () => Object.assign(new Error('failed'), { name: text, code: text, cause: { code: text } }),
    () => text,
    () => ({ text }),
    () => undefined
  ][kind]!()
})

function streamed(text: string, ending: string, signal: AbortSignal | null | undefined): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  let at = 0
  return new ReadableStream({
    start(controller) {
      signal?.addEventListener('abort', () => controller.error(signal.reason), { once: true })
    },
    pull(controller) {
      if (at < bytes.length) controller.enqueue(bytes.subarray(at, at += Math.ceil(bytes.length / 3)))
      else if (ending === 'pieces') controller.close()
      else if (ending === 'broken') controller.error(new Error(`broken after ${text}`))
      else if (ending === 'endless') controller.enqueue(new Uint8Array(16_384).fill(32))
    }
  })
}

/** How what was sent may be quoted. */
function forms(): ((secret: string) => string)[] {
  return [
    (secret) => secret,
    (secret) => `"${secret}"`,
    (secret) => encodeURIComponent(secret),
    (secret) => (secret.match(/.{1,76}/g) ?? []).join('\r\n'),
    (secret) => `${secret}${secret}`
  ]
}

function oneOf(right: fc.Arbitrary<string>, known: string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: right },
    { weight: 2, arbitrary: fc.tuple(right, damage()).map(([text, change]) => change(text).replace(/[\0\r\n]/g, ' ')) },
    { weight: 1, arbitrary: fc.constantFrom(...known) },
    { weight: 1, arbitrary: latin1 }
  )
}

function within(time: number): number {
  return Math.min(Math.max(time, -8.64e15), 8.64e15)
}
