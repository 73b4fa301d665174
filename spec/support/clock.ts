/**
 * Stands in for `Date.now` and the timers of this realm, so that hours pass in a moment. Crypto is real: time
 * stands still until it is done. (Clocks off the shelf do not wait for it, and can be bundled for Node only.)
 */
export class FakeClock {
  /** The true time, in milliseconds. */
  now = 1_800_000_000_000
  /** How far `Date.now()` is off. */
  error = 0
  /** How many milliseconds later than asked for timers may fire. */
  lateness = 0
  /** When `Date.now()` moves. In production, that of a Cloudflare Worker shows the time of its last I/O. */
  moves: Moves
  #shown = this.now
  #timers = new Map<number, Timer>()
  #lastTimer = 0
  #working = 0
  #crypto: Promise<unknown> = Promise.resolve()
  #restore: (() => void)[] = []

  constructor(moves: Moves = 'always') {
    this.moves = moves
    this.#turn = turn()
    this.#replace(Date, 'now', () => this.#shown + this.error)
    const set = (call: Call, delay = 0, ...args: unknown[]) => this.#set(call, delay, args)
    this.#replace(globalThis, 'setTimeout', set)
    this.#replace(globalThis, 'clearTimeout', (id: number) => void this.#timers.delete(id))
    for (const name of WORK) this.#replace(crypto.subtle, name, this.#watched(crypto.subtle[name]))
  }

  /** The timers that are set, by id. */
  get timers(): number[] {
    return [...this.#timers.keys()]
  }

  /** Lets time pass, and in it the timers fire, each after all that the one before it set going is done. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds
    await this.settle()
    for (let next; (next = this.#next()) && next.due <= end; ) await this.#fire(next)
    this.#pass(end)
  }

  /** What the promise comes to; time passes as far as it must. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const note = () => { settled = true }
    promise.then(note, note)
    await this.settle()
    while (!settled) {
      const next = this.#next()
      if (!next) throw new Error('Nothing will ever happen')
      await this.#fire(next)
    }
    return promise
  }

  /** What the promise comes to without any time passing. */
  async atOnce<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {}) // it may reject before the race
    await this.settle()
    return Promise.race([promise, Promise.reject(new Error('It is still pending'))])
  }

  /** Lets all be done that needs no time. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      await this.#turn()
      if (this.#working > 0) quiet = 0
    }
  }

  /** Something came in from outside, by which every clock moves. */
  io(): void {
    if (this.moves !== 'never') this.#shown = this.now
  }

  /** These timers never fire, as those of a Cloudflare Workers request that is over. */
  drop(timers: number[]): void {
    for (const id of timers) this.#timers.delete(id)
  }

  restore(): void {
    for (const restore of this.#restore.reverse()) restore()
  }

  readonly #turn: () => Promise<unknown>

  #set(call: Call, delay: number, args: unknown[]): number {
    const due = this.now + (delay >= 1 && delay < 2 ** 31 ? delay : 1) + Math.random() * this.lateness
    this.#timers.set(++this.#lastTimer, { id: this.#lastTimer, due, call: () => call(...args) })
    return this.#lastTimer
  }

  #next(): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers.values()) if (!next || timer.due < next.due) next = timer
    return next
  }

  #fire(timer: Timer): Promise<void> {
    this.#pass(timer.due)
    this.io()
    this.#timers.delete(timer.id)
    timer.call()
    return this.settle()
  }

  #pass(time: number): void {
    this.now = time
    if (this.moves === 'always') this.io()
  }

  /** One piece of crypto after the other: on several threads, their order would be left to chance. */
  #watched(work: (...args: any[]) => Promise<any>): (...args: any[]) => Promise<any> {
    return (...args) => {
      this.#working++
      const result = this.#crypto.then(() => work.apply(crypto.subtle, args)).finally(() => this.#working--)
      this.#crypto = result.catch(() => {})
      return result
    }
  }

  #replace<T extends object>(object: T, name: keyof T, value: unknown): void {
    const isOwn = Object.hasOwn(object, name)
    const before = object[name]
    object[name] = value as T[keyof T] // the edge VM lets nobody redefine its globals, but assign to them
    this.#restore.push(() => {
      if (isOwn) object[name] = before
      else delete object[name]
    })
  }
}

const WORK = [
  'digest', 'sign', 'verify', 'encrypt', 'decrypt', 'importKey', 'exportKey', 'generateKey', 'deriveBits', 'deriveKey'
] as const

/** In Chromium, the body of a response takes several. */
const QUIET_TURNS = 5

/**
 * A turn of the event loop, by what is quickest: a timer takes a millisecond and more. Workers have a wait, Node
 * has immediates, most have channels, and the edge VM has crypto that takes a turn; elsewhere that may be done on
 * the spot.
 */
function turn(): () => Promise<unknown> {
  const { scheduler, setImmediate, MessageChannel }: Partial<typeof globalThis & Turns> = globalThis
  if (scheduler?.wait) return () => scheduler.wait!(0)
  if (setImmediate) return () => new Promise((resolve) => void setImmediate(resolve))
  if (MessageChannel) return message
  const { digest } = crypto.subtle
  const byte = new Uint8Array(1)
  return () => digest.call(crypto.subtle, 'SHA-256', byte)
}

function message(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => resolve(port1.close())
    port2.postMessage('')
  })
}

export type Moves = 'always' | 'at I/O' | 'never'

interface Turns {
  /** Of Cloudflare Workers. */
  scheduler: { wait?(milliseconds: number): Promise<void> }
}

type Call = (...args: any[]) => void

interface Timer {
  id: number
  due: number
  call: () => void
}
