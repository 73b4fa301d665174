// What the README says about errors by their symptom: each is brought about, and cured as it says.

import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { getIdToken } from 'gcp-id-token'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle } from '../google/index.ts'
import { fails } from '../support/errors.ts'

const test = suite('errors by symptom')

const symptoms: Record<string, () => Promise<void>> = {
  async 'DECODER routines::unsupported'() {
    const { google, key, audience } = await newScene()
    const private_key = key.private_key.replaceAll('\n', '\\n')
    assert.throws(() => createPrivateKey(private_key), /DECODER routines::unsupported/)
    assert.ok(await getIdToken({ credentials: { ...key, private_key }, audience, fetch: google.fetch }))
    const beyond = { ...key, private_key: private_key.slice(0, 400) }
    await fails(getIdToken({ credentials: beyond, audience, fetch: google.fetch }), 'invalid_key')
  },

  async 'Invalid JWT Signature.'() {
    const { google, key, account, audience } = await newScene()
    const other = await google.createKey()
    const refused = async (credentials: typeof key) => {
      const options = { credentials, audience, fetch: google.fetch, forceRefresh: true }
      const error = await fails(getIdToken(options), 'rejected')
      assert.is(error.description, 'Invalid JWT Signature.')
    }
    await refused({ ...other, client_email: key.client_email })
    account.keys.shift()
    await refused(key)
    const credentials = await google.createKey(account)
    assert.ok(await getIdToken({ credentials, audience, fetch: google.fetch }))
  },

  async '401 from Cloud Run'() {
    const { service, audience, call } = await newScene()
    assert.is(await call('https://orders.example.com'), 401)
    assert.is(await call(`${audience}/path`), 401)
    assert.is(await call(audience), 200)
    service.customAudiences.push('https://orders.example.com')
    assert.is(await call('https://orders.example.com'), 200)
  },

  async '403 from Cloud Run'() {
    const { google, audience, account, call } = await newScene([])
    assert.is((await google.fetch(audience)).status, 403)
    assert.is(await call(audience), 403)
    google.grant(`serviceAccount:${account.email}`, 'roles/run.invoker', audience)
    assert.is(await call(audience), 200)
  }
}

/** Tried where it is at home, by `npm run test:recipes`. */
const OF_WORKERS = 'Cannot perform I/O on behalf of a different request'

for (const [symptom, shows] of Object.entries(symptoms)) test(symptom, shows)

test('these are all', () => {
  const readme = readFileSync('README.md', 'utf8')
  const [, table] = /^\| what you see \|.*\n.*\n((?:\|.*\n)+)/m.exec(readme)!
  const named = [...table!.matchAll(/^\| (.+?) \|/gm)].map(([, symptom]) => symptom!.replaceAll('`', ''))
  assert.equal(named, [...Object.keys(symptoms), OF_WORKERS])
})

test.run()

/** A service that the account may call, or only `invokers`, if they are given. */
async function newScene(invokers?: string[]) {
  const google = createGoogle()
  const account = google.createAccount()
  const key = await google.createKey(account)
  const service = google.createService({ invokers: invokers ?? [account.email] })
  const call = async (audience: string) => {
    const token = await getIdToken({ credentials: key, audience, fetch: google.fetch })
    return (await google.fetch(service.url, { headers: { authorization: `Bearer ${token}` } })).status
  }
  return { google, account, key, service, audience: service.url, call }
}
