// npm start [-- --credentials key.json https://my-service.a.run.app]
// The main job, inside an edge VM: a key becomes an ID token, and the token opens a private service. Without
// arguments, Google and the service are local ones on loopback.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { EdgeVM } from '@edge-runtime/vm'
import { build } from 'esbuild'
import { root, workFolder } from './project.js'

const { values, positionals: [url] } = parseArgs({ allowPositionals: true, options: { credentials: { type: 'string' } } })

if (!values.credentials !== !url) {
  console.error('usage: npm start -- --credentials key.json https://my-service.a.run.app')
  process.exit(2)
}

try {
  if (url) await showMainJob(readFileSync(values.credentials, 'utf8'), url)
  else await onLoopback(showMainJob)
} catch (error) {
  // Errors of the library name what to do; their stack would say no more.
  console.error(`\n${error.name}${error.code ? ` ${error.code}` : ''}: ${error.message}`)
  process.exitCode = 1
}

async function showMainJob(credentials, url) {
  const audience = new URL(url).origin
  const vm = new EdgeVM({ initialCode: await libraryAsScript() })
  Object.assign(vm.context, { credentials, audience, url, say: (text) => console.log(`  ${text}`) })
  console.log(`A token for ${audience}, made in an edge VM without any Node API:`)
  const { token, status, answer } = await vm.evaluate(`(${callService})()`)

  const { aud, email, exp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
  console.log(`\nThe service answered ${status}:\n${answer.trim().replace(/^/gm, '  ')}\n`)
  console.log(`audience   ${aud}\nemail      ${email}\ntime left  ${Math.round((exp * 1000 - Date.now()) / 60_000)} min`)
  if (status !== 200) process.exitCode = 1
}

/** What an edge function would do. It runs in the VM, so it sees only what is handed to it there. */
/* global credentials, audience, url, say, gcpIdToken */
async function callService() {
  const saying = async (to, init) => {
    say(`${init.method} ${to}`)
    const response = await fetch(to, init)
    say(`  ${response.status}`)
    return response
  }
  say('reading the key')
  const token = await gcpIdToken.getIdToken({ credentials, audience, fetch: saying })
  say('a token from memory, by asking again')
  await gcpIdToken.getIdToken({ credentials, audience, fetch: saying })
  const response = await saying(url, { method: 'GET', headers: { authorization: `Bearer ${token}` } })
  return { token, status: response.status, answer: await response.text() }
}

async function onLoopback(task) {
  const { createGoogle, serve } = await localGoogle()
  const google = createGoogle()
  const served = await serve((request) => google.handle(request))
  try {
    const account = google.createAccount('caller')
    google.createService({ invokers: [account.email], handler: greet })
    const key = { ...(await google.createKey(account)), token_uri: `${served.url}/token` }
    console.log(`Local Google and a private service at ${served.url}`)
    await task(JSON.stringify(key), `${served.url}/hello`)
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
  await build({ stdin: { contents, resolveDir: root }, outfile, bundle: true, format: 'esm', packages: 'external' })
  return import(pathToFileURL(outfile))
}

async function libraryAsScript() {
  const entry = { entryPoints: [join(root, 'lib/index.ts')], globalName: 'gcpIdToken', format: 'iife' }
  const { outputFiles } = await build({ ...entry, bundle: true, write: false, target: 'es2022' })
  return outputFiles[0].text
}
