import * as assert from 'uvu/assert'

/** What the work is rejected with; `assert.throws` is for synchronous calls only. */
export async function rejects(work: Promise<unknown>): Promise<any> {
  const [error] = await work.then(() => [], (reason) => [reason])
  if (!error) assert.unreachable('It should have been rejected')
  return error
}

/** An `IdTokenError` of that code; by name, as the docs advise. */
export async function fails(work: Promise<unknown>, code: string, ...patterns: RegExp[]): Promise<any> {
  const error = await rejects(work)
  assert.is(error.name, 'IdTokenError', `${error.stack}`)
  assert.is(error.code, code, `${error.stack}`)
  for (const pattern of patterns) assert.match(error.message, pattern)
  return error
}

/** A caller's mistake: a native `TypeError` that says which option it is about. */
export async function misused(work: Promise<unknown>, ...patterns: RegExp[]): Promise<void> {
  isMistake(await rejects(work), ...patterns)
}

/** The same of an error that is at hand. */
export function isMistake(error: any, ...patterns: RegExp[]): void {
  assert.instance(error, TypeError)
  assert.is(error.name, 'TypeError')
  assert.not.match(error.message, /^ | must be $/)
  for (const pattern of patterns) assert.match(error.message, pattern)
}

/** No 12 characters in a row of any of the secrets, wherever an error can be looked at. */
export function showsNothingOf(error: any, ...secrets: string[]): void {
  const shown = textsOf(error).join('\n')
  const pieces = secrets.map(secretPieces)
  for (const piece of [...piecesOf(shown), ...piecesOf(bare(shown))]) {
    if (pieces.some((set) => set.has(piece))) assert.unreachable(`The error shows "${piece}":\n${shown}`)
  }
}

/** The base64 in a PEM block. */
export function bodyOf(pem: string): string {
  return bare(pem.replace(/-----[^-]+-----/g, ''))
}

/** Properties look for the same key again and again. */
function secretPieces(secret: string): Set<string> {
  const pieces = known.get(secret) ?? new Set(piecesOf(bare(secret)))
  known.set(secret, pieces)
  return pieces
}

const known = new Map<string, Set<string>>()

function piecesOf(text: string): string[] {
  return Array.from({ length: Math.max(text.length - 11, 0) }, (_, start) => text.slice(start, start + 12))
}

/** A key as an error could show it: base64, hex, and numbers. */
export function formsOf(pem: string): string[] {
  const base64 = bodyOf(pem)
  const bytes = Array.from(atob(base64), (char) => char.charCodeAt(0))
  return [base64, bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(''), bytes.join()]
}

/** Every property, own and inherited from the error's class, and all of the cause. */
export function textsOf(error: any): string[] {
  if (typeof error !== 'object' || !error) return [String(error)]
  const own = Object.getOwnPropertyNames(error).filter((name) => name !== 'cause')
  const values = own.flatMap((name) => textsOf(error[name]))
  return [...new Set([String(error), JSON.stringify(error), ...values, ...textsOf(error.cause)])]
}

/** Without line breaks, in whatever form: a key in pieces is a key, too. */
function bare(text: string): string {
  return text.replace(/\\[nr]|[\s\\]/g, '')
}
