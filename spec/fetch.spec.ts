import { getIdToken as fromAdc } from 'gcp-id-token/adc'
import { getIdToken as fromKey } from 'gcp-id-token'
import { authorizedFetch } from 'gcp-id-token/fetch'
import type { AuthorizedFetchOptions } from 'gcp-id-token/fetch'
import { getIdToken as fromMetadata } from 'gcp-id-token/metadata'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isMistake, misused, rejects, showsNothingOf } from './support/errors.ts'
import { newService, newTokens } from './support/service.ts'
import { noUrls } from './support/urls.ts'

const test = suite('authorizedFetch')

const SERVICE = 'https://hello-uc.a.run.app'
const SERVERLESS = 'x-serverless-authorization'

test('is a function that makes a function', () => {
  assert.type(authorizedFetch, 'function')
  assert.type(authorizedFetch(getToken), 'function')
})

test('takes each getIdToken that needs no credentials as it stands, and any other with them', () => {
  authorizedFetch(fromMetadata)
  authorizedFetch(fromAdc)
  authorizedFetch((request) => fromKey({ credentials: '{}', ...request }))
  // @ts-expect-error: without credentials it would never give a token
  authorizedFetch(fromKey)
})

test('has the signature of fetch', () => {
  const own: typeof globalThis.fetch = authorizedFetch(getToken, { fetch: globalThis.fetch })
  assert.type(own, 'function')
})

const wrongOptions: [option: string, value: any][] = [
  ...['', 'Authorization', 'cookie', null, 1].map((value): [string, any] => ['header', value]),
  ...[{}, 'fetch', 1].map((value): [string, any] => ['fetch', value]),
  ...['', new URL(SERVICE), 1, null, {}].map((value): [string, any] => ['audience', value]),
  ...[
    null, SERVICE, {}, 1, new URL(SERVICE), [`${SERVICE}/`], [`${SERVICE}/path`], ['hello-uc.a.run.app'], ['*'],
    ['null'], ['HTTPS://hello-uc.a.run.app'], [''], [null], [undefined],
    [`blob:${SERVICE}`], [' http://localhost:8080'], [SERVICE, 'data:,'],
    ...noUrls('https://').map((text) => [text])
  ].map((value): [string, any] => ['origins', value])
]

for (const [option, value] of wrongOptions) {
  test(`refuses ${JSON.stringify(value)} as ${option}`, () => {
    assert.throws(() => authorizedFetch(getToken, { [option]: value }), isTypeErrorAbout(option))
  })
}

test('refuses what is no function as getToken', () => {
  for (const value of [undefined, null, 'token', {}, Promise.resolve('token')] as any[]) {
    assert.throws(() => authorizedFetch(value), isTypeErrorAbout('getToken'))
  }
})

test('refuses an empty audience, wherever it is to go', () => {
  assert.throws(() => authorizedFetch(getToken, { audience: '', origins: [SERVICE] }), isTypeErrorAbout('audience'))
})

test('wants origins with an audience that is no URL', () => {
  for (const audience of ['123-abc.apps.googleusercontent.com', 'hello', 'localhost:8080', 'api://hello', 'null']) {
    assert.throws(() => authorizedFetch(getToken, { audience }), isTypeErrorAbout('origins'))
    assert.throws(() => authorizedFetch(getToken, { audience }), /list of https:\/\/HOST$/)
  }
  authorizedFetch(getToken, { audience: '123-abc.apps.googleusercontent.com', origins: [SERVICE] })
})

test('takes options that are absent for their defaults', async () => {
  const options = { audience: undefined, origins: undefined, header: undefined, fetch: undefined } as any
  const { sent, fetch } = newService()
  await authorizedFetch(getToken, { ...options, fetch })(SERVICE)
  assert.is(sent[0]!.headers.get('authorization'), 'Bearer token')
  authorizedFetch(getToken, options)
})

// header, what the request has of Authorization and X-Serverless-Authorization, what the service gets of them
const headerRows: [AuthorizedFetchOptions['header'], (string | undefined)[], (string | null)[]][] = [
  ['auto', [], ['Bearer token', null]],
  ['auto', ['Basic app'], ['Basic app', 'Bearer token']],
  ['auto', ['Basic app', 'Bearer foreign'], ['Basic app', 'Bearer token']],
  ['auto', [undefined, 'Bearer foreign'], ['Bearer token', null]],
  ['authorization', [], ['Bearer token', null]],
  ['authorization', ['Basic app'], ['Bearer token', null]],
  ['authorization', ['Basic app', 'Bearer foreign'], ['Bearer token', null]],
  ['authorization', [undefined, 'Bearer foreign'], ['Bearer token', null]],
  [SERVERLESS, [], [null, 'Bearer token']],
  [SERVERLESS, ['Basic app'], ['Basic app', 'Bearer token']],
  [SERVERLESS, ['Basic app', 'Bearer foreign'], ['Basic app', 'Bearer token']],
  [SERVERLESS, [undefined, 'Bearer foreign'], [null, 'Bearer token']]
]

for (const [header, [authorization, serverless], expected] of headerRows) {
  test(`with ${header}, ${authorization} and ${serverless} become ${expected.join(' and ')}`, async () => {
    const headers = { ...authorization && { authorization }, ...serverless && { [SERVERLESS]: serverless } }
    for (const form of [[SERVICE, { headers }], [new Request(SERVICE, { headers })]] as Form[]) {
      const { sent, fetch } = newService()
      await authorizedFetch(getToken, { header: header!, fetch })(...form)
      assert.equal([sent[0]!.headers.get('authorization'), sent[0]!.headers.get(SERVERLESS)], expected)
    }
  })
}

test('auto is the default', async () => {
  const { sent, fetch } = newService()
  await authorizedFetch(getToken, { fetch })(SERVICE, { headers: { Authorization: 'Basic app' } })
  assert.is(sent[0]!.headers.get('authorization'), 'Basic app')
  assert.is(sent[0]!.headers.get(SERVERLESS), 'Bearer token')
})

test('the Host that a request came with does not go to another', async () => {
  const headers = { host: 'proxy.example' }
  for (const form of [[SERVICE, { headers }], [new Request(SERVICE, { headers })]] as Form[]) {
    const { sent, fetch } = newService()
    await authorizedFetch(getToken, { fetch })(...form)
    assert.is(sent[0]!.headers.get('host'), null)
  }
})

// audience and origins, the URL, and the audience of the token that goes there
const places: [Pick<AuthorizedFetchOptions, 'audience' | 'origins'>, string, string | undefined][] = [
  [{}, `${SERVICE}/path?query`, SERVICE],
  [{}, 'https://HELLO-uc.a.run.app:443', SERVICE],
  [{}, 'https://api.example.com:8443/', 'https://api.example.com:8443'],
  [{ origins: [SERVICE] }, `${SERVICE}/path`, SERVICE],
  [{ origins: ['https://a.example', SERVICE] }, `${SERVICE}/path`, SERVICE],
  [{ origins: ['https://a.example'] }, SERVICE, undefined],
  [{ origins: [] }, SERVICE, undefined],
  [{ origins: [`${SERVICE}:443`] }, SERVICE, undefined],
  [{ origins: [[SERVICE]] as never }, SERVICE, undefined],
  [{ origins: [new URL(SERVICE)] as never }, SERVICE, undefined],
  [{ origins: [SERVICE] }, `${SERVICE}.example`, undefined],
  [{ origins: [SERVICE] }, `${SERVICE}:8443`, undefined],
  [{ origins: [SERVICE] }, 'https://hello-uc.a.run.app@a.example', undefined],
  [{ audience: SERVICE }, `${SERVICE}/path`, SERVICE],
  [{ audience: `${SERVICE}/function` }, `${SERVICE}/function/path`, `${SERVICE}/function`],
  [{ audience: `${SERVICE}/function` }, `${SERVICE}/other`, `${SERVICE}/function`],
  [{ audience: SERVICE }, 'https://a.example', undefined],
  [{ audience: SERVICE, origins: ['https://a.example'] }, 'https://a.example/path', SERVICE],
  [{ audience: SERVICE, origins: ['https://a.example'] }, SERVICE, undefined],
  [{ audience: 'hello', origins: [SERVICE] }, SERVICE, 'hello'],
  [{ audience: 'hello', origins: [SERVICE] }, 'https://a.example', undefined],
  [{}, 'http://127.0.0.1:8080/path', 'http://127.0.0.1:8080'],
  [{}, 'http://localhost', 'http://localhost'],
  [{}, 'http://localhost:8080', 'http://localhost:8080'],
  [{}, 'http://[::1]:8080/path', 'http://[::1]:8080'],
  [{ audience: SERVICE, origins: ['http://localhost:8080'] }, 'http://localhost:8080/path', SERVICE],
  [{}, 'http://hello-uc.a.run.app', undefined],
  [{}, 'http://127.0.0.2', undefined],
  [{}, 'http://localhost.a.example', undefined],
  [{}, 'http://a.example/localhost', undefined],
  [{}, 'http://127.0.0.1.a.example:80', undefined],
  [{}, 'http://[::2]', undefined],
  [{}, 'http://a.localhost', undefined],
  [{}, 'http://https:8080', undefined],
  [{ audience: 'http://a.example' }, 'http://a.example', undefined],
  [{ origins: ['http://a.example'] }, 'http://a.example', undefined],
  [{}, 'data:,hello', undefined]
]

for (const [options, url, audience] of places) {
  const what = audience ? `sends a token for ${audience}` : 'sends nothing'
  test(`${what} to ${url} with ${JSON.stringify(options)}`, async () => {
    for (const form of [() => url, () => new URL(url), () => new Request(url)]) {
      const { sent, fetch } = newService()
      const { asked, getToken } = newTokens(0)
      const call = async () => authorizedFetch(getToken, { ...options, fetch })(form())
      if (audience) await call()
      else await misused(call())
      assert.equal(asked.map(({ audience }) => audience), audience ? [audience] : [])
      assert.is(sent.length, audience ? 1 : 0)
    }
  })
}

test('says why nothing goes to a URL', async () => {
  const { fetch } = newService()
  await misused(authorizedFetch(getToken, { fetch })('http://a.example/path'), /URL/, /https:\/\/HOST or http on loopback$/)
  const bound = authorizedFetch(getToken, { fetch, origins: [SERVICE] })
  await misused(bound('https://a.example'), /URL/, /origins.*hello-uc/)
})

test('asks for a token anew each time, and for nothing but it', async () => {
  const { sent, fetch } = newService()
  const { asked, tokens, getToken } = newTokens(0)
  const own = authorizedFetch(getToken, { fetch })
  await own(`${SERVICE}/1`)
  await own(`${SERVICE}/2`)
  assert.equal(asked.map((request) => Object.keys(request).sort()), [['audience', 'signal'], ['audience', 'signal']])
  assert.equal(sent.map(({ headers }) => headers.get('authorization')), Array(2).fill(`Bearer ${tokens[0]}`))
})

const forms: [what: string, form: () => Form][] = [
  ['a text', () => [`${SERVICE}/path`, content()]],
  ['a URL', () => [new URL(`${SERVICE}/path`), content()]],
  ['a Request', () => [new Request(`${SERVICE}/path`, content())]],
  ['a Request with an init over it', () => [
    new Request(`${SERVICE}/path`, { ...content(), method: 'PUT', body: 'before' }), { method: 'POST', body: 'body' }
  ]],
  ['a Request as init', () => [`${SERVICE}/path`, new Request('https://a.example', content())]]
]

for (const [what, form] of forms) {
  test(`sends what ${what} asks for`, async () => {
    const { sent, texts, fetch } = newService()
    await authorizedFetch(getToken, { fetch })(...form())
    const [{ method, url, headers }] = sent as [Request]
    assert.equal([method, url, headers.get('x-own'), texts[0]], ['POST', `${SERVICE}/path`, 'own', 'body'])
    assert.is(headers.get('authorization'), 'Bearer token')
  })
}

test('carries along the options of the runtime', async () => {
  const { sent, fetch } = newService()
  // Every runtime keeps some of these; `cf` is Cloudflare's own.
  const names = ['cf', 'credentials', 'keepalive']
  const init: any = { cf: { cacheTtl: 5 }, credentials: 'omit', keepalive: true }
  for (const form of [[SERVICE, init], [new Request(SERVICE, init)], [new Request(SERVICE), init]] as Form[]) {
    await authorizedFetch(getToken, { fetch })(...form)
    const expected: any = new Request(SERVICE, init)
    for (const name of names) assert.equal((sent.at(-1) as any)[name], expected[name], name)
  }
})

test('leaves the headers of the caller alone', async () => {
  const headers = new Headers({ [SERVERLESS]: 'Bearer foreign' })
  const request = new Request(SERVICE, { headers })
  const { fetch } = newService()
  await authorizedFetch(getToken, { fetch })(request)
  await authorizedFetch(getToken, { fetch })(SERVICE, { headers })
  for (const own of [headers, request.headers]) assert.is([...own].join(), `${SERVERLESS},Bearer foreign`)
})

test('gives the very response, unread', async () => {
  const { fetch } = newService(() => answer)
  const answer = new Response('fine')
  assert.is(await authorizedFetch(getToken, { fetch })(SERVICE), answer)
  assert.not(answer.bodyUsed)
})

test('rejects as fetch does', async () => {
  const lost = new TypeError('the connection is gone')
  const fetch = () => Promise.reject(lost)
  assert.is(await rejects(authorizedFetch(getToken, { fetch })(SERVICE)), lost)
  await misused(authorizedFetch(getToken, { fetch })('https://'))
  await misused(authorizedFetch(getToken, { fetch })(SERVICE, { method: 'bad method' }))
})

test('rejects as getToken does, with nothing sent', async () => {
  const { sent, fetch } = newService()
  const error = new Error('no token')
  for (const getToken of [() => Promise.reject(error), () => { throw error }]) {
    assert.is(await rejects(authorizedFetch(getToken, { fetch })(SERVICE)), error)
  }
  assert.is(sent.length, 0)
})

test('sends no token that is none, and shows none', async () => {
  const { sent, fetch } = newService()
  const secret = newTokens(0).tokens[0]!
  const texts = ['', '\0', `${secret}\n`, `${secret} ${secret}`, `${secret}é`]
  const wrong: any[] = [undefined, null, 1, {}, [secret], ...texts]
  for (const token of wrong) {
    const error = await rejects(authorizedFetch(async () => token, { fetch })(SERVICE))
    isMistake(error, /getToken/)
    showsNothingOf(error, secret)
  }
  assert.is(sent.length, 0)
})

test('hands on the signal of the request', async () => {
  for (const form of [(init: RequestInit) => [SERVICE, init], (init: RequestInit) => [new Request(SERVICE, init)]]) {
    const { sent, fetch } = newService()
    const { asked, getToken } = newTokens(0)
    const controller = new AbortController()
    await authorizedFetch(getToken, { fetch })(...form({ signal: controller.signal }) as Form)
    assert.equal([asked[0]!.signal!.aborted, sent[0]!.signal.aborted], [false, false])
    controller.abort()
    assert.equal([asked[0]!.signal!.aborted, sent[0]!.signal.aborted], [true, true])
  }
})

test('ends the wait for a token with the signal', async () => {
  const { sent, fetch } = newService()
  const controller = new AbortController()
  const waiting = (request: { signal?: AbortSignal }) => new Promise<string>((_, reject) => {
    request.signal!.addEventListener('abort', () => reject(request.signal!.reason))
  })
  const call = authorizedFetch(waiting, { fetch })(SERVICE, { signal: controller.signal })
  controller.abort(new Error('the caller left'))
  assert.match((await rejects(call)).message, 'the caller left')
  assert.is(sent.length, 0)
})

test('calls the fetch of the moment, and as no method', async () => {
  const own = authorizedFetch(getToken)
  const before = globalThis.fetch
  const receivers: unknown[] = []
  try {
    for (const text of ['first', 'second']) {
      globalThis.fetch = async function (this: unknown) {
        receivers.push(this)
        return new Response(text)
      }
      assert.is(await (await own(SERVICE)).text(), text)
    }
  } finally {
    globalThis.fetch = before
  }
  const fetch = async function (this: unknown) {
    receivers.push(this)
    return new Response()
  }
  await authorizedFetch(getToken, { fetch })(SERVICE)
  assert.equal(receivers, [undefined, undefined, undefined])
})

test.run()

async function getToken(): Promise<string> {
  return 'token'
}

function content(): RequestInit {
  return { method: 'POST', headers: { 'x-own': 'own' }, body: 'body' }
}

function isTypeErrorAbout(option: string) {
  return (error: Error) => {
    // In our words: a runtime that got stuck may name it, too.
    isMistake(error, new RegExp(`^${option} must be `))
    return true
  }
}

type Form = [input: string | URL | Request, init?: RequestInit]
