// npm start [-- --credentials key.json https://my-service.a.run.app]
// The main job, inside an edge VM: a key becomes an ID token, and the token opens a private service; each
// step is told as by `npx gcp-id-token --check`. Without arguments, Google and the service are local ones.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { EdgeVM } from '@edge-runtime/vm'
import { build } from 'esbuild'
import { check } from './cli/check.js'
import { findCredentials } from './cli/credentials.js'
import { EXIT, exitCodeOf, Failure, messageOf } from './cli/failure.js'
import { reporter } from './cli/report.js'
import { root, workFolder } from './project.js'

try {
  const { credentials, url } = readArguments()
  process.exitCode = url
    ? await checkInEdgeVm(url, () => findCredentials(credentials, process.env))
    : await onLoopback(checkInEdgeVm)
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = exitCodeOf(error)
}

function readArguments() {
  const config = { allowPositionals: true, strict: false, options: { credentials: { type: 'string' } } }
  const { values: { credentials }, positionals: [url] } = parseArgs(config)
  if (!credentials === !url && credentials !== true) return { credentials, url }
  throw new Failure(EXIT.usage, 'usage: npm start -- --credentials key.json https://my-service.a.run.app')
}

/** All that goes over the network, the library included, is in the VM; only the report is not. */
async function checkInEdgeVm(url, findSource) {
  const vm = new EdgeVM({ initialCode: await libraryAsScript() })
  const { fetch, gcpIdToken } = vm.context
  const source = () => {
    const found = findSource()
    const getIdToken = (options) => gcpIdToken.getIdToken({ credentials: found.text, ...options })
    return { ...found, getIdToken }
  }
  console.log('In an edge VM without any Node API:\n')
  return check({ url, source, fetch, report: reporter(process.stdout) })
}

async function onLoopback(task) {
  const { createGoogle, serve } = await localGoogle()
  const google = createGoogle()
  const served = await serve((request) => google.handle(request))
  try {
    const account = google.createAccount('caller')
    google.createService({ invokers: [account.email], handler: greet })
    const json = { ...(await google.createKey(account)), token_uri: `${served.url}/token` }
    const source = { from: 'made for this', path: 'a new key', text: JSON.stringify(json), json }
    console.log(`Local Google and a private service at ${served.url}`)
    return await task(`${served.url}/hello`, () => source)
  } finally {
    await served.close()
  }
}

async function greet(request) {
  const token = request.headers.get('authorization').split(' ')[1]
  const { email } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
  return new Response(`Hello, ${email}!\n`)
}

async function localGoogle() {
  const outfile = join(workFolder(), 'google.js')
  const contents = `export * from './spec/google/index.ts'; export * from './spec/google/server.ts'`
  const stdin = { contents, resolveDir: root }
  await build({ stdin, outfile, bundle: true, format: 'esm', packages: 'external' })
  return import(pathToFileURL(outfile))
}

async function libraryAsScript() {
  const entry = { entryPoints: [join(root, 'lib/index.ts')], globalName: 'gcpIdToken', format: 'iife' }
  const { outputFiles } = await build({ ...entry, bundle: true, write: false, target: 'es2022' })
  return outputFiles[0].text
}
