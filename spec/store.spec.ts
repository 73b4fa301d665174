import { encryptedStore, workersKvStore } from 'gcp-id-token/store'
import type { KvNamespace, TokenStore } from 'gcp-id-token/store'
import { base64url, decodeJwt } from 'jose'
import * as assert from 'uvu/assert'
import { misused, showsNothingOf } from './support/errors.ts'
import { AUDIENCE, LEAST_RANDOM, scenes } from './support/scene.ts'
import type { Scene } from './support/scene.ts'

const SECRET = 'hG7k2pQx9vT4mZ1sW8cL5nB3rY6dF0jA' // 32 characters
const ANOTHER_SECRET = `${SECRET.slice(1)}B`
const SECOND = 1000
/** What a store may cost at most, once for a read and once for a write. */
const PATIENCE = 1 * SECOND

const { test, run } = scenes('a store that isolates share')

test('gives back what was kept', async () => {
  const store = encryptedStore(memory(), { secret: SECRET })
  for (const value of ['', 'text', 'größe 日本 🚀', 'long '.repeat(10_000)]) {
    await store.set('key', value, { ttl: 60 })
    assert.is(await store.get('key'), value)
  }
})

test('knows nothing of other keys', async () => {
  const store = encryptedStore(memory(), { secret: SECRET })
  await store.set('key', 'value', { ttl: 60 })
  for (const key of ['', 'ke', 'key ', 'KEY']) assert.is(await store.get(key), undefined)
})

for (const nothing of [undefined, null]) {
  test(`takes ${nothing} for nothing`, async () => {
    const store = encryptedStore({ ...memory(), get: async () => nothing }, { secret: SECRET })
    assert.is(await store.get('key'), undefined)
  })
}

test('is shared by all who have the secret, and by nobody else', async () => {
  const shared = memory()
  const [one, another] = [1, 2].map(() => encryptedStore(shared, { secret: SECRET }))
  const foreign = encryptedStore(shared, { secret: ANOTHER_SECRET })
  await one!.set('key', 'value', { ttl: 60 })
  assert.is(await another!.get('key'), 'value')
  assert.is(await foreign.get('key'), undefined)

  await foreign.set('key', 'theirs', { ttl: 60 })
  const [ours, theirs] = [...shared.values.keys()]
  assert.is.not(ours, theirs, 'not even the names are the same')
  shared.values.set(theirs!, shared.values.get(ours!)!)
  assert.is(await foreign.get('key'), undefined)
})

test('shows nothing in names and values', async ({ ask, key }) => {
  const shared = memory()
  const coreKeys: string[] = []
  const store = encryptedStore(shared, { secret: SECRET })
  const watched = { ...store, get: (coreKey: string) => (coreKeys.push(coreKey), store.get(coreKey)) }
  const token = await ask({ store: watched })
  const forced = await ask({ store: watched, audience: 'https://elsewhere.example', forceRefresh: true })
  assert.is(shared.values.size, 2)

  const texts = [...shared.values].flat()
  const bytes = texts.map((text) => String.fromCharCode(...base64url.decode(text)))
  const claims = [token, forced].map((text) => JSON.stringify(decodeJwt(text)))
  const secrets = [token, forced, ...claims, ...coreKeys, SECRET, AUDIENCE, key.client_email, key.private_key]
  const encoded = secrets.map((secret) => btoa(secret))
  for (const text of [...texts, ...bytes]) showsNothingOf(text, ...secrets, ...encoded)
})

test('never encrypts twice the same way', async () => {
  const shared = memory()
  const store = encryptedStore(shared, { secret: SECRET })
  const sealed = new Set<string>()
  const ivs = new Set<string>()
  for (let i = 0; i < 100; i++) {
    await store.set('key', 'value', { ttl: 60 })
    const [text] = shared.values.values()
    sealed.add(text!)
    ivs.add(text!.slice(0, 16))
  }
  assert.is(shared.values.size, 1)
  assert.is(sealed.size, 100)
  assert.is(ivs.size, 100)
})

test('hands on for how long', async () => {
  const shared = memory()
  await encryptedStore(shared, { secret: SECRET }).set('key', 'value', { ttl: 7 })
  assert.equal(shared.ttls, [7])
})

test('is not deceived by the value of another key', async () => {
  const shared = memory()
  const store = encryptedStore(shared, { secret: SECRET })
  await store.set('key', 'value', { ttl: 60 })
  await store.set('other', 'value', { ttl: 60 })
  const [name, other] = [...shared.values.keys()]
  shared.values.set(name!, shared.values.get(other!)!)
  assert.is(await store.get('key'), undefined)
  assert.is(await store.get('other'), 'value')
})

test('is not deceived by a value with another bit anywhere, or with some missing or more', async () => {
  const { store, seal, put } = await oneValue()
  const bytes = base64url.decode(seal)
  const encoded = (bytes: Uint8Array) => base64url.encode(bytes)
  put(encoded(bytes))
  assert.is(await store.get('key'), 'value', 'as it was')
  for (let i = 0; i < bytes.length; i++) {
    put(encoded(bytes.map((byte, at) => at === i ? byte ^ 1 : byte)))
    assert.is(await store.get('key'), undefined, `byte ${i}`)
    put(encoded(bytes.subarray(0, i)))
    assert.is(await store.get('key'), undefined, `the first ${i}`)
    put(encoded(bytes.subarray(i + 1)))
    assert.is(await store.get('key'), undefined, `all but the first ${i + 1}`)
  }
  put(encoded(new Uint8Array([...bytes, 0])))
  assert.is(await store.get('key'), undefined)
})

const junk: Record<string, (seal: string) => unknown> = {
  'an empty text': () => '',
  'something before it': (seal) => `v2${seal}`,
  'what it should encrypt': () => 'value',
  'no base64': (seal) => seal.replace(/.$/, '*'),
  'bytes': (seal) => new TextEncoder().encode(seal),
  'a number': () => 7,
  'an object': (seal) => ({ value: seal }),
  'a list': (seal) => [seal]
}
for (const [what, change] of Object.entries(junk)) {
  test(`takes ${what} for nothing`, async () => {
    const { store, seal, put } = await oneValue()
    put(change(seal) as string)
    assert.is(await store.get('key'), undefined)
  })
}

test('passes on that the engine failed', async () => {
  const failing = () => Promise.reject(new RangeError('no connection'))
  const store = encryptedStore({ get: failing, set: failing }, { secret: SECRET })
  for (const work of [store.get('key'), store.set('key', 'value', { ttl: 60 })]) {
    assert.is(await work.then(() => undefined, ({ message }) => message), 'no connection')
  }
})

test('does nothing before it is used, as the global scope of Workers asks for', async ({ spy }) => {
  const calls = [
    spy(crypto.subtle, 'importKey'), spy(crypto.subtle, 'deriveBits'), spy(crypto.subtle, 'digest'),
    spy(crypto, 'getRandomValues'), spy(Date, 'now'), spy(globalThis, 'setTimeout')
  ]
  const kv = namespace()
  encryptedStore(memory(), { secret: SECRET })
  workersKvStore(kv, { secret: SECRET })
  assert.equal(calls.flat(), [])
  assert.equal(kv.puts, [])
})

test('keeps its secret as a key from which others are derived, and nobody can export one', async ({ spy }) => {
  const imports = spy(crypto.subtle, 'importKey')
  const names = spy(crypto.subtle, 'deriveBits')
  const derivations = spy(crypto.subtle, 'deriveKey')
  const store = encryptedStore(memory(), { secret: SECRET })
  for (let i = 0; i < 5; i++) {
    await store.set('key', 'value', { ttl: 60 })
    await store.get('key')
  }
  assert.equal(imports.map(([, , , extractable]) => extractable), [false])
  assert.is(derivations.length, 10)
  for (const [, , , extractable] of derivations) assert.is(extractable, false)
  const salts = [...names, ...derivations].map(([{ salt, info }]) => String.fromCharCode(...salt, ...info))
  assert.equal([...new Set(salts)], ['namev1.key', 'valuev1.key'])
})

test('shares no promise between requests: one that died holds up no other', async ({ clock, spy }) => {
  const { importKey } = crypto.subtle
  let isDead = true
  spy(crypto.subtle, 'importKey', ((...args: Parameters<typeof importKey>) =>
    isDead ? new Promise(() => {}) : importKey.apply(crypto.subtle, args)) as typeof importKey)
  const store = encryptedStore(memory(), { secret: SECRET })
  store.get('key').catch(() => {})
  store.set('key', 'value', { ttl: 60 }).catch(() => {})
  await new Promise<void>((resolve) => queueMicrotask(resolve))
  isDead = false
  await store.set('key', 'value', { ttl: 60 })
  assert.is(await clock.atOnce(store.get('key')), 'value')
})

for (const [what, secret] of Object.entries<unknown>({
  undefined, null: null, empty: '', 'too short': SECRET.slice(1), 'a list': Array(32).fill('secret')
})) {
  test(`refuses a secret that is ${what}, and does not show it`, async () => {
    const options = { secret: secret as string }
    const makers = [() => encryptedStore(memory(), options), () => workersKvStore(namespace(), options)]
    for (const make of makers) {
      await misused(call(make), /secret/, /32 characters/, /bound\?/)
      const error = await call(make).catch((error) => error)
      showsNothingOf(error, SECRET, String(secret))
    }
  })
}

const unbound = { undefined, null: null, 'an object': {}, 'a text': 'TOKENS' }
for (const [what, value] of Object.entries<any>(unbound)) {
  test(`asks whether it is bound: ${what}`, async () => {
    await misused(call(() => encryptedStore(value, { secret: SECRET })), /store/, /bound\?/)
    await misused(call(() => workersKvStore(value, { secret: SECRET })), /namespace/, /bound\?/)
  })
}

test('a KV namespace is no TokenStore, and a TokenStore no KV namespace', async () => {
  await misused(call(() => encryptedStore(namespace() as any, { secret: SECRET })), /store/)
  await misused(call(() => workersKvStore(memory() as any, { secret: SECRET })), /namespace/)
})

for (const [ttl, kept] of [[30, 60], [59, 60], [60, 60], [61, 61], [3600, 3600]] as const) {
  test(`KV keeps for ${kept} s what lives ${ttl} s`, async () => {
    const kv = namespace()
    await workersKvStore(kv, { secret: SECRET }).set('key', 'value', { ttl })
    assert.equal(kv.puts.map(([, , options]) => options), [{ expirationTtl: kept }])
  })
}

test('KV gets what any engine would get', async () => {
  const kv = namespace()
  const store = workersKvStore(kv, { secret: SECRET })
  assert.is(await store.get('key'), undefined)
  await store.set('key', 'value', { ttl: 60 })
  assert.is(await store.get('key'), 'value')
  const [[name, seal]] = kv.puts as any
  const engine: TokenStore = { get: async (key) => (key === name ? seal : undefined), set: async () => {} }
  assert.is(await encryptedStore(engine, { secret: SECRET }).get('key'), 'value')
})

// Through getIdToken

test('one isolate exchanges, another reads', async (scene) => {
  const { ask, google } = scene
  const { store, shared } = await asked(scene, async (isolate, key) => {
    await isolate.set(key, await issue(scene), { ttl: 3600 })
  })
  const [seal] = shared.values.values()
  assert.is(await ask({ store }), await store.get(store.keys[0]!))
  assert.is(google.requests.length, 0)
  assert.equal([...shared.values.values()], [seal], 'nothing was written')
})

type Attack = (scene: Scene, isolate: TokenStore, key: string, shared: Memory) => Promise<void>
const attacks: Record<string, Attack> = {
  'a token of another audience, moved': async (scene, isolate, key, shared) => {
    await isolate.set(key, await issue(scene), { ttl: 3600 })
    await isolate.set('other', await issue(scene, 'https://elsewhere.example'), { ttl: 3600 })
    const [name, other] = shared.values.keys()
    shared.values.set(name!, shared.values.get(other!)!)
  },
  'a token of the same audience and account, moved from another key': async (scene, isolate, key, shared) => {
    await isolate.set(key, await issue(scene), { ttl: 3600 })
    await isolate.set('other', await issue(scene), { ttl: 3600 })
    const [name, other] = shared.values.keys()
    shared.values.set(name!, shared.values.get(other!)!)
  },
  'a token in the clear': async (scene, isolate, key, shared) => {
    await isolate.set(key, await issue(scene), { ttl: 3600 })
    const [name] = shared.values.keys()
    shared.values.set(name!, await issue(scene))
  },
  'a token with another secret': async (scene, isolate, key, shared) => {
    await isolate.set(key, await issue(scene), { ttl: 3600 })
    await encryptedStore(shared, { secret: ANOTHER_SECRET }).set(key, await issue(scene), { ttl: 3600 })
    const [name, theirs] = shared.values.keys()
    shared.values.set(name!, shared.values.get(theirs!)!)
  },
  'half a token': async (scene, isolate, key, shared) => {
    await isolate.set(key, await issue(scene), { ttl: 3600 })
    const [[name, seal]] = shared.values as any
    shared.values.set(name, seal.slice(0, seal.length / 2))
  },
  'a token that is over, replayed': async (scene, isolate, key) => {
    await isolate.set(key, await issue(scene, AUDIENCE, 3600), { ttl: 3600 })
  }
}
for (const [what, put] of Object.entries(attacks)) {
  test(`costs an exchange: ${what}`, async (scene) => {
    const { store } = await asked(scene, (isolate, key, shared) => put(scene, isolate, key, shared))
    const token = await scene.ask({ store })
    assert.is(scene.google.requests.length, 1)
    assert.is(await store.get(store.keys[0]!), token, 'and is mended')
  })
}

test('at worst, gives an older token of the same identity that is still valid', async (scene) => {
  const { store } = await asked(scene, async (isolate, key) => {
    await isolate.set(key, await issue(scene, AUDIENCE, 3500), { ttl: 3600 })
  })
  const token = await scene.ask({ store })
  assert.is(scene.google.requests.length, 0)
  assert.is(decodeJwt(token).aud, AUDIENCE)
  assert.is(decodeJwt(token).email, scene.key.client_email)
  await scene.clock.advance(71 * SECOND)
  assert.is.not(await scene.ask({ store }), token, 'not for longer than it lives')
})

test('after forceRefresh, what was there before is not taken', async (scene) => {
  const { ask, clock, google, spy } = scene
  spy(Math, 'random', () => LEAST_RANDOM)
  const shared = memory()
  const store = encryptedStore(shared, { secret: SECRET })
  const old = await ask({ store })
  const [[name, seal]] = shared.values as any
  await clock.advance(600 * SECOND)
  const forced = await ask({ store, forceRefresh: true })
  assert.is.not(forced, old)
  for (let i = 0; i < 150; i++) {
    shared.values.set(name, seal)
    const token = await ask({ store })
    assert.is.not(token, old)
    await clock.advance(30 * SECOND)
  }
  assert.ok(google.requests.length > 2, 'there was a refresh')
})

test('KV that hangs costs a second for the read, and one for the write', async ({ ask, clock, google }) => {
  const start = clock.now
  const kv: KvNamespace = { get: () => new Promise(() => {}), put: () => new Promise(() => {}) }
  const store = workersKvStore(kv, { secret: SECRET })
  await clock.until(ask({ store }))
  assert.ok(clock.now - start <= 2 * PATIENCE)
  assert.is(google.requests.length, 1)
})

test('KV that takes no more writes costs nothing', async ({ ask, clock }) => {
  const tooMany = () => Promise.reject(new Error('KV PUT failed: 429 Too Many Requests'))
  const store = workersKvStore({ ...namespace(), put: tooMany }, { secret: SECRET })
  const token = await clock.atOnce(ask({ store }))
  assert.is(await clock.atOnce(ask({ store })), token)
})

test('a KV write goes on in waitUntil, when the caller has gone', async ({ ask, clock }) => {
  const kv = namespace()
  const { put } = kv
  kv.put = async (...args) => {
    await new Promise((resolve) => setTimeout(resolve, 500))
    return put.apply(kv, args)
  }
  const handed: Promise<unknown>[] = []
  const store = workersKvStore(kv, { secret: SECRET })
  await clock.atOnce(ask({ store, waitUntil: (promise) => handed.push(promise) }))
  assert.is(kv.puts.length, 0)
  await clock.until(Promise.all(handed))
  assert.is(kv.puts.length, 1)
})

run()

function memory(): Memory {
  const values = new Map<string, string>()
  const ttls: number[] = []
  return {
    values,
    ttls,
    get: async (name) => values.get(name),
    set: async (name, value, { ttl }) => {
      ttls.push(ttl)
      values.set(name, value)
    }
  }
}

/** Called as a method only, as the real one. */
function namespace(): KvNamespace & { puts: Parameters<KvNamespace['put']>[] } {
  const puts: Parameters<KvNamespace['put']>[] = []
  return {
    puts,
    async get(name) {
      return this.puts.filter(([key]) => key === name).at(-1)?.[1] ?? null
    },
    async put(...args) {
      this.puts.push(args)
    }
  }
}

/** A store with one value, how that looks in the engine, and a way to put something else in its place. */
async function oneValue() {
  const shared = memory()
  const store = encryptedStore(shared, { secret: SECRET })
  await store.set('key', 'value', { ttl: 60 })
  const [[name, seal]] = shared.values as any
  return { store, seal: seal as string, put: (text: string) => shared.values.set(name, text) }
}

/** A store in which another isolate, or a stranger, was there first; `keys` are what the core asks for. */
async function asked(
  scene: Scene, before: (isolate: TokenStore, key: string, shared: Memory) => Promise<void>
): Promise<{ store: TokenStore & { keys: string[] }, shared: Memory }> {
  const shared = memory()
  const own = encryptedStore(shared, { secret: SECRET })
  const keys: string[] = []
  // Only when the core asks is its key known. Never settles, so that nothing is taken.
  const learned = new Promise<string>((resolve) => {
    const store = { ...own, get: (key: string) => (resolve(key), new Promise<string>(() => {})) }
    scene.ask({ store, fetch: () => new Promise(() => {}), retries: 0 }).catch(() => {})
  })
  keys.push(await learned)
  await before(encryptedStore(shared, { secret: SECRET }), keys[0]!, shared)
  await scene.clock.advance(20 * SECOND)
  return { store: { ...own, keys }, shared }
}

function issue({ google, key, clock }: Scene, audience = AUDIENCE, age = 0): Promise<string> {
  const iat = Math.floor(clock.now / SECOND) - age
  const account = google.world.accounts.get(key.client_email)!
  return google.issueIdToken(account, audience, { iat, exp: iat + 3600 })
}

async function call<T>(make: () => T): Promise<T> {
  return make()
}

interface Memory extends TokenStore {
  values: Map<string, string>
  ttls: number[]
}
