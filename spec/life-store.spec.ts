import * as assert from 'uvu/assert'
import type { TokenStore } from 'gcp-id-token'
import { faults, tokenErrors } from './google/index.ts'
import { fails, rejects } from './support/errors.ts'
import { AUDIENCE, newKey, scenes, together } from './support/scene.ts'
import type { Scene } from './support/scene.ts'

const SECOND = 1000
/** What a store may cost at most. */
const PATIENCE = 1 * SECOND

for (const moves of ['always', 'at I/O'] as const) {
  const { test, run } = scenes(`life of a token: in a store, with a clock that moves ${moves}`, moves)

  test('a cold call looks into the store once, and writes what it got from Google', async (scene) => {
    const { ask, clock, google } = scene
    const store = memoryStore()
    google.next('token', faults.latency(500))
    const [token] = await clock.until(together(20, () => ask({ store })))
    assert.is(google.requests.length, 1)
    assert.equal(store.calls.map(([name]) => name), ['get', 'set'])
    assert.equal([...store.values.values()], [token])
    assert.is(store.calls[0]![1], store.calls[1]![1], 'under one key')
  })

  test('what memory has needs no store', async ({ ask, clock }) => {
    const store = memoryStore()
    const token = await ask()
    assert.is(await clock.atOnce(ask({ store })), token)
    assert.equal(store.calls, [])
  })

  test('what the store has needs no Google, and is not written again', async (scene) => {
    const { ask, clock, google } = scene
    const store = await filled(scene)
    const [token] = store.values.values()
    assert.is(await clock.atOnce(ask({ store })), token)
    assert.is(google.requests.length, 0)
    assert.is(await clock.atOnce(ask({ store })), token)
    assert.equal(store.calls.map(([name]) => name), ['get'])
  })

  test('the key is only a digest', async ({ ask, clock, google, key }) => {
    const store = memoryStore()
    const others = [await newKey(google), { ...key, private_key_id: undefined! }]
    await ask({ store })
    await ask({ store, audience: 'second' })
    for (const credentials of others) await ask({ store, credentials })
    const keys = [...store.values.keys()]
    assert.is(new Set(keys).size, 4)
    // SHA-256, as base64url or hex.
    for (const name of keys) assert.match(name, /^([\w-]{43}|[0-9a-f]{64})$/)
    await clock.until(ask({ store, credentials: JSON.stringify(key), forceRefresh: true }))
    assert.is(store.values.size, 4, 'the same for the same key in other clothes')
  })

  test('it is written for as long as it lives', async ({ ask, clock, google }) => {
    const store = memoryStore()
    google.settings.clockOffset = 7200
    await ask({ store })
    google.settings.idTokenAge = 40
    await ask({ store, audience: 'aged' })
    google.settings.idTokenAge = 0
    google.next('token', faults.latency(300))
    await clock.until(ask({ store, audience: 'slow' }))
    const lives = store.calls.filter(([name]) => name === 'set').map(([, , , options]) => options!.ttl)
    assert.equal(lives.slice(0, 2), [3600, 3560])
    for (const life of lives) assert.ok(Number.isInteger(life) && life <= 3600 && life > 3500, `${life}`)
  })

  test('an aged token of the store is served for what is left of it', async (scene) => {
    const { ask, clock, google } = scene
    const store = await filled(scene, { iat: clock.now / SECOND - 3500, exp: clock.now / SECOND + 100 })
    const [token] = store.values.values()
    google.always('token', faults.page(503))
    assert.is(await clock.atOnce(ask({ store })), token)
    await clock.advance(70 * SECOND)
    assert.is(await clock.atOnce(ask({ store })), token)
    await clock.advance(1)
    await fails(clock.until(ask({ store })), 'unavailable')
  })

  const lies: Record<string, (scene: Scene) => Promise<unknown> | unknown> = {
    nothing: () => undefined,
    null: () => null,
    'no text': () => 7,
    'an object': () => ({ text: 'token' }),
    'no JWT': () => 'token',
    'another audience': ({ google, key }) => issue(google, key, 'https://elsewhere.example'),
    'another account': ({ google }) => google.issueIdToken(google.createAccount(), AUDIENCE),
    'a token that is over': (scene) => aged(scene, 3600),
    'a token with under 30 s left': (scene) => aged(scene, 3571),
    'a token of tomorrow': ({ google, key, clock }) =>
      issue(google, key, AUDIENCE, { exp: clock.now / SECOND + 86_400 }),
    'a token without an end': ({ google, key }) => issue(google, key, AUDIENCE, { exp: undefined }),
    'a rejection': () => Promise.reject(new Error('no connection')),
    'an error': () => { throw new Error('not in the global scope') },
    'an odd error': () => { throw undefined },
    'an odd promise': () => ({ then() { throw new Error('odd') } })
  }
  for (const [what, give] of Object.entries(lies)) {
    test(`a store that gives ${what} is a miss`, async (scene) => {
      const { ask, clock, google } = scene
      const store = memoryStore()
      store.get = (() => give(scene)) as TokenStore['get']
      const token = await clock.atOnce(ask({ store }))
      assert.is(google.requests.length, 1)
      assert.equal([...store.values.values()], [token], 'and mended')
    })
  }

  for (const [when, get] of Object.entries<() => Promise<string>>({
    never: () => new Promise(() => {}),
    'too late': () => new Promise((resolve) => setTimeout(resolve, 30_000, 'late')),
    'too late, and fails': () => new Promise((_, reject) => setTimeout(reject, 30_000, new Error('late')))
  })) {
    test(`a store that answers ${when} costs a second`, async ({ ask, clock, google, sentAt }) => {
      const start = clock.now
      const store = { ...memoryStore(), get }
      await clock.until(together(5, () => ask({ store })))
      assert.is(google.requests.length, 1)
      assert.is(sentAt[0]! - start, PATIENCE)
    })
  }

  test('a store that answers within a second is waited for', async (scene) => {
    const { ask, clock, google } = scene
    const store = await filled(scene)
    const { get } = store
    store.get = (key) => new Promise((resolve) => setTimeout(resolve, 900, get(key)))
    await clock.until(together(5, () => ask({ store })))
    assert.is(google.requests.length, 0)
  })

  const badWrites: Record<string, () => Promise<unknown>> = {
    'throws': () => { throw new Error('read-only') },
    'rejects': () => Promise.reject(new Error('full')),
    'rejects later': () => new Promise((_, reject) => setTimeout(reject, 500, new Error('full'))),
    'hangs': () => new Promise(() => {}),
    'gives no promise': () => 'done' as never
  }
  for (const [how, set] of Object.entries(badWrites)) {
    test(`a write that ${how} costs a second at most`, async ({ ask, clock, google }) => {
      const start = clock.now
      const store = { ...memoryStore(), set }
      const tokens = await clock.until(together(5, () => ask({ store })))
      assert.is(new Set(tokens).size, 1)
      assert.ok(clock.now - start <= PATIENCE)
      assert.is(google.requests.length, 1)
      assert.is(clock.timers.length, 0)
      assert.is(await clock.atOnce(ask({ store })), tokens[0])
    })

    test(`a write that ${how} is handed to waitUntil, and costs nothing`, async ({ ask, clock, google }) => {
      const store = { ...memoryStore(), set }
      const handed: Promise<unknown>[] = []
      const waitUntil = (promise: Promise<unknown>) => { handed.push(promise) }
      const start = clock.now
      const token = await clock.atOnce(ask({ store, waitUntil }))
      assert.is(await clock.atOnce(ask({ store, waitUntil })), token)
      if (/hangs|later/.test(how)) await rejects(clock.atOnce(Promise.all(handed)))
      if (how !== 'hangs') await clock.until(Promise.all(handed)) // else the platform's patience is what counts
      assert.ok(clock.now - start <= PATIENCE)
      assert.is(google.requests.length, 1)
    })
  }

  test('without waitUntil, a write is awaited', async ({ ask, clock }) => {
    const store = memoryStore()
    store.delay = 600
    const start = clock.now
    const token = await clock.until(ask({ store }))
    assert.is(clock.now - start, 600)
    assert.equal([...store.values.values()], [token])
  })

  test('meanwhile others are served', async ({ ask, clock }) => {
    const store = memoryStore()
    store.delay = 600
    const first = ask({ store })
    await clock.advance(300)
    const token = await clock.atOnce(ask({ store }))
    assert.is(await clock.until(first), token)
  })

  test('what Google refuses is not written', async ({ ask, google }) => {
    const store = memoryStore()
    google.next('token', faults.refusal(tokenErrors.badSignature))
    await fails(ask({ store }), 'rejected')
    assert.equal(store.calls.map(([name]) => name), ['get'])
  })

  test('forced: never reads, and writes', async (scene) => {
    const { ask, clock, google } = scene
    const store = await filled(scene)
    const [stored] = store.values.values()
    const forced = await clock.until(ask({ store, forceRefresh: true }))
    assert.is.not(forced, stored)
    assert.equal(store.calls.map(([name, , value]) => [name, value]), [['set', forced]])
    assert.is(google.requests.length, 1)
  })

  // A refresh behind; with a store it may come some minutes earlier, by chance.

  const heldThenStored = async (scene: Scene, stored: (iat: number) => number | undefined) => {
    const { ask, clock, google, key } = scene
    const store = memoryStore()
    const held = await ask({ store })
    const [name] = store.values.keys()
    const heldSince = clock.now / SECOND
    await clock.advance(3380 * SECOND)
    const iat = stored(heldSince)
    if (iat) store.values.set(name!, await issue(google, key, AUDIENCE, { iat, exp: iat + 3600 }))
    store.calls.length = 0
    google.requests.length = 0
    assert.is(await clock.atOnce(ask({ store })), held)
    return { store, held, name: name! }
  }

  test('a refresh takes what is fresher from the store', async (scene) => {
    const { ask, clock, google } = scene
    const { store, held, name } = await heldThenStored(scene, (heldSince) => heldSince + 3000)
    const fresh = await clock.atOnce(ask({ store }))
    assert.is(fresh, store.values.get(name))
    assert.is.not(fresh, held)
    assert.is(google.requests.length, 0)
    assert.equal(store.calls.map(([name]) => name), ['get'])
  })

  for (const [what, stored] of Object.entries<(heldSince: number) => number | undefined>({
    'the same': () => undefined,
    'another of the same time': (heldSince) => heldSince,
    'an older one': (heldSince) => heldSince - 20
  })) {
    test(`a refresh goes to Google when the store has ${what}`, async (scene) => {
      const { ask, clock, google } = scene
      const { store, held, name } = await heldThenStored(scene, stored)
      const fresh = await clock.atOnce(ask({ store }))
      assert.is.not(fresh, held)
      assert.is(google.requests.length, 1)
      assert.is(store.values.get(name), fresh)
    })
  }

  test('who shares a token draws the time of its refresh', async ({ ask, clock, google, spy }) => {
    spy(Math, 'random', () => 1 - Math.exp(-2)) // by which it is 240 s earlier than without a store
    const store = memoryStore()
    const old = await ask({ store })
    await clock.advance(3134 * SECOND)
    await clock.atOnce(ask({ store }))
    assert.is(google.requests.length, 1)
    await clock.advance(2 * SECOND)
    assert.is(await clock.atOnce(ask({ store })), old)
    assert.is(google.requests.length, 2)
  })

  test('a store that hangs holds up no refresh behind, and no caller', async (scene) => {
    const { ask, clock, google } = scene
    const store = memoryStore()
    const held = await ask({ store })
    store.get = () => new Promise(() => {})
    store.set = () => new Promise(() => {})
    await clock.advance(3380 * SECOND)
    assert.is(await clock.atOnce(ask({ store })), held)
    await clock.advance(2 * PATIENCE)
    assert.is.not(await clock.atOnce(ask({ store })), held)
    assert.is(google.requests.length, 2)
  })

  test('who dies while the store is read is followed after a second', async ({ ask, clock, google }) => {
    const start = clock.now
    ask({ store: { ...memoryStore(), get: () => new Promise(() => {}) } }).catch(() => {})
    await clock.settle()
    clock.drop(clock.timers)
    const tokens = await clock.until(together(5, () => ask({ store: memoryStore() })))
    assert.is(new Set(tokens).size, 1)
    assert.ok(clock.now - start <= PATIENCE + 250, `after ${clock.now - start} ms`)
    assert.is(google.requests.length, 1)
  })

  test('who dies while the store is written has left the token in memory', async ({ ask, clock, google }) => {
    ask({ store: { ...memoryStore(), set: () => new Promise(() => {}) } }).catch(() => {})
    await clock.settle()
    clock.drop(clock.timers)
    await clock.atOnce(ask({ store: memoryStore() }))
    assert.is(google.requests.length, 1)
  })

  test('an abort ends the wait for a store, too', async ({ ask, clock, google }) => {
    const controller = new AbortController()
    const store = { ...memoryStore(), get: () => new Promise<string>(() => {}) }
    const aborted = rejects(ask({ store, signal: controller.signal }))
    await clock.advance(300)
    controller.abort('enough')
    assert.is(await clock.atOnce(aborted), 'enough')
    await clock.until(ask())
    assert.is(google.requests.length, 1)
  })

  test('a store of class is called as a method', async ({ ask, clock }) => {
    class Mine implements TokenStore {
      readonly #values = new Map<string, string>()
      async get(key: string) { return this.#values.get(key) }
      async set(key: string, value: string) { this.#values.set(key, value) }
      get size() { return this.#values.size }
    }
    const store = new Mine()
    await clock.until(ask({ store }))
    assert.is(store.size, 1)
  })

  run()
}

function memoryStore(): MemoryStore {
  const store: MemoryStore = {
    values: new Map(),
    calls: [],
    delay: 0,
    async get(...args) {
      store.calls.push(['get', ...args])
      return store.values.get(args[0])
    },
    async set(...args) {
      store.calls.push(['set', ...args])
      if (store.delay) await new Promise((resolve) => setTimeout(resolve, store.delay))
      store.values.set(args[0], args[1])
    }
  }
  return store
}

/** A store where another isolate left a token for the scene's usual question. */
async function filled({ google, key }: Scene, claims?: object): Promise<MemoryStore> {
  const token = await issue(google, key, AUDIENCE, claims)
  const store = memoryStore()
  const get = store.values.get.bind(store.values)
  store.values.set('any', token)
  store.values.get = (name) => get(name) ?? get('any')
  return store
}

function issue(google: Scene['google'], key: Scene['key'], audience: string, claims = {}): Promise<string> {
  return google.issueIdToken(google.world.accounts.get(key.client_email)!, audience, claims)
}

function aged({ google, key, clock }: Scene, seconds: number): Promise<string> {
  const iat = clock.now / SECOND - seconds
  return issue(google, key, AUDIENCE, { iat, exp: iat + 3600 })
}

interface MemoryStore extends TokenStore {
  values: Map<string, string>
  calls: [name: 'get' | 'set', key: string, value?: string, options?: { ttl: number }][]
  /** What a write takes. */
  delay: number
}
