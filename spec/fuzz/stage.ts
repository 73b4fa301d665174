// A Google that answers by the book of one input: no network, no signatures, and every secret noted.

import { base64 } from '../support/mangled.ts'

/** What was sent and answered for the input under way, as it was. */
export const journal = {
  entries: [] as string[],
  start(print?: (entry: string) => void) {
    this.entries = []
    this.note = (entry) => {
      this.entries.push(entry)
      print?.(entry)
    }
  },
  note(_entry: string) {}
}

/** Answers a request; `usual` is what Google would say, and `stage` knows what is secret. */
export type Answer = (usual: Usual, stage: Stage) => Response | Promise<Response>

export interface Usual {
  body: string
  token: string
  signal: AbortSignal | null | undefined
}

export class Stage {
  readonly audience: string
  readonly secrets = new Set<string>()
  /** Those of them that were sent, of which answers may show something. */
  readonly sent: string[] = []
  /** Where nothing may be sent, and something was. */
  readonly strays: string[] = []
  /** No two stages know each other's hosts, so that what the library learned of one is news to the next. */
  readonly number = ++stages
  readonly #answers: Answer[]

  constructor(answers: Answer[] = []) {
    this.audience = `https://s${this.number}.example`
    this.#answers = [...answers]
  }

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    for (const secret of secretsIn(new Headers(init.headers), String(init.body ?? ''))) {
      this.secrets.add(secret)
      this.sent.push(secret)
    }
    if (!PLACES.some((place) => place.test(url))) this.strays.push(url)
    journal.note(`> ${init.method} ${url}`)
    const answer = this.#answers.shift() ?? asUsual
    const wantsAccess = url.startsWith('https://sts.') || String(init.body).includes('grant_type=refresh_token')
    const token = wantsAccess ? `ya29.${letters()}${letters()}` : this.idToken()
    const usual = { body: bodyOf(url, token), token, signal: init.signal }
    return answer(usual, this)
  }

  idToken(claims: object = {}): string {
    const now = Math.floor(Date.now() / 1000)
    return jwt(JSON.stringify({ aud: this.audience, iat: now, exp: now + 3600, ...claims }))
  }
}

export const asUsual: Answer = ({ body, token }, { secrets }) => {
  secrets.add(secretOf(token))
  return respond(200, body)
}

/** The head of a JWT is the same in all. */
export function secretOf(token: string): string {
  return token.slice(token.indexOf('.') + 1)
}

/** With the headers that are possible; an empty one is left out. */
export function respond(status: number, body: BodyInit | null, headers: Record<string, string> = {}): Response {
  const possible = new Headers({ 'metadata-flavor': 'Google' })
  for (const [name, value] of Object.entries(headers)) {
    try {
      if (value) possible.set(name, value)
      else possible.delete(name)
    } catch {
      possible.set(name, encodeURIComponent(value.replace(/\p{Cs}/gu, '?')))
    }
  }
  journal.note(`< ${status} ${JSON.stringify([...possible])} ${typeof body === 'string' ? JSON.stringify(body) : ''}`)
  const isEmpty = status === 204 || status === 205 || status === 304
  return new Response(isEmpty ? null : body, { status, headers: possible })
}

/** Nobody looks at the signature here; no two are the same. */
export function jwt(payload: string): string {
  const encoded = base64(payload).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  return `eyJhbGciOiJSUzI1NiJ9.${encoded}.${letters()}${letters()}${letters()}`
}

/** Google's token endpoints, STS and IAM at Google's, loopback, and the metadata servers of these surfaces. */
const PLACES = [
  /^https:\/\/(oauth2\.googleapis\.com\/token|www\.googleapis\.com\/oauth2\/v4\/token)$/,
  /^https:\/\/accounts\.google\.com\/o\/oauth2\/token$/,
  /^https:\/\/(([\w-]+[.-])?(sts|iamcredentials)|(sts|iamcredentials)\.[\w-]+)\.googleapis\.com\//i,
  /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(\/|$)/,
  /^http:\/\/m\d+\/computeMetadata\//
]

let stages = 0
let lettersMade = 0

/** Sixty or so that were not there before. */
export function letters(): string {
  let text = ''
  for (let i = 0; i < 10; i++) text += (Math.imul(++lettersMade, 0x9e3779b1) >>> 0).toString(36)
  return text
}

function bodyOf(url: string, token: string): string {
  if (url.includes('/computeMetadata/')) return token
  if (url.endsWith(':generateIdToken')) return JSON.stringify({ token })
  if (token.startsWith('ya29.')) return JSON.stringify({ access_token: token, token_type: 'Bearer' })
  return JSON.stringify({ id_token: token })
}

const SECRET_FIELDS = ['assertion', 'subject_token', 'client_secret', 'refresh_token']

function secretsIn(headers: Headers, body: string): string[] {
  const form = new URLSearchParams(body)
  const bearer = headers.get('authorization')?.replace('Bearer ', '')
  return [bearer, ...SECRET_FIELDS.map((field) => form.get(field))].filter((secret) => secret != null)
}
