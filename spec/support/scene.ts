import { getIdToken } from 'gcp-id-token'
import type { GetIdTokenOptions } from 'gcp-id-token'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle } from '../google/index.ts'
import type { Google, KeyFile } from '../google/index.ts'
import { FakeClock } from './clock.ts'
import type { Moves } from './clock.ts'

/** A suite whose every test has the stage for itself; in the end no timer may be left. */
export function scenes(title: string, moves: Moves = 'always'): Scenes {
  const tests = suite(title)
  const test = (name: string, play: (scene: Scene) => Promise<void>) => {
    tests(name, async () => {
      const scene = await newScene(moves)
      const { clock } = scene
      try {
        await play(scene)
        await clock.advance(3_600_000)
        assert.is(clock.timers.length, 0, 'timers were left')
      } finally {
        scene.stopSpying()
        clock.restore()
      }
    })
  }
  return { test, run: tests.run }
}

export const AUDIENCE = 'https://hello-uc.a.run.app'

async function newScene(moves: Moves): Promise<Scene> {
  const clock = new FakeClock(moves)
  let issued = 0
  // Within a second, Google gives the same token to the same question; here no two are the same.
  const idTokenClaims = { get jti() { return `${++issued}` } }
  const google = createGoogle({ now: () => clock.now, settings: { idTokenClaims } })
  const key = await newKey(google)
  const sentAt: number[] = []
  const restorers: (() => void)[] = []

  const fetch: Fetch = async (url, init) => {
    sentAt.push(clock.now)
    try {
      return await google.fetch(url, init)
    } finally {
      clock.io()
    }
  }
  const ask: Scene['ask'] = (options = {}) => {
    clock.io() // a request came in
    return getIdToken({ credentials: key, audience: AUDIENCE, fetch, ...options })
  }
  const spy: Scene['spy'] = (object, name, instead = object[name]) => {
    const before = object[name]
    const calls: any[][] = []
    object[name] = function (this: unknown, ...args: any[]) {
      calls.push(args)
      return (instead as (...args: any[]) => unknown).apply(this, args)
    } as any
    restorers.push(() => { object[name] = before })
    return calls
  }
  const stopSpying = () => {
    for (const restore of restorers.splice(0).reverse()) restore()
  }
  return { clock, google, key, fetch, sentAt, ask, spy, stopSpying }
}

/**
 * A key whose token endpoint nobody else knows: what is learned of an endpoint's clock stays with it, beyond
 * the test.
 */
export async function newKey(google: Google, account = google.createAccount()): Promise<KeyFile> {
  const key = await google.createKey(account)
  return { ...key, token_uri: `http://127.0.0.1:${++lastPort}/token` }
}

let lastPort = 1024

export function together<T>(count: number, call: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, () => call()))
}

/** Numbers as `Math.random` gives them: 0 is possible, 1 is not. */
export const LEAST_RANDOM = 0
export const MOST_RANDOM = 1 - 2 ** -53

export interface Scene {
  clock: FakeClock
  google: Google
  key: KeyFile
  fetch: Fetch
  /** When each request was sent. */
  sentAt: number[]
  /** A caller; unless told otherwise all want one token. */
  ask(options?: Partial<GetIdTokenOptions>): Promise<string>
  /** The arguments of all calls from now on, up to the end of the test. */
  spy<T extends object, Name extends keyof T>(object: T, name: Name, instead?: T[Name]): any[][]
  stopSpying(): void
}

export interface Scenes {
  test(name: string, play: (scene: Scene) => Promise<void>): void
  run(): void
}

type Fetch = NonNullable<GetIdTokenOptions['fetch']>
