import { getIdToken } from 'gcp-id-token'
import { GoogleAuth } from 'google-auth-library'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGoogle } from './google/index.ts'
import type { Google, KeyFile, Seen } from './google/index.ts'
import { audience } from './support/google.ts'

// One key in two hands: what we send, beside what Google's own client sends at the same time.
const test = suite('what is sent, compared')

const NOW = 1_900_000_000_000

/** All that differs, in full: what is missing here must be alike. */
const differences: [part: string, ours: unknown, theirs: unknown, why: string][] = [
  ['header accept', undefined, 'application/json', 'the endpoint speaks nothing else'],
  ['header user-agent', undefined, /^google-api-nodejs-client\//, 'the runtime says it, where it can'],
  ['header x-goog-api-client', undefined, /^gl-node\//, 'metrics of Google\'s own clients'],
  ['JWS typ', 'JWT', undefined, 'the clients for Python and Java send it, as Google documents it'],
  ['JWS kid', '<private_key_id>', undefined, 'the same; Google need not try every key of the account'],
  ['claim sub', '<client_email>', undefined, 'as in Google\'s examples of self-signed tokens'],
  ['claim iat', -30, 0, 'a clock that is ahead must not put the assertion into Google\'s future'],
  ['claim exp', 3570, 3600, 'an hour after iat, in both']
]

test('the request for a token differs where it should, and nowhere else', async () => {
  const google = createGoogle({ now: () => NOW })
  const key = await google.createKey()
  const { Date: real } = globalThis
  globalThis.Date = class extends real {
    constructor(...args: []) {
      super(...(args.length ? args : [NOW]) as [])
    }
    static override now = () => NOW
  } as typeof Date
  try {
    await getIdToken({ credentials: key, audience, fetch: google.fetch })
    await theirIdToken(google, key)
  } finally {
    globalThis.Date = real
  }
  assert.equal(google.requests.map(({ status }) => status), [200, 200])
  const [ours, theirs] = google.requests.map((request) => parts(request, key))
  for (const [part, one, other] of differences) {
    assert.ok(matches(ours![part], one), `our ${part} is ${ours![part]}`)
    assert.ok(matches(theirs![part], other), `their ${part} is ${theirs![part]}`)
  }
  const listed = differences.map(([part]) => part)
  const found = Object.keys({ ...ours, ...theirs }).filter((part) => ours![part] !== theirs![part])
  assert.equal(found.sort(), listed.sort())
  const alike = Object.keys(ours!).filter((part) => !listed.includes(part))
  const claims = ['claim aud', 'claim iss', 'claim target_audience']
  assert.equal(alike.sort(), ['JWS alg', ...claims, 'form grant_type', 'header content-type', 'method', 'order', 'url'])
})

test.run()

async function theirIdToken(google: Google, credentials: KeyFile): Promise<string> {
  const transporterOptions = { fetchImplementation: google.fetch as typeof fetch }
  const auth = new GoogleAuth({ credentials, clientOptions: { transporterOptions } })
  const client = await auth.getIdTokenClient(audience)
  return client.idTokenProvider.fetchIdToken(audience)
}

/** All that is on the wire, by name; times are seconds from now, what is the key's own is a name again. */
function parts({ method, url, headers, form, assertion }: Seen, key: KeyFile): Record<string, unknown> {
  const { assertion: _, ...fields } = form
  const { iat, exp, ...claims } = assertion!.claims as { iat: number, exp: number }
  const times = { iat: iat - NOW / 1000, exp: exp - NOW / 1000 }
  const own = new Map<unknown, string>([
    [key.private_key_id, '<private_key_id>'],
    [key.client_email, '<client_email>']
  ])
  const named = (kind: string, values: object) =>
    Object.entries(values).map(([name, value]) => [`${kind} ${name}`, own.get(value) ?? value])
  return {
    method,
    url,
    order: Object.keys(form).join(),
    ...Object.fromEntries([
      ...named('header', headers),
      ...named('form', fields),
      ...named('JWS', assertion!.header),
      ...named('claim', { ...claims, ...times })
    ])
  }
}

function matches(value: unknown, expected: unknown): boolean {
  return expected instanceof RegExp ? expected.test(String(value)) : value === expected
}
