import { base64url, decodeJwt } from 'jose'
import * as assert from 'uvu/assert'
import type { KeyFile } from './google/index.ts'
import { fails } from './support/errors.ts'
import { AUDIENCE, newKey, scenes } from './support/scene.ts'
import type { Scene } from './support/scene.ts'

const { test, run } = scenes('life of a token: in memory')

test('a second call costs nothing', async ({ ask, clock, google, key }) => {
  const token = await ask()
  const { aud, email } = await google.keys.verify(token, clock.now)
  assert.equal({ aud, email }, { aud: AUDIENCE, email: key.client_email })
  assert.is(await clock.atOnce(ask()), token)
  assert.is(google.requests.length, 1)
})

test('it is looked up by what it depends on, never by object identity', async (scene) => {
  const { ask, clock, google, key } = scene
  const token = await ask()
  const json = JSON.stringify(key, null, 2)
  for (const credentials of [{ ...key }, structuredClone(key), json, btoa(json), JSON.stringify(json)]) {
    assert.is(await clock.atOnce(ask({ credentials })), token)
  }
  assert.is(google.requests.length, 1)
})

test('credentials that change under our hands are other credentials', async ({ ask, google, key }) => {
  const credentials = { ...key }
  await ask({ credentials })
  Object.assign(credentials, await newKey(google))
  assert.is(decodeJwt(await ask({ credentials })).email, credentials.client_email)
  assert.is(google.requests.length, 2)
})

test('nothing else than the right audience and account is served', async ({ ask, google, key }) => {
  const other = await newKey(google)
  const audiences = [AUDIENCE, `${AUDIENCE}/`, `${AUDIENCE}/x`, 'hi', ' hi', 'HI', '{}', '__proto__', 'é']
  for (let round = 0; round < 2; round++) {
    for (const credentials of [key, other]) {
      for (const audience of audiences) {
        const { aud, email } = decodeJwt(await ask({ credentials, audience }))
        assert.equal({ aud, email }, { aud: audience, email: credentials.client_email })
      }
    }
  }
  assert.is(google.requests.length, 2 * audiences.length)
})

test('everything that can change the token sets it apart', async ({ ask, google, key }) => {
  const account = google.world.accounts.get(key.client_email)!
  const rotated = await google.createKey(account)
  const { token_uri } = await newKey(google)
  const { private_key_id, ...anonymous } = key
  const apart = [
    key,
    { ...key, private_key_id: rotated.private_key_id, private_key: rotated.private_key },
    { ...key, token_uri },
    anonymous
  ]
  const given = await Promise.all(apart.map((credentials) => ask({ credentials })))
  const later = await Promise.all(apart.map((credentials) => ask({ credentials })))
  assert.is(new Set(given).size, apart.length)
  assert.equal(later, given)
  assert.is(google.requests.length, apart.length)
})

test('who knows email and key id but not the key gets nothing', async ({ ask, google, key }) => {
  const { private_key } = await newKey(google)
  const forged = { ...key, private_key }
  await ask()
  await fails(ask({ credentials: forged }), 'rejected')
  await ask()

  const audience = 'in flight'
  const calls = [ask({ audience }), ask({ audience, credentials: forged })]
  const [owner, forger] = await Promise.allSettled(calls)
  assert.is(owner!.status, 'fulfilled')
  assert.is(forger!.status, 'rejected')
  await fails(ask({ audience, credentials: forged }), 'rejected')
})

test('a key that differs in one character is another key, even if it works', async ({ ask, key }) => {
  const token = await ask()
  for (const place of [100, 700, 1500]) {
    const character = key.private_key[place] === 'A' ? 'B' : 'A'
    const private_key = key.private_key.slice(0, place) + character + key.private_key.slice(place + 1)
    const other = await ask({ credentials: { ...key, private_key } }).catch((error) => error.name)
    assert.is.not(other, token)
  }
})

test('no fields run into each other', async (scene) => {
  const { ask, clock, key } = scene
  const parts = ['a', 'b', 'a b', 'b a', '","', 'a","b', '\\', 'undefined', 'null']
  const listed = [',', 'a,', 'a,0:']
  const givenTo = new Map<string, string>()
  const fetch = answering(scene)
  for (const client_email of parts) {
    for (const private_key_id of [...parts, ...listed, undefined]) {
      for (const audience of ['a', 'b a', ',a', '0:,1:a']) {
        const credentials = { ...key, client_email, private_key_id: private_key_id!, token_uri: undefined! }
        const who = JSON.stringify([client_email, private_key_id, audience])
        const token = await ask({ credentials, audience, fetch })
        assert.is(givenTo.get(token), undefined, `${who} got the token of ${givenTo.get(token)}`)
        givenTo.set(token, who)
        assert.is(await clock.atOnce(ask({ credentials, audience, fetch })), token)
      }
    }
  }
})

for (const [form, write] of Object.entries({
  'an object': (key: KeyFile) => () => key,
  'an object made anew': (key: KeyFile) => () => ({ ...key }),
  'JSON text': (key: KeyFile) => () => JSON.stringify(key),
  'base64 of JSON': (key: KeyFile) => () => btoa(JSON.stringify(key)),
  'a mangled environment variable': (key: KeyFile) => () => `'${JSON.stringify(key).replace(/\\n/g, '\n')}'`
})) {
  test(`what was seen before costs no parsing, no crypto, no JSON: ${form}`, async (scene) => {
    const { ask, clock, key, spy, stopSpying } = scene
    const credentials = write(key)
    const token = await ask({ credentials: credentials() })
    const again = Array.from({ length: 100 }, credentials)
    const spies = {
      'JSON.parse': spy(JSON, 'parse'),
      'JSON.stringify': spy(JSON, 'stringify'),
      atob: spy(globalThis, 'atob'),
      btoa: spy(globalThis, 'btoa'),
      'TextEncoder.encode': spy(TextEncoder.prototype, 'encode'),
      'TextDecoder.decode': spy(TextDecoder.prototype, 'decode'),
      'subtle.digest': spy(crypto.subtle, 'digest'),
      'subtle.importKey': spy(crypto.subtle, 'importKey'),
      'subtle.sign': spy(crypto.subtle, 'sign'),
      'subtle.verify': spy(crypto.subtle, 'verify')
    }
    const timers = spy(globalThis, 'setTimeout')
    const tokens = await Promise.all(again.map((credentials) => ask({ credentials })))
    stopSpying()
    assert.equal(new Set(tokens), new Set([token]))
    for (const [name, calls] of Object.entries(spies)) assert.is(calls.length, 0, name)
    assert.is(timers.length, 0, 'nor a timer')
    assert.is(clock.timers.length, 0)
  })
}

test('that holds for accounts that share a key, too', async ({ ask, google, key, spy, stopSpying }) => {
  const account = google.createAccount()
  account.keys.push(...google.world.accounts.get(key.client_email)!.keys)
  const both = [key, { ...key, client_email: account.email }]
  for (const credentials of both) await ask({ credentials })
  const spies = [spy(globalThis, 'atob'), spy(JSON, 'parse'), spy(JSON, 'stringify')]
  for (const credentials of both) await ask({ credentials })
  stopSpying()
  assert.equal(spies.map((calls) => calls.length), [0, 0, 0])
})

test('the imported key is kept: a second audience costs no import', async (scene) => {
  const { google, spy } = scene
  const key = await google.createKey(google.createAccount(), { fresh: true })
  const ask = (options = {}) => scene.ask({ credentials: key, ...options })
  const imports = spy(crypto.subtle, 'importKey')
  const ofKeys = () => imports.filter(([format]) => format === 'pkcs8').length
  await ask()
  assert.is(ofKeys(), 1)
  await ask({ audience: 'second' })
  await ask({ audience: 'third', credentials: JSON.stringify(key) })
  await ask({ forceRefresh: true })
  assert.is(google.requests.length, 4)
  assert.is(ofKeys(), 1)
})

test('audiences may be long, and take no place but their own', async (scene) => {
  const fetch = answering(scene)
  const visit = (n: number) => scene.ask({ audience: `https://service-${n}.example/${'a'.repeat(200)}`, fetch })
  for (let n = 1; n <= 500; n++) await visit(n)
  for (let n = 1; n <= 500; n++) await scene.clock.atOnce(visit(n))
  assert.is(scene.sentAt.length, 500)
})

test('at most 500 tokens, and the least recently used goes first', async (scene) => {
  const { ask, clock } = scene
  const fetch = answering(scene)
  const visit = (n: number) => ask({ audience: `number ${n}`, fetch })
  for (let n = 1; n <= 500; n++) await visit(n)
  for (let n = 1; n <= 500; n++) await clock.atOnce(visit(n))
  assert.is(scene.sentAt.length, 500)

  await clock.atOnce(visit(1))
  await visit(501)
  assert.is(scene.sentAt.length, 501)
  await clock.atOnce(visit(1))
  await clock.atOnce(visit(3))
  assert.is(scene.sentAt.length, 501)
  await visit(2)
  assert.is(scene.sentAt.length, 502)
})

test('whatever callers ask for, no table grows without end', async (scene) => {
  const { ask, google, key } = scene
  const before = Map.prototype.set
  const sizes = new Map<Map<unknown, unknown>, number>()
  scene.spy(Map.prototype, 'set', function (this: Map<unknown, unknown>, name, value) {
    before.call(this, name, value)
    before.call(sizes, this, this.size)
    return this
  })
  const fetch = answering(scene)
  for (let n = 0; n < 510; n++) {
    const changed = {
      ...key,
      client_email: `${n}@example.iam.gserviceaccount.com`,
      token_uri: `http://localhost:${10_000 + n}/token`,
      private_key: key.private_key.replace('\n', '\n'.repeat(n + 1))
    }
    await ask({ credentials: JSON.stringify(changed), audience: `number ${n}`, fetch })
  }
  for (let n = 0; n < 510; n++) {
    const audience = `refused ${n}`
    await fails(ask({ audience, fetch: async () => new Response('no', { status: 404 }) }), 'rejected')
  }
  assert.is(google.requests.length, 0)
  const tables = [...sizes.values()]
  assert.ok(tables.length >= 3, 'the tables are seen')
  assert.ok(Math.max(...tables) <= 501, `one has ${Math.max(...tables)} entries`)
})

run()

/** A `fetch` that gives whatever is asked for, each time another token, and costs little. */
function answering({ clock, sentAt }: Scene): Scene['fetch'] {
  return async (_url, { body }) => {
    sentAt.push(clock.now)
    const { iss, target_audience } = decodeJwt(new URLSearchParams(String(body)).get('assertion')!)
    const iat = Math.floor(clock.now / 1000)
    const claims = { aud: target_audience, email: iss, iat, exp: iat + 3600, n: sentAt.length }
    return new Response(JSON.stringify({ id_token: `e30.${base64url.encode(JSON.stringify(claims))}.e30` }))
  }
}
