import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { install, manifest, mustRun, workFolder } from '../scripts/project.js'
import { runPage } from './google/answers.ts'
import { createGoogle, faults } from './google/index.ts'
import type { Google, KeyFile, Service } from './google/index.ts'
import { gitHubJob } from './google/platforms.ts'
import { serve } from './google/server.ts'
import type { Served } from './google/server.ts'
import { bodyOf } from './support/errors.ts'

// The program as npm installs it, in a process and an empty folder of its own. Only the network is not the
// real one: wherever `fetch` goes, the local Google answers.
const test = suite<Scene>('the command line')

const work: string = workFolder()
let installed: string
let scenes = 0

test.before(async () => {
  installed = (await install(work)).project
})

test.before.each(async (scene) => {
  const google = createGoogle()
  const served = await serve((request) => google.handle(asked(request)))
  const home = join(work, `home-${++scenes}`)
  mkdirSync(home)
  const key = await google.createKey()
  const service = google.createService({ invokers: [key.client_email], handler: hello })
  Object.assign(scene, { google, served, home, key, service, keyFile: write(home, 'key.json', key) })
})

test.after.each(({ served }) => served.close())

// A token for the audience.

test('prints a token, and nothing else', async (scene) => {
  const { stdout, stderr, code } = await run(scene, [scene.service.url, '--credentials', scene.keyFile])
  assert.is(code, 0)
  assert.is(stderr, '')
  assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  assert.equal(await claimsOf(scene, stdout), [scene.service.url, scene.key.client_email])
})

test('takes the audience as it is', async (scene) => {
  const audience = '123-abc.apps.googleusercontent.com'
  const { stdout } = await run(scene, ['--credentials', scene.keyFile, audience])
  assert.equal(await claimsOf(scene, stdout), [audience, scene.key.client_email])
})

for (const [name, place] of Object.entries<Place>({
  'GOOGLE_APPLICATION_CREDENTIALS': ({ home }) => [join(home, 'my.json'), {
    GOOGLE_APPLICATION_CREDENTIALS: join(home, 'my.json')
  }],
  'the folder that CLOUDSDK_CONFIG names': ({ home }) => [join(home, 'sdk', WELL_KNOWN), {
    CLOUDSDK_CONFIG: join(home, 'sdk')
  }],
  '~/.config/gcloud': ({ home }) => [join(home, '.config/gcloud', WELL_KNOWN), {}],
  'APPDATA': ({ home }) => [join(home, 'gcloud', WELL_KNOWN), { APPDATA: home }]
})) {
  test(`finds credentials by ${name}`, async (scene) => {
    const [path, env] = place(scene)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, JSON.stringify(scene.key))
    const { stdout } = await run(scene, ['https://a.example'], env)
    assert.equal(await claimsOf(scene, stdout), ['https://a.example', scene.key.client_email])
  })
}

test('prefers the option to the environment, and that to the file of gcloud', async (scene) => {
  const other = await scene.google.createKey()
  const third = await scene.google.createKey()
  const gcloud = { CLOUDSDK_CONFIG: dirname(write(scene.home, WELL_KNOWN, third)) }
  const both = { GOOGLE_APPLICATION_CREDENTIALS: write(scene.home, 'other.json', other), ...gcloud }
  const account = async (env: Env, ...args: string[]) => {
    const { stdout } = await run(scene, ['https://a.example', ...args], env)
    return (await claimsOf(scene, stdout))[1]
  }
  assert.is(await account(both, '--credentials', scene.keyFile), scene.key.client_email)
  assert.is(await account(both), other.client_email)
  assert.is(await account(gcloud), third.client_email)
})

test('reads what is damaged in the ways that the library knows', async (scene) => {
  writeFileSync(scene.keyFile, Buffer.from(JSON.stringify(scene.key)).toString('base64'))
  const { stdout, code } = await run(scene, ['--check', scene.service.url, '--credentials', scene.keyFile])
  assert.is(code, 0)
  assert.match(stdout, /^ok +credentials .*not plain JSON/m)
})

test('asks the metadata server where there are no credentials, for a token with an email', async (scene) => {
  const account = scene.google.createAccount()
  scene.google.runOnGoogleCloud(account, 'compute')
  const { stdout } = await run(scene, ['https://a.example'])
  assert.equal(await claimsOf(scene, stdout), ['https://a.example', account.email])
})

test('asks the metadata server that GCE_METADATA_HOST names', async (scene) => {
  scene.google.runOnGoogleCloud(scene.google.createAccount())
  await run(scene, ['https://a.example'], { GCE_METADATA_HOST: '127.0.0.1:8080' })
  assert.match(scene.google.requests.at(-1)!.url, /^http:\/\/127\.0\.0\.1:8080\//)
})

test('acts as another account by the file of gcloud', async (scene) => {
  const target = scene.google.createAccount()
  const user = scene.google.createUser('me@example.com')
  scene.google.grant('user:me@example.com', 'roles/iam.serviceAccountTokenCreator', target.email)
  const json = { type: 'impersonated_service_account', source_credentials: user, ...acting(target.email) }
  const { stdout } = await run(scene, withJson(scene, json))
  assert.equal(await claimsOf(scene, stdout), ['https://a.example', target.email])
})

for (const format of ['text', 'json']) {
  test(`takes the subject token out of a file of ${format}`, async (scene) => {
    const { json, email, token } = await federated(scene)
    const file = write(scene.home, 'token', format === 'json' ? { id: token } : `${token}\n`)
    const credential_source = { file, format: { type: format, subject_token_field_name: 'id' } }
    const { stdout } = await run(scene, withJson(scene, { ...json, credential_source }))
    assert.equal(await claimsOf(scene, stdout), ['https://a.example', email])
    assert.is(scene.google.requests.find(({ endpoint }) => endpoint === 'sts')!.form.subject_token, token)
  })
}

test('takes the subject token from a URL, as on GitHub', async (scene) => {
  const { json, email, source } = await federated(scene)
  const { stdout } = await run(scene, withJson(scene, { ...json, credential_source: source }))
  assert.equal(await claimsOf(scene, stdout), ['https://a.example', email])
})

for (const [name, change, says] of [
  ['a URL that refuses', { headers: { authorization: 'Bearer secret-text' } }, /cannot be read \(status 401/],
  ['a header that is none', { headers: { authorization: 'secret-\ntext' } }, /credential_source cannot/],
  ['no such file', { file: '/no/such/file' }, /cannot be read \(ENOENT\)/],
  ['an empty file', { file: '/dev/null', format: undefined }, /credential_source has no token/],
  ['JSON without the field', { format: { type: 'json' } }, /subject_token_field_name/]
] as const) {
  test(`says why there is no subject token: ${name}`, async (scene) => {
    const { json, source } = await federated(scene)
    const args = withJson(scene, { ...json, credential_source: { ...source, ...change } })
    const { stderr, code } = await run(scene, args)
    assert.is(code, 5)
    assert.match(stderr, says)
    assert.not.match(stderr, /secret-\s*text/)
  })
}

for (const [kind, source] of Object.entries({
  aws: { environment_id: 'aws1', url: 'http://169.254.169.254/x' },
  executable: { executable: { command: 'x' } }
})) {
  test(`serves no subject token of ${kind}`, async (scene) => {
    const { json } = await federated(scene)
    const { stderr, code } = await run(scene, withJson(scene, { ...json, credential_source: source }))
    assert.is(code, 3)
    assert.match(stderr, /credential_source is neither a file nor a URL/)
  })
}

// What goes wrong before there is a token. With and without --check, the exit code is the same.

for (const [name, code, says, spoil] of [
  ['no credentials', 3,
    /no credentials in .*CREDENTIALS.*\.config.gcloud.* no metadata .*--credentials key.*gcloud auth .*login/,
    () => ({ args: [] })],
  ['no such file', 3, /--credentials names \/no\/such\.json, which cannot be read \(ENOENT\)/,
    () => ({ args: ['--credentials', '/no/such.json'] })],
  ['a folder', 3, /EISDIR/, ({ home }) => ({ args: ['--credentials', home] })],
  ['no such file in the environment', 3, /GOOGLE_APPLICATION_CREDENTIALS names \/no\/such\.json/,
    () => ({ args: [], env: { GOOGLE_APPLICATION_CREDENTIALS: '/no/such.json' } })],
  ['JSON in the place of a file', 3, /GOOGLE_APPLICATION_CREDENTIALS must name a file/,
    () => ({ args: [], env: { GOOGLE_APPLICATION_CREDENTIALS: '{ "refresh_token": "1//secret-text" }' } })],
  ['base64 in the place of a file', 3, /--credentials must name a file/,
    ({ key }) => ({ args: ['--credentials', Buffer.from(JSON.stringify(key)).toString('base64')] })],
  ['an empty file', 3, /--credentials names \S+spoilt\.json, which is empty/, (scene) => file(scene, '')],
  ['a file of white space', 3, /which is empty/, (scene) => file(scene, '\ufeff \r\n')],
  ['a file without JSON', 3, /invalid_credentials/, (scene) => file(scene, 'no JSON')],
  ['half a file', 3, /invalid_credentials: .*cut short/,
    (scene) => file(scene, JSON.stringify(scene.key).slice(0, 900))],
  ['a key without an email', 3, /client_email/,
    (scene) => file(scene, { private_key: scene.key.private_key })],
  ['half a private key', 3, /invalid_key: .*cut short/,
    (scene) => file(scene, { ...scene.key, private_key: scene.key.private_key.slice(0, 800) })],
  ['the login of a user', 3, /unsupported_credentials: .*gcloud auth application-default login/,
    (scene) => file(scene, scene.google.createUser('me@example.com'))],
  ['federation that acts as no account', 3, /lack service_account_impersonation_url/,
    (scene) => file(scene, { type: 'external_account', audience: 'x', credential_source: { file: 'x' } })],
  ['wrapped federation without a source', 3, /lack credential_source/, (scene) => {
    const json = { type: 'external_account', audience: 'x', ...acting(scene.key.client_email) }
    return file(scene, Buffer.from(JSON.stringify(json)).toString('base64'))
  }],
  ['a token URL of strangers', 3, /invalid_credentials: .*token_uri/,
    (scene) => file(scene, { ...scene.key, token_uri: 'https://example.com/token' })],
  ['a deleted key', 4, /rejected: .*Invalid JWT Signature/, (scene) => {
    for (const account of scene.google.world.accounts.values()) account.keys.length = 0
    return {}
  }],
  ['a deleted account', 4, /rejected: .*account not found/, (scene) => {
    scene.google.world.accounts.clear()
    return {}
  }],
  ['a wrong clock that Google does not tell', 4, /rejected: .*Set the clock/, (scene) => {
    Object.assign(scene.google.settings, { clockOffset: 7200, dateHeader: false })
    return {}
  }],
  ['an ID token for somebody else', 4, /invalid_response/, (scene) => {
    scene.google.settings.idTokenClaims = { aud: 'https://other.example' }
    return {}
  }],
  ['a Google that fails', 5, /unavailable: .*503/, (scene) => {
    scene.google.always('token', faults.page(503))
    return {}
  }],
  ['a network that fails', 5, /unavailable: .*did not answer/, (scene) => {
    scene.google.always('token', faults.dropped())
    return {}
  }],
  ['a metadata host that is none', 2, /GCE_METADATA_HOST is no host/,
    () => ({ args: [], env: { GCE_METADATA_HOST: 'no host' } })]
] as Fault[]) {
  test(`ends with ${code}: ${name}`, async (scene) => {
    const { args = ['--credentials', scene.keyFile], env } = spoil(scene)
    const printed = await run(scene, [scene.service.url, ...args], env)
    assert.is(printed.code, code)
    assert.is(printed.stdout, '')
    assert.match(printed.stderr, says)
    const checked = await run(scene, ['--check', scene.service.url, ...args], env)
    assert.is(checked.code, code)
    assert.match(failureIn(checked.stdout), says)
    assert.not.match(checked.stdout, /^ok +credentials [^]*^FAIL +(credentials|token +no cred)/m)
    assert.not.match(printed.stderr + checked.stdout, 'secret-text')
    assert.not(scene.google.requests.some(({ endpoint }) => endpoint === 'run'), 'the service was called')
  })
}

for (const args of [
  [], ['https://a.example', 'https://b.example'], ['--check'], ['--nonsense', 'x'], ['--credentials'], [''],
  ['https://a.example', '--audience', 'x'], ['--check', 'a.example'], ['--check', 'http://a.example/'],
  ['--check', 'http://localhost.a.example/'], ['--check', 'https://me:password@a.example/'],
  ['--check=yes', 'https://a.example'], ['--check', 'https://a.example/', '--audience', '']
]) {
  test(`ends with 2: ${args.join(' ') || 'nothing'}`, async (scene) => {
    const { stdout, stderr, code } = await run(scene, args)
    assert.is(code, 2)
    assert.is(stdout, '')
    assert.match(stderr, /^gcp-id-token: (.+; see --help|--check takes .+)\n$/)
    assert.not.match(stderr, /password@|METADATA/)
    assert.is(scene.google.requests.length, 0)
  })
}

for (const [target, meant] of [
  ['my-service-abc123-ew.a.run.app', 'https://my-service-abc123-ew.a.run.app'],
  ['my-service-abc123-ew.a.run.app/path?secret=1', 'https://my-service-abc123-ew.a.run.app/path'],
  ['http://a.example/', 'https://a.example']
] as const) {
  test(`guesses what is meant by ${target}`, async (scene) => {
    const { stderr, code } = await run(scene, ['--check', target])
    assert.is(code, 2)
    assert.match(stderr, ` Did you mean ${meant}?\n`)
  })
}

for (const target of ['me.example:password@a.example', 'ftp://a.example', 'service', 'a.example:b']) {
  test(`guesses nothing secret or senseless from ${target}`, async (scene) => {
    const { stderr, code } = await run(scene, ['--check', target])
    assert.is(code, 2)
    assert.not.match(stderr, /Did you mean|password/)
  })
}

test('tells its version, and its exit codes', async (scene) => {
  assert.is((await run(scene, ['--version'])).stdout, `${manifest.version}\n`)
  const { stdout, code } = await run(scene, ['--help'])
  assert.is(code, 0)
  for (const code of [0, 1, 2, 3, 4, 5, 6, 7]) assert.match(stdout, new RegExp(`^.{12}${code} \\S`, 'm'))
})

test('runs by npx', async ({ home }) => {
  const env = { PATH: process.env.PATH, HOME: home }
  const args = ['--no-install', 'gcp-id-token', '--version']
  const { stdout } = await mustRun('npx', args, { cwd: installed, env })
  assert.is(stdout, `${manifest.version}\n`)
})

if (!process.env.TARBALL) test('runs in a checkout that was built', async (scene) => {
  const checkout = join(work, 'sources/scripts/cli.js') // from which the package was made
  const { stdout } = await run(scene, ['https://a.example', '--credentials', scene.keyFile], {}, checkout)
  assert.equal(await claimsOf(scene, stdout), ['https://a.example', scene.key.client_email])
})

// What becomes of the token at the service.

test('explains each step of a call that succeeds', async (scene) => {
  const { code, stdout, stderr } = await check(scene, `${scene.service.url}/path?secret=1`)
  assert.is(code, 0)
  assert.is(stderr, '')
  const steps = ['credentials', 'audience', 'key', 'exchange', 'clock', 'token', 'service']
  assert.equal(stepsIn(stdout), steps.map((step) => `ok ${step}`))
  assert.match(stdout, `--credentials): a key of ${scene.key.client_email}, id ${scene.key.private_key_id}\n`)
  assert.match(stdout, `POST https://oauth2.googleapis.com/token: 200 (`)
  assert.match(stdout, `audience ${scene.service.url}, email ${scene.key.client_email}, time left 60 min`)
  assert.match(stdout, `GET ${scene.service.url}/path: 200`)
  assert.match(stdout, '> Hello!\n')
  assert.not.match(stdout, 'secret=1')
  assert.not.match(stdout, /\x1b|\r/)
})

test('explains each step of a call on Google Cloud', async (scene) => {
  scene.google.runOnGoogleCloud(scene.google.createAccount(), 'compute')
  const { stdout } = await run(scene, ['--check', scene.service.url])
  assert.match(stdout, /^note +credentials +the metadata server/m)
  assert.match(stdout, /^ok +exchange +GET http:\/\/metadata\.google\.internal\/\S+\/identity: 200 \(/m)
})

for (const [name, says, clockOffset] of [
  ['ahead', /3 h ahead.*\n.*set the clock/, 3 * 3600],
  ['behind', /(29|30|31) min behind.*\n.*set the clock/, -1800],
  ['a little ahead', /^ok +clock +Google's is \d+ s ahead, which does no harm/m, 20]
] as const) {
  test(`gets on with a clock that Google's is ${name} of`, async (scene) => {
    scene.google.settings.clockOffset = clockOffset
    const { code, stdout } = await check(scene, scene.service.url)
    assert.is(code, 0)
    assert.match(stdout, says)
    assert.match(stdout, 'time left 60 min')
  })
}

test('shows what was tried again', async (scene) => {
  scene.google.next('token', faults.page(503))
  const { code, stdout } = await check(scene, scene.service.url)
  assert.is(code, 0)
  assert.match(stdout, /^note +exchange .*: 503.*\nok +exchange .*: 200/m)
})

test('tells how to look for a deleted key', async (scene) => {
  for (const account of scene.google.world.accounts.values()) account.keys.length = 0
  const { stdout } = await check(scene, scene.service.url)
  assert.match(stdout, `gcloud iam service-accounts keys list --iam-account=${scene.key.client_email}\n`)
})

for (const [name, code, says, at] of [
  ['401 of Google, for an audience of elsewhere', 6,
    [/Google's page/, /of another origin/, /--audience https:\/\/hello/],
    ({ service }) => [service.url, '--audience', 'https://other.example']],
  ['401 of Google, for a path in the audience', 6,
    [/Google's page/, /with a path/, /--audience https:\/\/hello-\w+-uc\.a\.run\.app$/m],
    ({ service }) => [service.url, '--audience', `${service.url}/path`]],
  ['401 of Google, for a custom domain', 6,
    [/Google's page/, /no run\.app/, /--add-custom-audiences=https:\/\/api\.example\.com$/m],
    ({ google, service }) => {
      host(google, 'api.example.com', (request) => google.handle(new Request(service.url, request)))
      return ['https://api.example.com/']
    }],
  ['401 of Google, although the audience fits', 6,
    [/Google's page/, /audience fits/, /gcloud run services describe/],
    ({ google, service }) => {
      google.next('run', () => runPage(401, '/'))
      return [service.url]
    }],
  ['401 of the application', 7, [/application's own/, /X-Serverless-Authorization/, /> who are you/],
    answering(401, 'who are you', { 'www-authenticate': 'Bearer error="invalid_token"' })],
  ['403 of Google', 6, [
    /Google's page/, /binding hello --region=REGION --member=serviceAccount:sa-\S+ --role=roles\/run.invoker/
  ],
    (scene) => {
      scene.google.world.grants.length = 0
      return [scene.service.url]
    }],
  ['403 of Google, where the URL tells the region', 6, [/add-iam-policy-binding hello --region=us-central1 /],
    (scene) => {
      scene.google.world.grants.length = 0
      return [scene.service.urls[1]!]
    }],
  ['403 of Google, for a token without an email', 6, [/names no email/],
    (scene) => {
      scene.google.settings.idTokenClaims = { email: undefined }
      return [scene.service.url]
    }],
  ['403 of the application', 7, [/application's own/], answering(403, 'not you')],
  ['a redirect', 7, [/a redirect to https:\/\/hello-\S+\/new, not followed/],
    answering(308, '', { location: '/new?secret=1' })],
  ['a redirect to elsewhere', 7, [/a redirect to https:\/\/b\.example\/,/, /Another origin/],
    answering(302, '', { location: 'https://b.example/' })],
  ["a redirect to Google's login", 6, [/Identity-Aware Proxy/, /--audience NUMBER/],
    answering(302, '', { location: 'https://accounts.google.com/o/oauth2/v2/auth?x=1' })],
  ['404 of Google', 7, [/Google's page/, /ingress/], () => ['https://nobody-abcdefghij-uc.a.run.app/']],
  ['404 of the application', 7, [/the caller got in, but nothing is there/, /> no such page/],
    answering(404, 'no such page')],
  ['405 of the application', 7, [/405, the application's own answer/], answering(405, '')],
  ['503 of Google', 7, [/Google's page/, /logs/], ({ google, service }) => {
    google.next('run', faults.page(503))
    return [service.url]
  }],
  ['no answer', 7, [/no answer/], () => ['https://nobody.example/']],
  ['Identity-Aware Proxy with another audience', 6,
    [/Proxy does not take/, /Invalid IAP credentials: JWT audience/, /--audience NUMBER/],
    answering(401, "Invalid IAP credentials: JWT audience doesn't match this application")],
  ['Identity-Aware Proxy without the role', 6,
    [/gcloud iap web add-iam-policy-binding --member=\S+ --role=roles\/iap\.httpsResourceAccessor/],
    ({ google }) => {
      host(google, 'iap.example.com', async () => new Response("You don't have access", { status: 403 }))
      return ['https://iap.example.com/', '--audience', '1-a.apps.googleusercontent.com']
    }],
  ['an API gateway', 6, [/API gateway/, /x-google-audiences/],
    answering(403, '{"code": 403, "message": "Audiences in Jwt are not allowed"}')]
] as Answer[]) {
  test(`explains ${name}`, async (scene) => {
    const { code: found, stdout } = await check(scene, ...at(scene))
    assert.is(found, code, stdout)
    const failure = failureIn(stdout)
    for (const pattern of says) assert.match(failure, pattern)
    assert.not.match(stdout, 'secret=1')
  })
}

test('wants the whole URL of a function as audience', async (scene) => {
  const place = 'us-central1-my-project.cloudfunctions.net'
  host(scene.google, place, async (request) => {
    const token = request.headers.get('authorization')!.split(' ')[1]!
    const { aud } = await scene.google.keys.verify(token, Date.now())
    return aud === `https://${place}/greet` ? runPage(403, '/greet') : runPage(401, '/greet')
  })
  const { stdout } = await check(scene, `https://${place}/greet/me`)
  assert.match(stdout, `ok    audience     https://${place}/greet, the URL of the function\n`)
  assert.match(stdout, 'gcloud functions add-invoker-policy-binding greet --region=us-central1 --member=')
  const { stdout: other } = await check(scene, `https://${place}/greet`, '--audience', `https://${place}`)
  assert.match(other, 'Google\'s page: the token was not taken')
  assert.match(other, `Try --audience https://${place}/greet\n`)
})

test('shows no token that a service echoes, and nothing that a terminal would obey', async (scene) => {
  scene.google.world.services.length = 0
  const echo = async ({ headers }: Request) => {
    const token = headers.get('authorization')!.split(' ')[1]!
    return new Response(`\x1b[2J\x07${token} ${token.split('.')[2]} end`)
  }
  const { url } = scene.google.createService({ invokers: ['allUsers'], handler: echo })
  const { stdout, code } = await check(scene, url)
  assert.is(code, 0)
  assert.match(stdout, /> +\[2J \[redacted\]\S* \[redacted\] end\n/)
  assert.not.match(stdout, /\x1b|\x07/)
})

test('reads only the start of an endless answer', async (scene) => {
  scene.service.handler = () => new Response(new ReadableStream({
    async pull(controller) {
      await new Promise((done) => setTimeout(done)) // else nobody hears that the reader has gone
      controller.enqueue(new Uint8Array(16384).fill(97))
    }
  }))
  const { stdout, code } = await check(scene, scene.service.url)
  assert.is(code, 0)
  assert.ok(stdout.length < 2000)
})

test('shows a terminal what is under way', async (scene) => {
  const command = [program(), '--check', scene.service.url, '--credentials', scene.keyFile].join(' ')
  const { stdout } = await run(scene, ['-qec', command, '/dev/null'], {}, 'script')
  assert.match(stdout, /\r\x1b\[2K… exchange +POST [^\n]*\r\x1b\[2K\x1b\[32m✓\x1b\[0m exchange +POST/)
  const steps = stripVTControlCharacters(stdout).split('\n').filter((line) => /✓/.test(line))
  assert.is(steps.length, 7, stdout)
})

test.run()

const WELL_KNOWN = 'application_default_credentials.json'

function program(): string {
  return join(installed, 'node_modules/.bin', manifest.name)
}

/** Runs the program, and looks at all that it printed for what it must never print. */
async function run(scene: Scene, args: string[], env: Env = {}, command = program()): Promise<Printed> {
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
  const printed = await spawned(command, args, { PATH, HOME: scene.home, ...detour(scene.served), ...env })
  const { stdout, stderr } = printed
  const isCheck = args.join(' ').includes('--check')
  assert.not.match(isCheck ? stdout + stderr : stderr, /eyJ[\w-]{9,}/)
  const secret = bodyOf(scene.key.private_key)
  for (let i = 0; i + 12 <= secret.length; i++) {
    assert.not((stdout + stderr).includes(secret.slice(i, i + 12)), stdout + stderr)
  }
  return printed
}

function check(scene: Scene, ...args: string[]): Promise<Printed> {
  return run(scene, ['--check', '--credentials', scene.keyFile, ...args])
}

function spawned(command: string, args: string[], env: Env): Promise<Printed> {
  return new Promise((settle, fail) => {
    const child = spawn(command, args, { cwd: installed, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const printed = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text) => { printed.stdout += text })
    child.stderr.setEncoding('utf8').on('data', (text) => { printed.stderr += text })
    child.on('error', fail)
    child.on('close', (code) => settle({ code, ...printed }))
  })
}

/** Names and certificates are the only thing about the network that a program on loopback cannot have. */
function detour({ url }: Served) {
  const source = `
    const { fetch } = globalThis
    globalThis.fetch = (to, init) => {
      const { href, pathname, search } = new URL(to)
      const headers = { ...init?.headers, '${DETOUR}': href }
      return fetch('${url}' + pathname + search, { ...init, headers })
    }`
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(source)}` }
}

/** The request as it was before the detour. */
function asked(request: Request): Request {
  const headers = new Headers(request.headers)
  const url = headers.get(DETOUR)!
  headers.delete(DETOUR)
  const { method, signal, body } = request
  return new Request(url, { method, headers, signal, ...body && { body, duplex: 'half' } })
}

const DETOUR = 'x-detour-to'

function hello() {
  return new Response('Hello!\n')
}

function write(folder: string, name: string, content: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

/** Audience and email of a token that Google signed. */
async function claimsOf({ google }: Scene, stdout: string) {
  const { aud, email } = await google.keys.verify(stdout.trim(), google.world.now())
  return [aud, email]
}

function acting(email: string) {
  const account = `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${email}`
  return { service_account_impersonation_url: `${account}:generateAccessToken` }
}

/** An `external_account`, all but its `credential_source`. */
async function federated({ google }: Scene) {
  const { issuer, env } = await gitHubJob(google)
  const { name } = google.createProvider(issuer)
  const { email } = google.createAccount()
  const pool = name.replace(/\/providers\/.*/, '')
  google.grant(`principalSet://iam.googleapis.com/${pool}/*`, 'roles/iam.workloadIdentityUser', email)
  const audience = `//iam.googleapis.com/${name}`
  const token_url = 'https://sts.googleapis.com/v1/token'
  const json = { type: 'external_account', audience, token_url, ...acting(email) }
  const url = `${env.ACTIONS_ID_TOKEN_REQUEST_URL}&audience=${encodeURIComponent(`https:${audience}`)}`
  const headers = { Authorization: `Bearer ${env.ACTIONS_ID_TOKEN_REQUEST_TOKEN}` }
  const source = { url, headers, format: { type: 'json', subject_token_field_name: 'value' } }
  const token = await issuer.issue({ aud: `https:${audience}`, sub: 'repo:acme/shop:ref:refs/heads/main' })
  return { json, email, source, token }
}

function withJson({ home }: Scene, json: object): string[] {
  return ['https://a.example', '--credentials', write(home, 'federation.json', json)]
}

function file({ home }: Scene, content: unknown) {
  return { args: ['--credentials', write(home, 'spoilt.json', content)] }
}

function answering(status: number, body: string, headers = {}) {
  return ({ service }: Scene) => {
    service.handler = () => new Response(body, { status, headers })
    return [service.url]
  }
}

function host(google: Google, name: string, answer: (request: Request) => Promise<Response>) {
  google.world.hosts.set(name, ({ request }) => answer(request))
}

function stepsIn(stdout: string): string[] {
  return [...stdout.matchAll(/^(ok|note|FAIL) +([a-z]+) /gm)].map(([, outcome, step]) => `${outcome} ${step}`)
}

/** The step that failed, which is the last one, with what is said of it. */
function failureIn(stdout: string): string {
  const [before, failure, ...more] = stdout.split(/^(?=FAIL )/m)
  assert.is(more.length, 0, stdout)
  const found = before!.startsWith('FAIL') ? before : failure
  assert.ok(found, stdout)
  return found!
}

interface Scene {
  google: Google
  served: Served
  home: string
  key: KeyFile
  keyFile: string
  service: Service
}

interface Printed {
  code: number | null
  stdout: string
  stderr: string
}

interface Call {
  args?: string[]
  env?: Env
}

type Env = Record<string, string | undefined>

type Place = (scene: Scene) => [path: string, env: Env]

type Fault = [name: string, code: number, says: RegExp, spoil: (scene: Scene) => Call]

type Answer = [name: string, code: number, says: RegExp[], at: (scene: Scene) => string[]]
