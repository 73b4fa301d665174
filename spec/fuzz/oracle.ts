// What every input has to end in.

import { decodeJwt } from 'jose'
import * as assert from 'uvu/assert'
import { FakeClock } from '../support/clock.ts'
import { formsOf, textsOf } from '../support/errors.ts'
import * as keys from '../support/keys.ts'
import type { Stage } from './stage.ts'

export const clock = new FakeClock()
export const START = clock.now

/** Every input begins at the same time, whatever the one before it left behind. */
export function turnBack(): void {
  clock.drop(clock.timers)
  clock.now = START
  clock.io()
}

/** The word `token`, or the code of the error, or its name: whatever else comes of the call is a finding. */
export async function judge(stage: Stage, call: () => Promise<unknown>, expected: Expected = {}): Promise<string> {
  const { patience = 60_000, misuse, reason } = expected
  const start = clock.now
  let outcome: string
  try {
    const value = await clock.until(Promise.resolve().then(call))
    assert.ok(clock.now - start <= patience, `It took ${clock.now - start} ms`)
    if (expected.value) expected.value(value)
    else checkToken(value, stage.audience)
    outcome = 'token'
  } catch (error: any) {
    if (error?.code === 'ERR_ASSERTION') throw error
    assert.ok(clock.now - start <= patience, `It took ${clock.now - start} ms to fail`)
    outcome = error !== undefined && error === reason ? 'reason' : nameOf(error, misuse)
    if (outcome !== 'reason') showsNothing(error, stage.secrets)
  }
  assert.equal(stage.strays, [], 'nothing may be sent there')
  await clock.advance(patience)
  assert.is(clock.timers.length, 0, 'timers are left')
  return outcome
}

/** As jose reads it: for that audience, with life in it, and fit for a header. */
function checkToken(token: unknown, audience: string): void {
  assert.type(token, 'string')
  assert.match(token as string, /^[!-~]+$/)
  const { aud, iat, exp } = decodeJwt(token as string)
  assert.is(aud, audience)
  assert.ok(exp! > iat! && exp! - iat! <= 3900, `lives from ${iat} to ${exp}`)
}

function nameOf(error: any, misuse = NOTHING): string {
  const shown = `${error?.stack ?? error}`
  assert.ok(error && typeof error.message === 'string', `no error: ${shown}`)
  assert.is(error.cause, undefined, shown)
  assert.not.match(error.message, /\p{Cc}/u, shown)
  assert.ok(error.message.length < 1500, `${error.message.length} characters: ${shown}`)
  if (error.name === 'TypeError' && Object.getPrototypeOf(error) === TypeError.prototype) {
    assert.match(error.message, misuse, shown)
    return 'TypeError'
  }
  assert.is(error.name, 'IdTokenError', shown)
  assert.ok(CODES.includes(error.code), shown)
  for (const name of Object.getOwnPropertyNames(error)) assert.ok(PROPERTIES.includes(name), `${name}: ${shown}`)
  return error.code
}

/** No 12 characters in a row of any secret. */
function showsNothing(error: any, secrets: Iterable<string>): void {
  const shown = [...new Set(textsOf(error).join('\n').split('\n'))].join('\n')
  const leaks = [...[...secrets].map((secret) => leakOf(shown, secret)), keyIn(shown), keyIn(bare(shown))]
  const found = leaks.find(Boolean)
  if (found) assert.unreachable(`The error shows "${found}": ${shown}`)
}

/** Twelve characters hold six that begin at a multiple of six, and to look for these first is quick. */
function leakOf(shown: string, secret: string): string | undefined {
  for (let block = 0; block + 6 <= secret.length; block += 6) {
    if (!shown.includes(secret.slice(block, block + 6))) continue
    for (let start = Math.max(block - 6, 0); start <= block && start + 12 <= secret.length; start++) {
      const piece = secret.slice(start, start + 12)
      if (shown.includes(piece)) return piece
    }
  }
}

function keyIn(shown: string): string | undefined {
  for (let start = 0; start + 12 <= shown.length; start++) {
    const piece = shown.slice(start, start + 12)
    if (keyPieces.has(piece)) return piece
  }
}

function bare(text: string): string {
  return text.replace(/\\[nr]|[\s\\]/g, '')
}

const CODES = [
  'invalid_credentials', 'unsupported_credentials', 'invalid_key', 'rejected', 'invalid_response', 'timeout',
  'unavailable'
]
const PROPERTIES = ['stack', 'message', 'name', 'code', 'status', 'reason', 'description', 'hint']
const NOTHING = /^$/

const keyPieces = new Set<string>()
for (const pem of Object.values(keys)) {
  const [block] = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*/.exec(pem) ?? []
  if (!block) continue
  for (const form of formsOf(block.replace(/^[\w-]+: .*$/gm, ''))) {
    for (let start = 0; start + 12 <= form.length; start++) keyPieces.add(form.slice(start, start + 12))
  }
}

export interface Expected {
  /** Milliseconds of the clock's that the call may take, and what it began after it. */
  patience?: number
  /** What a `TypeError` may say, where one is right. */
  misuse?: RegExp
  /** What may be thrown as it is. */
  reason?: unknown
  /** Looks at what is no token, and throws if it is wrong. */
  value?(value: unknown): void
}
