// node spec/runtimes/stores/run.js [part of an engine's name …]
// The recipes for shared stores, on the real engines: every case with every engine, against the local Google.
// An engine that is not here is skipped, with the reason; in CI that is a failure.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { root, workFolder } from '../../../scripts/project.js'
import { AUDIENCE, cases, casesOfServers } from './cases.js'
import { engines } from './engines.js'

const secrets = { own: 'pB5dHs0nQ2xKw8eVtY7mJc4rZ1uLgA3f', foreign: 'Xk9vR2qTb6WnD4yFs8HjM1cPz7GeU5aL' }
const filters = process.argv.slice(2).map((text) => text.toLowerCase())
const work = workFolder()
const google = await openGoogle()
const table = {}

for (const [name, engine] of Object.entries(engines)) {
  if (filters.length && !filters.some((text) => name.toLowerCase().includes(text))) continue
  table[name] = { passed: 0, failed: 0, skipped: 0 }
  const reason = engine.missing()
  if (reason) skip(name, reason)
  else for (const played of Object.entries({ ...cases, ...engine.isServer && casesOfServers })) {
    await perform(name, engine, ...played)
  }
}
await google.close()

console.table(table)
const total = (key) => Object.values(table).reduce((sum, row) => sum + row[key], 0)
const skipped = total('skipped') ? `, ${total('skipped')} skipped` : ''
console.log(`${total('passed')} passed, ${total('failed')} failed${skipped}`)
process.exitCode = total('failed') || !total('passed') ? 1 : 0

async function perform(name, { open }, title, play) {
  const folder = join(work, name.replaceAll(' ', '-'), title.replace(/\W+/g, '-'))
  await mkdir(folder, { recursive: true })
  let opened
  try {
    opened = await open(folder, secrets)
    const before = google.exchanges()
    await play({
      ...opened,
      ask: (questions, secret) => opened.ask({
        credentials: google.credentials,
        questions: questions.map((question) => ({ audience: AUDIENCE, ...question })),
      }, secret),
      exchanges: () => google.exchanges() - before,
      google,
      secrets,
    })
    table[name].passed++
  } catch (error) {
    fail(name, title, error.stack)
  }
  google.age(0)
  await opened?.close().catch(() => {}) // what did not start has said so before
}

function skip(name, reason) {
  if (process.env.CI) return fail(name, 'all', `skipped: ${reason}`)
  console.log(`\nSKIPPED ${name}: ${reason}`)
  table[name].skipped++
}

function fail(name, title, text) {
  table[name].failed++
  console.log(`\nFAILED ${name} › ${title}\n${text.replace(/^/gm, '    ')}`)
}

async function openGoogle() {
  const outfile = join(work, 'google.mjs')
  const contents = 'export * from "./spec/google/index.ts"\nexport * from "./spec/google/server.ts"'
  await build({
    stdin: { contents, resolveDir: root },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  })
  const { createGoogle, serve } = await import(pathToFileURL(outfile))
  const google = createGoogle()
  // Else two tokens of one second are the same.
  google.settings.idTokenClaims = { get jti() { return `${google.requests.length}` } }
  const { url, close } = await serve((request) => google.handle(request))
  return {
    credentials: JSON.stringify({ ...await google.createKey(), token_uri: `${url}/token` }),
    exchanges: () => google.requests.length,
    age(seconds) { google.settings.idTokenAge = seconds },
    close,
  }
}
