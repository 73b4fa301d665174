// node spec/runtimes/overlap/run.js [--subject ours|classic|foreign-rejection] [--config TEXT] [--case TEXT]
// Requests that overlap in one isolate of real workerd: each case in a fresh process, in every configuration,
// for the library and for two subjects that this test must see fail.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { root, workFolder } from '../../../scripts/project.js'
import { startWorkerd } from '../workerd.js'
import { cases } from './cases.js'
import { openHost } from './host.js'
import { Scene } from './scene.js'

const AT_ONCE = 12

const { values: wanted } = parseArgs({
  options: {
    subject: { type: 'string', default: '' },
    config: { type: 'string', default: '' },
    case: { type: 'string', default: '' },
  },
})

// A promise whose request is gone never settles; in the last of the builds, under a recent date, it rejects.
// Node's API is there by default since 2026-08-04.
const builds = { '2026-04': '2026-04-26', '2026-10': '2026-10-23', '2026-11': '2026-11-17' }

const configs = Object.entries(builds).flatMap(([build, newest]) => [
  { build, date: '2022-01-01', flags: [] },
  { build, date: '2024-10-13', flags: [] },
  { build, date: '2026-04-26', flags: [], rejects: build === '2026-11' },
  { build, date: '2026-04-26', flags: ['no_handle_cross_request_promise_resolution'] },
  { build, date: newest, flags: ['nodejs_compat'], rejects: build === '2026-11' },
]).map((config) => ({ ...config, name: ['workerd', config.build, config.date, ...config.flags].join(' ') }))

const allCases = Object.keys(cases)
const live = ['the leader stays']
const dead = allCases.filter((name) => /^the leader is gone: it(s client leaves| answers| throws)/.test(name))

/** A control must pass where the leader lives, so that its failures are its own. */
const subjects = [
  { name: 'ours', source: 'lib/index.ts', passes: () => allCases, fails: () => [] },
  { name: 'classic', source: control('classic'), passes: () => live, fails: () => dead },
  {
    name: 'foreign-rejection',
    source: control('foreign-rejection'),
    passes: () => live,
    fails: ({ rejects }) => rejects ? dead : [],
  },
]

const work = workFolder()
const host = await openHost(await loadGoogle())
const runs = configs.flatMap((config, number) => subjects.flatMap((subject) => [
  ...subject.passes(config).map((name) => ({ config, number, subject, name, mustFail: false })),
  ...subject.fails(config).map((name) => ({ config, number, subject, name, mustFail: true })),
])).filter(({ config, subject, name }) =>
  subject.name.includes(wanted.subject) && config.name.includes(wanted.config) && name.includes(wanted.case))

const table = new Map()
for (const { name } of new Set(runs.map(({ subject }) => subject))) await writeWorkers(name)
const queue = [...runs.entries()]
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let next; (next = queue.shift());) await perform(...next)
}))
await host.close()

console.table(Object.fromEntries([...table].sort()))
const total = (key) => [...table.values()].reduce((sum, row) => sum + row[key], 0)
console.log(`${total('passed')} passed, ${total('failed')} failed`)
process.exitCode = total('failed') || !total('passed') ? 1 : 0

async function perform(id, { config, subject, name, mustFail }) {
  const row = rowOf(config, subject)
  let worker
  let scene
  let failure
  try {
    worker = await startWorkerd(config.build, await writeConfig(id, config, subject))
    await fetch(worker.url, { method: 'POST', body: '{ "id": "warm-up", "audience": "" }' })
    scene = new Scene(host, worker.url, `https://case-${id}.example`)
    await cases[name](scene)
  } catch (error) {
    failure = error
  }
  await worker?.stop()

  const expected = mustFail ? failure?.message.startsWith('no token: ') : !failure
  row[expected ? 'passed' : 'failed']++
  row['longest wait (ms)'] = Math.max(row['longest wait (ms)'], scene?.longest ?? 0)
  if (expected) return
  const complaint = failure ? failure.message : 'was not seen to fail'
  console.log(`\nFAILED ${subject.name} › ${name}   (${config.name})\n${indent(complaint)}`)
  if (worker?.log()) console.log(indent(worker.log().trim()))
}

function rowOf(config, subject) {
  const key = `${config.name}: ${subject.name}`
  if (!table.has(key)) table.set(key, { passed: 0, failed: 0, 'longest wait (ms)': 0 })
  return table.get(key)
}

function indent(text) {
  return text.replace(/^/gm, '    ')
}

// ---

function control(name) {
  return `spec/runtimes/overlap/subjects/${name}.js`
}

async function loadGoogle() {
  const file = join(work, 'google.mjs')
  const contents = 'export * from "./spec/google/index.ts"\nexport * from "./spec/google/server.ts"'
  await build({
    stdin: { contents, resolveDir: root },
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  })
  return import(pathToFileURL(file))
}

/** One folder per subject, with the two Workers in it. */
async function writeWorkers(name) {
  const { source } = subjects.find((subject) => subject.name === name)
  await build({
    entryPoints: ['front', 'main'].map((worker) => fileURLToPath(new URL(`${worker}.js`, import.meta.url))),
    outdir: join(work, name),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    alias: { 'gcp-id-token': join(root, source) },
  })
}

async function writeConfig(id, { date, flags }, subject) {
  const file = join(work, subject.name, `${id}.capnp`)
  const text = JSON.stringify
  await writeFile(file, `
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "front")],
  services = [
    (name = "internet", network = (allow = ["local"])),
    (name = "front", worker = (
      compatibilityDate = "2024-10-13",
      modules = [(name = "front.js", esModule = embed "front.js")],
      bindings = [(name = "MAIN", service = "main"), (name = "HOST", text = "${host.url}")],
    )),
    (name = "main", worker = (
      compatibilityDate = "${date}",
      compatibilityFlags = ${text(flags)},
      modules = [(name = "main.js", esModule = embed "main.js")],
      bindings = [
        (name = "HOST", text = "${host.url}"),
        (name = "CREDENTIALS", text = ${text(host.credentials)}),
      ],
    )),
  ],
);
`)
  return file
}
