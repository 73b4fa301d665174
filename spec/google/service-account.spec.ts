import { importPKCS8 } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle } from './index.ts'

const test = suite('local Google: service accounts')

test('come with a key file as Google gives it', async () => {
  const google = createGoogle()
  const key = await google.createKey(google.createAccount('robot'))
  const email = key.client_email
  assert.match(email, /^robot@([\w-]+)\.iam\.gserviceaccount\.com$/)
  assert.match(key.private_key_id, /^[0-9a-f]{40}$/)
  assert.match(key.client_id, /^1\d{20}$/)
  const [first, ...lines] = key.private_key.split('\n')
  assert.equal([first, ...lines.splice(-2)], ['-----BEGIN PRIVATE KEY-----', '-----END PRIVATE KEY-----', ''])
  assert.match(lines.pop()!, /^[\w+/]{1,64}={0,2}$/)
  for (const line of lines) assert.match(line, /^[\w+/]{64}$/)
  await importPKCS8(key.private_key, 'RS256')
  assert.equal({ ...key, private_key: '', private_key_id: '' }, {
    type: 'service_account',
    project_id: email.split(/[@.]/)[1],
    private_key_id: '',
    private_key: '',
    client_email: email,
    client_id: google.world.accounts.get(email)!.uniqueId,
    auth_uri: 'https://accounts.google.com/o/oauth2/auth',
    token_uri: 'https://oauth2.googleapis.com/token',
    auth_provider_x509_cert_url: 'https://www.googleapis.com/oauth2/v1/certs',
    client_x509_cert_url:
      `https://www.googleapis.com/robot/v1/metadata/x509/${email.replace('@', '%40')}`,
    universe_domain: 'googleapis.com'
  })
})

test('share no key within one Google, and no email between two', async () => {
  const [google, another] = [createGoogle(), createGoogle()]
  const keys = [await google.createKey(), await google.createKey()]
  assert.is.not(keys[0]!.private_key, keys[1]!.private_key)
  assert.is((await another.createKey()).private_key, keys[0]!.private_key)
  const fresh = await another.createKey(another.createAccount(), { fresh: true })
  assert.not(keys.some(({ private_key }) => private_key === fresh.private_key))
  assert.is.not(google.createAccount('robot').email, another.createAccount('robot').email)
})

test('keep their older keys', async () => {
  const google = createGoogle()
  const account = google.createAccount()
  const [old, fresh] = [await google.createKey(account), await google.createKey(account)]
  assert.equal(account.keys.map(({ id }) => id), [old.private_key_id, fresh.private_key_id])
})

test.run()
