import { GoogleAuth, OAuth2Client } from 'google-auth-library'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle } from './index.ts'
import type { Google } from './index.ts'
import { serve } from './server.ts'
import type { Served } from './server.ts'

// Clients that nobody here wrote: what serves them is not only self-consistent.
const test = suite<{ google: Google, served: Served }>('local Google: Google\'s own clients')

test.before.each(async context => {
  context.google = createGoogle()
  context.served = await serve(request => context.google.handle(request))
})

test.after.each(context => context.served.close())

test('google-auth-library gets a token, calls the service and verifies it', async ({ google, served }) => {
  const credentials = await google.createKey()
  google.createService({ invokers: [credentials.client_email] })

  const auth = new GoogleAuth({ credentials, clientOptions: { transporterOptions: mapped(served) } })
  const client = await auth.getIdTokenClient(served.url)
  const url = `${served.url}/path`
  const response = await client.request<Mirrored>({ url, method: 'POST', data: { a: 1 } })
  assert.is(response.status, 200)
  assert.is(response.data.body, '{"a":1}')
  assert.match(response.data.headers.authorization!, /\.SIGNATURE_REMOVED_BY_GOOGLE$/)

  const token = await client.idTokenProvider.fetchIdToken(served.url)
  const verifier = new OAuth2Client({ transporterOptions: mapped(served) })
  const payload = (await verifier.verifyIdToken({ idToken: token, audience: served.url })).getPayload()!
  assert.is(payload.email, credentials.client_email)
  assert.is(payload.sub, credentials.client_id)
  await verifier.verifyIdToken({ idToken: token, audience: 'https://elsewhere.example' })
    .then(() => assert.unreachable(), error => assert.match(error.message, 'Wrong recipient'))
})

test('google-auth-library shows the refusals', async ({ google, served }) => {
  const { private_key_id, ...credentials } = await google.createKey()
  google.world.accounts.clear()
  const auth = new GoogleAuth({ credentials, clientOptions: { transporterOptions: mapped(served) } })
  const client = await auth.getIdTokenClient(served.url)
  await client.getRequestHeaders().then(() => assert.unreachable(), error => {
    assert.is(error.status, 400)
    assert.equal(error.response.data, {
      error: 'invalid_grant',
      error_description: 'Invalid grant: account not found'
    })
  })
})

test.run()

/** Sends what is meant for Google to the local one; the path tells it which part is asked. */
function mapped({ url }: Served): { fetchImplementation: typeof fetch } {
  return {
    fetchImplementation: (input, init) => {
      const { pathname, search } = new URL(String(input))
      return fetch(url + pathname + search, init)
    }
  }
}

interface Mirrored {
  headers: Record<string, string>
  body: string
}
