// npm run test:clients [-- --install]
// The samples of Google's own documentation, in Google's own clients, against the local Google: they prove it
// faithful. They come from Debian's packages, which are installed only in CI, or when told so.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { mustRun, root, run, workFolder } from '../../scripts/project.js'

const isCi = !!process.env.CI
const { values: options } = parseArgs({ options: { install: { type: 'boolean', default: isCi } } })
const work = workFolder()
const here = join(root, 'spec/clients')
const jars = [
  'google-auth-library-credentials', 'google-auth-library-oauth2-http', 'google-http-client',
  'google-http-client-jackson2', 'jackson-core', 'guava', 'opencensus-api', 'opencensus-contrib-http-util',
  'grpc-context'
].map((name) => `/usr/share/java/${name}.jar`)
/** Nothing of this machine's own credentials, and no proxy before the loopback. */
const environment = { PATH: process.env.PATH, HOME: work, CLOUDSDK_CONFIG: work, NO_PROXY: '127.0.0.1' }

const clients = [
  {
    name: 'Go, idtoken.NewClient',
    packages: ['golang-go', 'golang-google-api-dev'],
    prepare: () => mustRun('go', ['build', '-o', join(work, 'client'), join(here, 'client.go')], {
      env: { ...process.env, GO111MODULE: 'off', GOFLAGS: '', GOPATH: '/usr/share/gocode' }
    }),
    command: [join(work, 'client')]
  },
  {
    name: 'Python, google-auth',
    packages: ['python3-google-auth', 'python3-requests'],
    // Not any other Python that is first in PATH: Debian's packages are for Debian's own.
    prepare: () => mustRun('/usr/bin/python3', ['-c', 'import google.auth, requests']),
    command: ['/usr/bin/python3', join(here, 'client.py')]
  },
  {
    name: 'Java, google-auth-library',
    packages: ['libgoogle-auth-java', 'default-jdk-headless'],
    prepare: () => mustRun('javac', ['-cp', jars.join(':'), '-d', work, join(here, 'Client.java')]),
    command: ['java', '-cp', [work, ...jars].join(':'), 'Client']
  }
]

const { createGoogle, serve } = await localGoogle()
const counts = { passed: 0, failed: 0, skipped: 0 }

for (const client of clients) {
  const obstacle = await obstacleFor(client)
  for (const [where, lay] of [['with a key', layKey], ['on Google Cloud', layMetadataServer]]) {
    const title = `${client.name}, ${where}`
    if (obstacle) {
      report(isCi ? 'failed' : 'skipped', title, obstacle)
      continue
    }
    const error = await call(client, lay).catch((error) => error)
    if (error) report('failed', title, error.stack)
    else report('passed', title)
  }
}

const skipped = counts.skipped ? `, ${counts.skipped} skipped` : ''
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`)
process.exitCode = counts.failed ? 1 : 0

function report(result, title, details = '') {
  counts[result]++
  console.log(`${result}: ${title}${details && `\n${details.trim().replace(/^/gm, '    ')}`}`)
}

/** Why the client cannot be run, if so. */
async function obstacleFor({ packages, prepare }) {
  const attempt = (work) => work().then(() => undefined, (error) => error.message)
  const obstacle = await attempt(prepare)
  if (!obstacle) return
  if (options.install) return await attempt(() => install(packages)) ?? attempt(prepare)
  return `${obstacle}\nnpm run test:clients -- --install takes it from Debian: ${packages.join(' ')}`
}

async function install(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await mustRun('apt-get', ['update', '-qq'], { env })
  await mustRun('apt-get', ['install', '-qq', '--no-install-recommends', ...packages], { env })
}

/** The client calls a private service by an account that may: what reaches it must be of that account. */
async function call({ command }, lay) {
  const google = createGoogle()
  const served = await serve((request) => google.handle(request))
  try {
    const { account, env } = await lay(google, served)
    const greeting = `hello ${crypto.randomUUID()}`
    const received = []
    google.createService({
      invokers: [account.email],
      handler(request) {
        received.push(request.headers.get('authorization'))
        return new Response(greeting)
      }
    })
    const [program, ...args] = command
    const settings = { env: { ...environment, ...env }, timeout: 60_000 }
    const { code, stdout, output } = await run(program, [...args, served.url], settings)
    if (code !== 0 || stdout.trim() !== `200\n${greeting}`) throw new Error(`the client says:\n${output}`)

    const { headers } = google.requests.find(({ endpoint }) => endpoint === 'run')
    const token = headers.authorization.replace('Bearer ', '')
    const { payload } = await jwtVerify(token, createLocalJWKSet(await google.keys.jwks()), {
      issuer: 'https://accounts.google.com',
      audience: served.url
    })
    if (payload.email !== account.email) throw new Error(`the token is of ${payload.email}`)
    const unsigned = token.replace(/[^.]*$/, 'SIGNATURE_REMOVED_BY_GOOGLE')
    if (received.join() !== `Bearer ${unsigned}`) throw new Error(`the service received ${received}`)
  } finally {
    await served.close()
  }
}

async function layKey(google, { url }) {
  const account = google.createAccount()
  const file = join(work, 'key.json')
  await writeFile(file, JSON.stringify({ ...await google.createKey(account), token_uri: `${url}/token` }))
  return { account, env: { GOOGLE_APPLICATION_CREDENTIALS: file } }
}

async function layMetadataServer(google, { url }) {
  const account = google.createAccount()
  google.runOnGoogleCloud(account)
  const { host } = new URL(url)
  // Python of that age knows only the second.
  return { account, env: { GCE_METADATA_HOST: host, GCE_METADATA_ROOT: host } }
}

async function localGoogle() {
  const outfile = join(work, 'google.mjs')
  const contents = "export * from './google/index.ts'\nexport * from './google/server.ts'"
  const stdin = { contents, resolveDir: join(root, 'spec') }
  await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external' })
  return import(outfile)
}
