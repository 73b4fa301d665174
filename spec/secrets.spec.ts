import * as core from 'gcp-id-token'
import * as adc from 'gcp-id-token/adc'
import * as federation from 'gcp-id-token/federation'
import * as impersonation from 'gcp-id-token/impersonation'
import * as metadata from 'gcp-id-token/metadata'
import { base64url } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { faults, iamErrors, stsErrors, tokenErrors } from './google/index.ts'
import type { Endpoint, Fault, Google } from './google/index.ts'
import { failed } from './google/iam-credentials.ts'
import { letters } from './google/random.ts'
import { formsOf, rejects, showsNothingOf } from './support/errors.ts'
import { federated, impersonating, impersonatingByLogin, onGoogleCloud } from './support/roads.ts'
import type { Road } from './support/roads.ts'

// Whatever goes wrong on the way to a token, its error shows nothing of what must stay secret.

const roads: { [name: string]: () => Promise<Watched> } = {
  'a key': async () => {
    const { google, key, options: { audience } } = await impersonating()
    const call = (options: any) => core.getIdToken({ credentials: key, audience, retries: 0, ...options })
    return watched(google, ['token'], call, formsOf(key.private_key))
  },
  'the metadata server': async () => {
    const { google, ask, endpoints } = await onGoogleCloud()
    return watched(google, endpoints, ask)
  },
  'federation': async () => {
    const { google, ask, endpoints } = await federated()
    return watched(google, endpoints, ask)
  },
  'federation by a token that does not look like one': opaque,
  'impersonation by a key': async () => {
    const { google, key, ask, endpoints } = await impersonating()
    return watched(google, endpoints, ask, formsOf(key.private_key))
  },
  'impersonation by a login': async () => {
    const { google, user, ask, endpoints } = await impersonatingByLogin()
    return watched(google, endpoints, ask, [user.client_secret, user.refresh_token])
  }
}

/** How Google could quote a secret: whole or in part. */
const forms: ((secret: string) => string)[] = [
  (secret) => secret,
  (secret) => `Invalid token: "${secret}". Try again.`,
  (secret) => `${secret}${secret}`,
  (secret) => secret.slice(3, 43),
  (secret) => secret.slice(0, 12),
  (secret) => secret.slice(-12),
  (secret) => secret.slice(-50, -10),
  (secret) => (secret.match(/.{13}/g) ?? []).join(' '),
  (secret) => (secret.match(/.{1,76}/g) ?? []).join('\r\n'),
  (secret) => encodeURIComponent(secret),
  (secret) => JSON.stringify({ secret }),
  (secret) => `${'x'.repeat(280)}${secret}`,
  (secret) => `${'x'.repeat(990)}${secret}`
]

/** Where, with an answer that is no success. */
const echoes: { [place: string]: (text: string) => Response } = {
  'an OAuth description': (text) => json(400, { error: 'invalid_grant', error_description: text }),
  'an OAuth error': (text) => json(401, { error: text }),
  'a message of IAM': (text) => json(403, { error: { status: 'PERMISSION_DENIED', message: text } }),
  'a status of IAM': (text) => json(404, { error: { code: 404, status: text, message: text } }),
  'an error with 200': (text) => json(200, { error: 'invalid_request', error_description: text }),
  'a fault that may pass': (text) => json(503, { error: 'internal_failure', error_description: text }),
  'plain text': (text) => new Response(text, { status: 400, headers: { 'metadata-flavor': 'Google' } }),
  'a page': (text) => new Response(`<p>${text}</p>`, { status: 404 }),
  'text for a token': (text) => new Response(text, { headers: { 'metadata-flavor': 'Google' } }),
  'JSON without a token': (text) => json(200, { [text.slice(0, 100)]: text }),
  'a redirect': (text) => withHeader(302, 'location', text),
  'a header': (text) => withHeader(401, 'www-authenticate', text),
  'a date': (text) => withHeader(503, 'date', text),
  'a pause': (text) => withHeader(503, 'retry-after', text)
}

function withHeader(status: number, name: string, text: string): Response {
  return new Response(null, { status, headers: { [name]: encodeURIComponent(text) } })
}


for (const [name, lay] of Object.entries(roads)) {
  const test = suite(`secrets: ${name}`)

  test('what is watched is what is secret', async () => {
    const { ask, google, secrets } = await lay()
    const token = await ask()
    assert.ok(secrets.has(token))
    for (const { headers: { authorization } } of google.requests) {
      if (authorization) assert.ok(secrets.has(authorization.replace('Bearer ', '')))
    }
    if (name !== 'the metadata server') assert.ok(secrets.size > 1)
  })

  for (const [place, answer] of Object.entries(echoes)) {
    test(`whatever is sent may come back: ${place}`, async () => {
      const { ask, endpoints, google, showsNothing } = await lay()
      for (const endpoint of endpoints) {
        for (const form of forms) {
          google.next(endpoint, (call) => answer(sentIn(call).map(form).join(' and ')))
          showsNothing(await rejects(ask()))
        }
      }
    })
  }

  test('what was sent in an attempt before may come back, too', async () => {
    const { ask, endpoints: [first, last = first], google, showsNothing } = await lay()
    for (const form of forms) {
      let sent: string[] = []
      const quoting = () => json(400, { error: 'invalid_grant', error_description: sent.map(form).join(' and ') })
      const failing: Fault = (call) => {
        sent = sentIn(call)
        return withHeader(503, 'retry-after', '0')
      }
      google.next(first!, ...(first === last ? [failing, quoting] : [faults.none(), quoting]))
      if (first !== last) google.next(last!, failing)
      const error = await rejects(ask({ retries: 1 }))
      assert.is(error.status, 400)
      showsNothing(error)
    }
  })

  test('every refusal and every fault that is known', async () => {
    const { ask, endpoints, google, showsNothing } = await lay()
    const all: Fault[] = [
      ...Object.values({ ...tokenErrors, ...stsErrors }).map((refusal) => faults.refusal(refusal)),
      ...Object.values(iamErrors).map((status) => faults.respond(() => failed(status))),
      faults.page(404), faults.page(503), faults.sorry(), faults.dropped(), faults.broken(),
      faults.truncated(), faults.huge(100_000),
      faults.opaqueRedirect(), faults.redirect('https://evil.example/'),
      faults.respond(() => new Response(null)), faults.respond(() => new Response(null, { status: 400 }))
    ]
    for (const endpoint of endpoints) {
      for (const fault of all) {
        google.next(endpoint, fault)
        showsNothing(await rejects(ask()))
      }
      for (const fault of [faults.hang(), faults.stalled()]) {
        google.always(endpoint, fault)
        showsNothing(await rejects(ask({ timeout: 50 })))
        google.always(endpoint)
      }
    }
  })

  test('a fetch whose errors quote what it was given', async () => {
    const { ask, endpoints, google, secrets, showsNothing } = await lay()
    const thrown: ((text: string) => unknown)[] = [
      (text) => new TypeError(`Invalid header value: ${text}`),
      (text) => Object.assign(new Error('failed', { cause: new Error(text) }), { request: text }),
      (text) => Object.assign(new Error('failed'), { name: text, code: text, cause: { code: text } }),
      (text) => Object.assign(new Error('failed'), { name: text.slice(-30), code: text.slice(10, 40) }),
      (text) => text,
      (text) => ({ text })
    ]
    for (const endpoint of endpoints) {
      for (const make of thrown) {
        const fetch = async (url: string, init: RequestInit) => {
          note(secrets, init)
          const before = google.requests.length
          const response = await google.fetch(url, init)
          if (google.requests[before]!.endpoint !== endpoint) return response
          throw make([JSON.stringify(init.headers), init.body, url].join())
        }
        showsNothing(await rejects(ask({ fetch })))
      }
    }
  })

  test('ID tokens that are out of the contract', async () => {
    const { ask, google, showsNothing } = await lay()
    const claims = [
      { aud: 'https://elsewhere.example' }, { email: 'other@example.com' }, { exp: undefined },
      { iat: 'soon' }, { exp: 1 }, { exp: 1e300 }
    ]
    let seen = 0
    for (const wrong of claims) {
      google.settings.idTokenClaims = wrong
      // Whoever asks the metadata server for the default account takes any.
      const audience = `https://hello-${letters(10)}-uc.a.run.app`
      const error = await ask({ audience }).catch((error) => error)
      if (typeof error === 'string') continue
      seen++
      showsNothing(error)
    }
    assert.ok(seen >= 5)
  })

  test('what stands where an ID token should', async () => {
    const { ask, endpoints, google, secrets, showsNothing } = await lay()
    const token = `${letters(60)}.${letters(300)}.${letters(340)}`
    const parts = token.split('.')
    const wrong: unknown[] = [
      token, `${token}.${token}`, parts[1], ` ${token}`, `${token}\n${token}`, [token], { token },
      `${parts[0]}.${base64url.encode(`{"aud":"${parts[1]}"}`)}.${parts[2]}`,
      `${parts[0]}.${base64url.encode(`{"aud":"${parts[1]}`)}.${parts[2]}`
    ]
    for (const text of wrong) {
      for (const secret of [token, JSON.stringify(text)]) secrets.add(secret)
      const headers = { 'metadata-flavor': 'Google' }
      const body = JSON.stringify({ id_token: text, token: text })
      for (const answer of [body, String(text)]) {
        google.next(endpoints.at(-1)!, faults.respond(() => new Response(answer, { headers })))
        showsNothing(await rejects(ask()))
      }
    }
  })

  test('access tokens that no header takes', async () => {
    const { ask, endpoints, google, secrets, showsNothing } = await lay()
    for (const endpoint of endpoints.slice(0, -1)) {
      for (const rest of ['\n', '\r\nx: y', '\0', ' ', 'é', '\u2028', '🔑', ` ${letters(50)}`]) {
        const token = `ya29.${letters(100)}`
        secrets.add(token)
        for (const access_token of [token + rest, rest + token, token + rest + token, [token], { token }]) {
          google.next(endpoint, faults.json(200, { access_token, token_type: 'Bearer' }))
          showsNothing(await rejects(ask()))
        }
      }
    }
  })

  test.run()
}

const test = suite('secrets: before anything is sent')

test('a key in every wrong place', async () => {
  const { google, key, json, options: { audience } } = await impersonating()
  const pem = key.private_key
  const hidden = formsOf(pem)
  const text = JSON.stringify(key)
  const broken: unknown[] = [
    pem, text.slice(0, -1), text.slice(0, 900), text.slice(300), text + text, text.replace('{', '['),
    `x${text.slice(1)}`, `"${text.slice(0, -1)}`, `{"private_key":${bare(pem)}}`, JSON.stringify({ pem }), JSON.stringify([pem]),
    btoa(text).slice(0, 800),
    { ...key, private_key: pem.slice(0, 800) }, { ...key, private_key: pem.replace(/A/g, '!') },
    { ...key, private_key: [pem] }, { ...key, private_key: { pem } }, { ...key, client_email: [pem] },
    { ...key, private_key: `${pem.slice(0, 500)}${pem.slice(700)}` },
    { ...key, private_key: pem.replace('PRIVATE', 'EC PRIVATE') },
    { ...key, private_key: pem.split('\n').slice(1, -2).join('\n') },
    ...wrongAt(key, pem, 'type', 'private_key_id', 'token_uri', 'universe_domain'),
    ...wrongAt(key, bare(pem), 'type', 'private_key_id', 'token_uri', 'universe_domain'),
    ...wrongAt(json, pem, 'service_account_impersonation_url', 'delegates', 'source_credentials', 'type'),
    ...wrongAt(json, bare(pem), 'service_account_impersonation_url', 'delegates', 'universe_domain')
  ]
  const common = { audience, fetch: google.fetch, retries: 0 }
  for (const credentials of broken as any[]) {
    const attempts = [
      core.getIdToken({ ...common, credentials }),
      impersonation.getIdToken({ ...common, credentials, serviceAccount: 'caller@example.com' }),
      federation.getIdToken({ ...common, credentials, subjectToken: 'token' }),
      adc.getIdToken({ ...common, credentials })
    ]
    for (const error of await Promise.all(attempts.map(rejects))) showsNothingOf(error, ...hidden)
  }
})

test('a login in every wrong place', async () => {
  const { google, json, options: { audience }, user } = await impersonatingByLogin()
  const secrets = [user.client_secret, user.refresh_token]
  const common = { audience, fetch: google.fetch, retries: 0 }
  for (const secret of secrets) {
    const broken: any[] = [
      user, JSON.stringify(user).slice(0, -1), secret, { ...json, source_credentials: secret },
      ...['type', 'universe_domain', 'client_id'].map((field) =>
        ({ ...json, source_credentials: { ...user, [field]: [secret] } })),
      ...wrongAt(json, secret, 'type', 'service_account_impersonation_url', 'delegates', 'universe_domain')
    ]
    for (const credentials of broken) {
      for (const entry of [core, impersonation, federation, adc]) {
        const options: any = { ...common, credentials, subjectToken: 'token' }
        showsNothingOf(await rejects(entry.getIdToken(options)), ...secrets)
      }
    }
  }
  assert.is(google.requests.length, 0)
})

test('a subject token in every wrong place', async () => {
  const { ask, google, json, subject } = await federated()
  const secret = await subject()
  const places = [
    'provider', 'serviceAccount', 'universeDomain', 'credentials', 'audience', 'fetch', 'signal', 'timeout',
    'retries', 'waitUntil', 'store'
  ]
  const wrong = [secret, [secret], { secret }]
  for (const place of places) {
    for (const value of wrong) {
      if (place === 'audience' && value === secret) continue // it can be one
      showsNothingOf(await rejects(ask({ [place]: value, subjectToken: secret })), secret)
    }
  }
  for (const value of [[secret], { secret }, [[secret]]]) {
    showsNothingOf(await rejects(ask({ identity: value, subjectToken: secret })), secret)
    showsNothingOf(await rejects(ask({ subjectToken: value })), secret)
    showsNothingOf(await rejects(ask({ subjectToken: () => value })), secret)
  }
  const options = { audience: 'a', fetch: google.fetch }
  for (const credential_source of [...wrong, { [secret]: 'x' }, { file: secret }]) {
    const credentials = { ...json, credential_source } as federation.ExternalAccount
    showsNothingOf(await rejects(adc.getIdToken({ ...options, credentials })), secret)
  }
  const fields = ['type', 'token_url', 'service_account_impersonation_url', 'universe_domain']
  const broken = wrongAt(json, secret, ...fields)
  for (const credentials of broken as any[]) {
    const attempt = federation.getIdToken({ ...options, credentials, subjectToken: secret })
    showsNothingOf(await rejects(attempt), secret)
  }
  assert.is(google.requests.length, 0)
})

test('a token in every wrong place of metadata', async () => {
  const { account, ask, google, options } = await onGoogleCloud()
  const secret = await google.issueIdToken(account, options.audience)
  const places = ['serviceAccount', 'host', 'format', 'licenses', 'fetch', 'timeout', 'retries', 'store']
  for (const place of places) {
    for (const value of [`${secret} `, [secret], { secret }]) {
      showsNothingOf(await rejects(ask({ [place]: value })), secret)
    }
  }
  google.always('other', faults.dropped())
  for (const entry of [metadata, adc]) {
    const attempt = entry.getIdToken({ ...options, host: secret } as metadata.GetIdTokenOptions)
    assert.is((await rejects(attempt)).name, 'IdTokenError', 'it looks like a host')
  }
})

test('a subject token in the error of the function that should give it', async () => {
  const { ask, subject } = await federated()
  const secret = await subject()
  const thrown = [
    secret, { secret }, new Error(`This token is stale: ${secret}`),
    new Error('stale', { cause: new Error(secret) }),
    Object.assign(new Error('stale'), { token: secret, name: secret, code: secret }),
    new Error(`stale\n${secret}\n`), new Error('x'.repeat(980) + secret)
  ]
  for (const error of thrown) {
    const throwing = () => { throw error }
    showsNothingOf(await rejects(ask({ subjectToken: throwing })), secret)
  }
})

test.run()

interface Watched {
  google: Google
  endpoints: Endpoint[]
  ask: Road<any>['ask']
  /** All that is secret by now. */
  secrets: Set<string>
  showsNothing(error: unknown): void
}

function watched(
  google: Google, endpoints: Endpoint[], call: Road<any>['ask'], known: string[] = []
): Watched {
  const secrets = new Set(known)
  const { keys, world: { accessTokens } } = google
  const { sign } = keys
  keys.sign = async (claims) => {
    const token = await sign(claims)
    secrets.add(token)
    return token
  }
  accessTokens.set = (token, access) => {
    secrets.add(token)
    return Map.prototype.set.call(accessTokens, token, access)
  }
  const fetch = (url: string, init: RequestInit) => {
    note(secrets, init)
    return google.fetch(url, init)
  }
  return {
    google,
    endpoints,
    ask: (options) => call({ fetch, ...options }),
    secrets,
    showsNothing(error) {
      showsNothingOf(error, ...secrets)
      secrets.clear() // what the next attempt sends is new, and looking for all takes its time
      for (const secret of known) secrets.add(secret)
    }
  }
}

/** The same with something at one of the fields that does not belong there. */
function wrongAt(json: object, secret: string, ...fields: string[]): object[] {
  const wrong = [secret, [secret], { secret }]
  return fields.flatMap((field) => wrong.map((value) => ({ ...json, [field]: value })))
}

/** A subject token that is told from other text only by being the subject token. */
async function opaque(): Promise<Watched> {
  const { account, google, endpoints, ask } = await federated()
  const accessToken = `ya29.d.${letters(300)}`
  google.world.accessTokens.set(accessToken, {
    members: ['somebody'],
    scopes: ['https://www.googleapis.com/auth/cloud-platform'],
    expires: Infinity
  })
  google.grant('somebody', 'roles/iam.workloadIdentityUser', account.email)
  google.always('sts', faults.json(200, { access_token: accessToken }))
  const subjectToken = letters(400)
  const call: typeof ask = (options) => ask({ subjectToken, ...options })
  return watched(google, endpoints, call, [accessToken, subjectToken])
}

function note(secrets: Set<string>, { headers, body }: RequestInit): void {
  for (const secret of secretsIn(new Headers(headers), String(body))) secrets.add(secret)
}

function sentIn({ request, text, url }: Parameters<Fault>[0]): string[] {
  const sent = secretsIn(request.headers, text)
  return sent.length ? sent : [url.href]
}

const SECRET_FIELDS = ['assertion', 'subject_token', 'client_secret', 'refresh_token']

function secretsIn(headers: Headers, body: string): string[] {
  const form = new URLSearchParams(body)
  const bearer = headers.get('authorization')?.replace('Bearer ', '')
  return [bearer, ...SECRET_FIELDS.map((field) => form.get(field))].filter((secret) => secret != null)
}

function bare(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s/g, '')
}

function json(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'metadata-flavor': 'Google' } })
}
