import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'

export const AUDIENCE = 'https://hello-uc.a.run.app'

/** Each has an engine of its own that holds nothing yet; each list of questions is for a new isolate. */
export const cases = {
  async 'one isolate exchanges, the others read'({ ask, exchanges }) {
    const [token, again] = await ask([{}, {}])
    assert.equal(again, token)
    assert.equal(exchanges(), 1)
    assert.deepEqual(await ask([{}]), [token])
    assert.deepEqual(await ask([{}]), [token])
    assert.equal(exchanges(), 1)
  },

  async 'names and values tell nothing'({ ask, entries, secrets, google }) {
    const [token] = await ask([{}])
    const [entry, ...others] = await entries()
    assert.equal(others.length, 0)
    const { name, value } = entry
    assert.match(name, /(^|[:/])[\w-]{43}$/)
    assert.match(value, /^[\w-]+$/)
    const { email, sub } = decodeJwt(token)
    const { private_key } = JSON.parse(google.credentials)
    const bytes = atob(value.replaceAll('-', '+').replaceAll('_', '/'))
    for (const secret of [token, AUDIENCE, email, sub, private_key, secrets.own]) {
      for (const piece of piecesOf(secret)) {
        for (const text of [name, value, bytes]) assert.ok(!text.includes(piece), piece)
      }
    }
  },

  async 'a token is kept for as long as it lives'({ ask, entries }) {
    await ask([{}])
    const [{ ttl }] = await entries()
    if (ttl !== undefined) assert.ok(ttl > 3480 && ttl <= 3600, `${ttl}`) // Deno KV does not say
  },

  async 'a token that is nearly over is shared, too'({ ask, entries, exchanges, google }) {
    google.age(3600 - 55)
    const [token] = await ask([{}])
    assert.equal((await entries()).length, 1)
    google.age(0)
    assert.deepEqual(await ask([{}]), [token])
    assert.equal(exchanges(), 1)
  },

  async 'forceRefresh puts a new token in the place of the old one'({ ask, entries, exchanges }) {
    const [old, forced] = await ask([{}, { forceRefresh: true }])
    assert.notEqual(forced, old)
    assert.deepEqual(await ask([{}]), [forced])
    assert.equal(exchanges(), 2)
    assert.equal(new Set((await entries()).map(({ name }) => name)).size, 1)
  },

  async 'a value with another character costs an exchange, and is mended'({ ask, entries, put, exchanges }) {
    const [old] = await ask([{}])
    const [{ name, value }] = await entries()
    const middle = value.length / 2 | 0
    await put(name, value.slice(0, middle) + (value[middle] === 'A' ? 'B' : 'A') + value.slice(middle + 1))
    const [token] = await ask([{}])
    assert.notEqual(token, old)
    assert.deepEqual(await ask([{}]), [token])
    assert.equal(exchanges(), 2)
  },

  async 'the value of another audience costs an exchange'({ ask, entries, put, exchanges }) {
    await ask([{ audience: 'https://elsewhere.example' }])
    const [{ value }] = await entries()
    await ask([{}])
    const { name } = (await entries()).find((entry) => entry.value !== value)
    await put(name, value)
    const [token] = await ask([{}])
    assert.equal(decodeJwt(token).aud, AUDIENCE)
    assert.equal(exchanges(), 3)
  },

  async 'who has another secret shares nothing'({ ask, entries, exchanges, secrets }) {
    const [token] = await ask([{}])
    const [theirs] = await ask([{}], secrets.foreign)
    assert.notEqual(theirs, token)
    assert.deepEqual(await ask([{}]), [token])
    assert.equal(exchanges(), 2)
    assert.equal((await entries()).length, 2)
  },
}

/** For an engine that is a server of its own. */
export const casesOfServers = {
  async 'while it is down, tokens come from Google'({ ask, exchanges, breakDown }) {
    await breakDown()
    const [token, again] = await ask([{}, {}])
    assert.equal(again, token)
    assert.equal(exchanges(), 1)
  },
}

function piecesOf(secret) {
  return Array.from({ length: secret.length - 11 }, (_, i) => secret.slice(i, i + 12))
}
