import { IdTokenError } from './errors.ts'
import type { Settings } from './options.ts'
import { timeAt } from './request.ts'
import type { Attempt } from './request.ts'
import { readToken } from './token.ts'
import type { Token } from './token.ts'

/** Where ID tokens come from: what each entry adds to the one road that all of them take. */
export interface Source {
  /** Everything but the audience that the token depends on. */
  readonly identity: readonly unknown[]
  /** The URL whose clock counts. */
  readonly endpoint: string
  /** The account that the token must be of, where that is known. */
  readonly email?: string | undefined
  /** Hands out one token again and again until 225 s before its end: asking earlier is of no use. */
  readonly repeats?: boolean
  /** One attempt to get an ID token. */
  exchange(attempt: Attempt, audience: string): Promise<unknown>
}

/** A token from the source, asked for again when a fault may pass. Each attempt and each pause is a `wait`. */
export async function requestToken(
  source: Source,
  { audience, fetch, timeout, retries }: Settings,
  wait: Wait
): Promise<Token> {
  let failure: IdTokenError | undefined
  let corrections = 0
  const secrets: string[] = [] // of all attempts: what was sent in one may come back in the next
  for (let retry = 0; ; ) {
    const offset = timeAt(source.endpoint) - Date.now()
    const controller = new AbortController()
    const attempt: Attempt = { fetch, signal: controller.signal, secrets }
    try {
      const answer = source.exchange(attempt, audience)
      const token = await wait(timeout, answer.then((text) => readToken(text, audience, source)))
      if (token) return token
      controller.abort()
      failure ??= new IdTokenError('timeout', `no ID token within ${timeout} ms`)
    } catch (error: any) {
      // A refusal that comes with news of the time is most likely due to it, so it is worth one more attempt at once.
      // Less than 15 s is no news: assertions are signed 30 s back.
      const clockMoved = Math.abs(timeAt(source.endpoint) - Date.now() - offset) > 15_000
      if (error.code === 'rejected' && clockMoved && !corrections++) continue
      if (error.code !== 'unavailable') throw error
      failure = error as IdTokenError
    }
    // Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    const { retryAfter } = attempt
    const pause = retryAfter! >= 0 ? retryAfter! : Math.random() * Math.min(5000, 200 * 2 ** retry)
    if (retry++ >= retries || pause > 5000) throw failure
    await wait(pause)
  }
}

/** What the work comes to, or `undefined` when it takes longer. Meanwhile, others leave it to whoever waits. */
export type Wait = <T>(milliseconds: number, work?: Promise<T>) => Promise<T | undefined>
