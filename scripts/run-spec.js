// Runs one bundled spec file against one subject, in plain Node or in the edge VM, and tells test.js.
// The process ends by itself when nothing is left to do: a test that never settles shows by that.

import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { runInContext } from 'node:vm'
import { EdgeVM } from '@edge-runtime/vm'

const job = JSON.parse(process.argv[2])
const suites = []
const failures = []
const counts = { registered: 0, total: 0, passed: 0, skipped: 0 }
let place = 'while loading'
let finished = false

const host = {
  registered: () => { counts.registered++ },
  entered: (...names) => {
    place = names.filter(Boolean).join(' › ')
    process.send({ place })
  },
  failed: (title, name, thrown) => fail([title, name].filter(Boolean).join(' › '), describe(thrown)),
  rsaKeys: JSON.parse(process.env.SPEC_RSA_KEYS)
}

const uvuGlobals = { UVU_DEFER: 1, UVU_INDEX: 0, UVU_QUEUE: [suites], SPEC_HOST: host }

process.on('unhandledRejection', (reason) => fail(`unhandled rejection, ${place}`, describe(reason)))
process.on('uncaughtException', (error) => fail(`uncaught exception, ${place}`, describe(error)))
process.once('beforeExit', report)

runSpec()

async function runSpec() {
  try {
    const touches = job.runtime === 'vm' ? loadInVm() : await loadInNode()
    await runSuites()
    for (const touch of touches) fail('Node globals', touch)
  } catch (thrown) {
    fail(place, describe(thrown))
  }
  finished = true
}

async function loadInNode() {
  Object.assign(globalThis, uvuGlobals)
  if (job.subject) await import(pathToFileURL(job.subject))
  await import(pathToFileURL(job.spec))
  return []
}

function loadInVm() {
  const touches = new Set()
  const { context } = new EdgeVM({ extend: (context) => trapNodeGlobals(context, touches) })
  Object.assign(context, uvuGlobals)
  for (const file of [job.subject, job.spec]) {
    if (file) runInContext(readFileSync(file, 'utf8'), context, { filename: file })
  }
  return touches
}

/**
 * All that Node has and the VM has not becomes a getter, which `typeof` and `in` call too. A touch counts
 * when the code that made it is the subject's: jose and fast-check look around as well.
 */
function trapNodeGlobals(context, touches) {
  const wrapperNames = ['require', 'module', 'exports', '__dirname', '__filename', 'navigator']
  const names = new Set([...Object.getOwnPropertyNames(globalThis), ...wrapperNames])
  for (const name of names) {
    if (runInContext(`typeof ${name}`, context) !== 'undefined' || name === 'undefined') continue
    Object.defineProperty(context, name, {
      configurable: true,
      get() {
        const at = new Error().stack.split('\n').slice(2).find((frame) => /:\d+:\d+\)?$/.test(frame)) ?? ''
        if (job.subject && at.includes(job.subject)) touches.add(`the library touched \`${name}\`\n${at}`)
      }
    })
  }
  return context
}

async function runSuites() {
  if (counts.registered === 0 && suites.length === 0) fail('', 'the file has no test')
  for (const runSuite of suites) {
    const [, passed, skipped, total] = await runSuite()
    if (total + skipped === 0) fail('', 'a suite has no test, or is run twice')
    counts.total += total
    counts.passed += passed
    counts.skipped += skipped
  }
  if (counts.registered > counts.total) {
    fail('', `${counts.registered - counts.total} tests were never run: is a \`run()\` missing?`)
  }
}

function report() {
  if (!finished) fail(place, 'it never settled')
  const lost = counts.total - counts.passed
  if (lost > 0 && failures.length === 0) fail('', `${lost} tests did not pass and none said why`)
  const { passed, skipped } = counts
  process.send({ result: { passed, skipped, failed: Math.max(lost, failures.length), failures } })
}

function fail(where, text) {
  failures.push({ where, text })
}

// Errors of the VM's realm are no `instanceof Error` here.
function describe(thrown) {
  if (typeof thrown?.stack !== 'string') return `what was thrown is no Error: ${inspect(thrown)}`
  const frames = thrown.stack.split('\n').filter((line) => /^\s+at /.test(line))
  const cause = thrown.cause === undefined ? [] : [`cause: ${describe(thrown.cause)}`]
  return [`${thrown.name}: ${thrown.message}`, thrown.details, ...frames, ...cause].filter(Boolean).join('\n')
}
