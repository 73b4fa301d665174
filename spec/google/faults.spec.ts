import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle, faults, tokenErrors } from './index.ts'
import type { Fault, Google } from './index.ts'

const test = suite('local Google: faults')

const URL_OF_CERTS = 'https://www.googleapis.com/oauth2/v3/certs'

test('stand in a row, once each, before the one that stays', async () => {
  const google = createGoogle()
  google.always('certs', faults.json(500, {}))
  google.next('certs', faults.json(501, {}), faults.none())
  google.next('certs', faults.json(502, {}))
  google.next('token', faults.json(503, {}))
  assert.equal(await statuses(google, 5), [501, 200, 502, 500, 500])
  google.always('certs')
  assert.equal(await statuses(google, 1), [200])
})

const answerRows: [string, Fault, number, RegExp][] = [
  ['refusal', faults.refusal(tokenErrors.noVerifier), 400, /No valid verifier found for issuer\./],
  ['internal failure', faults.internalFailure(), 500, /^\{"error":"internal_failure"\}$/],
  ['page 502', faults.page(502), 502, /<title>Error 502 \(Server Error\)!!1<\/title>/],
  ['page 503', faults.page(503), 503, /<b>503\.<\/b> <ins>That's an error\.<\/ins>/],
  ['sorry', faults.sorry(), 429, /<title>Sorry\.\.\.<\/title>.*automated queries/],
  ['truncated', faults.truncated(10), 200, /^\{"keys":\[\{$/],
  ['huge', faults.huge(100_000), 200, /^ {100000}$/],
  ['changed body', faults.body(({ keys }) => keys.length), 200, /^2$/],
  ['redirect', faults.redirect('/.well-known/openid-configuration'), 404, /Error 404/],
  ['respond', faults.respond(() => new Response('mine', { status: 418 })), 418, /^mine$/]
]

for (const [what, fault, status, text] of answerRows) {
  test(`answer: ${what}`, async () => {
    const google = createGoogle()
    google.next('certs', fault)
    const response = await google.fetch(URL_OF_CERTS)
    assert.is(response.status, status)
    assert.match(await response.text(), text)
    assert.ok(response.headers.has('date'))
  })
}

test('quote the assertion as Google once did', async () => {
  const google = createGoogle()
  google.next('token', faults.echo())
  const body = new URLSearchParams({ assertion: 'a.b.c' })
  const response = await google.fetch('https://oauth2.googleapis.com/token', { method: 'POST', body })
  assert.is(await response.text(), '{"error":"invalid_grant","error_description":' +
    '"java.security.SignatureException: Invalid signature for token: a.b.c"}')
})

test('redirect as fetch was told to be redirected', async () => {
  const google = createGoogle()
  const { hosts } = google.world
  hosts.set('elsewhere.example', ({ request, text }) => new Response(`${request.method} ${text}`))
  google.always('certs', faults.redirect('https://elsewhere.example/', 307))
  const post = { method: 'POST', body: 'secret' }
  assert.is(await (await google.fetch(URL_OF_CERTS, post)).text(), 'POST secret')
  const manual = await google.fetch(URL_OF_CERTS, { ...post, redirect: 'manual' })
  assert.is(manual.status, 307)
  assert.is(manual.headers.get('location'), 'https://elsewhere.example/')

  google.always('certs', faults.redirect('https://elsewhere.example/', 302))
  assert.is(await (await google.fetch(URL_OF_CERTS, post)).text(), 'GET ')

  google.always('certs', faults.opaqueRedirect())
  const { status, type, ok } = await google.fetch(URL_OF_CERTS, { ...post, redirect: 'manual' })
  assert.equal({ status, type, ok }, { status: 0, type: 'opaqueredirect', ok: false })
})

test('change headers, Date included', async () => {
  const google = createGoogle()
  const date = 'Thu, 01 Jan 1970 00:00:00 GMT'
  google.next('certs', faults.headers({ date, 'cache-control': null, 'retry-after': '3' }))
  const { headers } = await google.fetch(URL_OF_CERTS)
  assert.is(headers.get('date'), date)
  assert.is(headers.get('retry-after'), '3')
  assert.is(headers.get('cache-control'), null)
})

test('drop the connection before the answer, or within it', async () => {
  const google = createGoogle()
  google.next('certs', faults.dropped(), faults.broken())
  assert.is(await google.fetch(URL_OF_CERTS).catch(error => error.message), 'fetch failed')
  const response = await google.fetch(URL_OF_CERTS)
  assert.is(await response.text().catch(error => error.message), 'fetch failed')
})

test('wait, and end with the caller\'s patience', async () => {
  const google = createGoogle()
  google.next('certs', faults.hang(), faults.stalled(), faults.latency(60_000), faults.latency(1))
  for (const isBody of [false, true, false]) {
    const controller = new AbortController()
    const pending = google.fetch(URL_OF_CERTS, { signal: controller.signal })
    const reading = isBody ? (await pending).text() : pending
    setTimeout(() => controller.abort(new Error('enough')), 5)
    assert.is(await reading.then(() => 'an answer', error => error.message), 'enough')
  }
  assert.is((await google.fetch(URL_OF_CERTS)).status, 200)
})

test('ask nobody for an aborted caller', async () => {
  const google = createGoogle()
  const found = await google.fetch(URL_OF_CERTS, { signal: AbortSignal.abort('why') }).catch(reason => reason)
  assert.is(found, 'why')
  assert.is(google.requests.length, 0)
})

test.run()

async function statuses(google: Google, count: number): Promise<number[]> {
  const found: number[] = []
  while (found.length < count) found.push((await google.fetch(URL_OF_CERTS)).status)
  return found
}
