import { getIdToken } from 'gcp-id-token'
import { authorizedFetch } from 'gcp-id-token/fetch'
import ky from 'ky'
import createClient from 'openapi-fetch'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle, faults } from './google/index.ts'

const test = suite('authorizedFetch: as the fetch of other clients')

test('ky', async () => {
  const { google, service, fetch } = await newScene()
  const client = ky.create({ prefixUrl: service.url, fetch, retry: { delay: () => 1 } })
  const read = await client.get('orders', { searchParams: { open: 'yes' } }).text()
  assert.equal(gist(read), ['GET', `${service.url}/orders?open=yes`, ''])
  const written = await client.post('orders', { json: { tea: 1 } }).text()
  assert.equal(gist(written), ['POST', `${service.url}/orders`, '{"tea":1}'])

  // Its own retries and errors go on working.
  google.next('run', faults.page(503))
  assert.equal(gist(await client.put('orders', { json: { tea: 2 } }).text())[2], '{"tea":2}')
  const forbidden = await client.get('', { prefixUrl: google.createService().url }).catch((error) => error)
  assert.equal([forbidden.name, forbidden.response.status], ['HTTPError', 403])
})

test('openapi-fetch', async () => {
  const { google, service, fetch } = await newScene()
  const client = createClient<Api>({ baseUrl: service.url, fetch })
  const params = { path: { id: 'a/b' } }
  const read = await client.GET('/orders/{id}', { params, parseAs: 'text' })
  assert.equal(gist(read.data!), ['GET', `${service.url}/orders/a%2Fb`, ''])
  const written = await client.PUT('/orders/{id}', { params, body: { tea: 1 }, parseAs: 'text' })
  assert.equal(gist(written.data!), ['PUT', `${service.url}/orders/a%2Fb`, '{"tea":1}'])

  const forbidden = await client.GET('/orders/{id}', { baseUrl: google.createService().url, params, parseAs: 'text' })
  assert.is(forbidden.response.status, 403)
  assert.match(String(forbidden.error), 'Error: Forbidden')
})

test.run()

async function newScene() {
  const google = createGoogle()
  const credentials = await google.createKey()
  const service = google.createService({ invokers: [credentials.client_email] })
  const fetch = authorizedFetch((request) => getIdToken({ credentials, fetch: google.fetch, ...request }), {
    fetch: google.fetch
  })
  return { google, service, fetch }
}

/** Of what reached the service, after it was let in. */
function gist(text: string): string[] {
  const { method, url, body, headers } = JSON.parse(text)
  assert.match(headers.authorization, /\.SIGNATURE_REMOVED_BY_GOOGLE$/)
  return [method, url, body]
}

interface Api {
  '/orders/{id}': {
    get: { parameters: { path: { id: string } }, responses: { 200: Answer } }
    put: {
      parameters: { path: { id: string } }
      requestBody: { content: { 'application/json': { tea: number } } }
      responses: { 200: Answer }
    }
  }
}

interface Answer {
  content: { 'text/plain': string }
}
