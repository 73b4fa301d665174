import { UnsecuredJWT } from 'jose'

/** A service that gives these answers in turn, and the last of them for ever. */
export function newService(...answers: Answer[]): Service {
  const sent: Request[] = []
  const texts: string[] = []
  return {
    sent,
    texts,
    async fetch(request) {
      const answer = answers[Math.min(sent.length, answers.length - 1)]
      sent.push(request)
      texts.push(await request.text())
      return answer?.(request) ?? new Response('fine')
    }
  }
}

/** A token of that age, in seconds, by a source that gives the next one whenever it is made to. */
export function newTokens(...ages: number[]): Tokens {
  const now = Math.floor(Date.now() / 1000)
  const tokens = ages.map((age, i) => new UnsecuredJWT({ jti: `${i}` }).setIssuedAt(now - age).encode() + 'signature')
  const asked: TokenRequest[] = []
  let current = 0
  return {
    tokens,
    asked,
    async getToken(request) {
      asked.push(request)
      if (request.forceRefresh && current < tokens.length - 1) current++
      return tokens[current]!
    }
  }
}

/** What cancelling its body does to it can be seen. */
export function watchedResponse(init: ResponseInit): { response: Response, isCancelled: () => boolean } {
  let cancelled = false
  const body = new ReadableStream({ cancel: () => { cancelled = true } })
  return { response: new Response(body, init), isCancelled: () => cancelled }
}

export type Answer = (request: Request) => Response | Promise<Response>

export interface Service {
  /** What was sent, and the bodies of that. */
  sent: Request[]
  texts: string[]
  fetch(request: Request): Promise<Response>
}

export interface Tokens {
  tokens: string[]
  asked: TokenRequest[]
  getToken(request: TokenRequest): Promise<string>
}

interface TokenRequest {
  audience: string
  forceRefresh?: boolean
  signal?: AbortSignal
}
