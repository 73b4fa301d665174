// npm test -- [file, or part of a path …] [--subject lib|package|minified|single] [--in node|vm]
// Runs each spec in a process of its own: for every subject, in plain Node and in the edge VM.

import { fork } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { parseArgs, stripVTControlCharacters } from 'node:util'
import { bundles, subjectNames } from './bundles.js'
import { manifest, once, root, rsaKeys, specFiles, workFolder } from './project.js'

const { values: options, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    subject: { type: 'string' },
    in: { type: 'string' },
    // For the proofs of this runner: another library, and less patience (seconds, with one test).
    lib: { type: 'string', default: 'lib' },
    patience: { type: 'string', default: '120' }
  }
})

// These are new for every run.
process.env.SPEC_RSA_KEYS ??= await rsaKeys()

const { publicFiles, specBundle, subjectFile } = bundles(workFolder(), options.lib)
const sourceMap = once((file) => {
  const map = `${file}.map`
  return existsSync(map) ? new SourceMap(JSON.parse(readFileSync(map, 'utf8'))) : undefined
})
const LONG = ['spec/properties.spec.ts', 'spec/secrets.spec.ts', 'spec/soak.spec.ts']
const UVU_PROGRESS = /[•✘] |^ \S.* {2}$|^.*\(\d+ \/ \d+\)$/gm
const NOBODYS_FRAME = /^\s*at .*(node:|scripts\/(uvu|run-spec)\.js|node_modules\/uvu\/)/
const totals = noCounts()
const bySubject = {}
const bySpec = {}
const told = new Set()

const runs = []
for (const spec of chosenSpecs()) {
  await attempt({ spec, subject: 'none', runtime: 'none' }, async () => runs.push(...await runsOf(spec)))
}
// The packed package comes last: while it is made, the others run.
runs.sort((a, b) => subjectNames.indexOf(a.subject) - subjectNames.indexOf(b.subject))
await Promise.all(Array.from({ length: availableParallelism() }, async () => {
  for (let job; (job = runs.shift());) await attempt(job, () => perform(job))
}))
if (totals.passed + totals.failed === 0) {
  console.log('no test was run')
  totals.failed = 1
}
printTimes()
const skipped = totals.skipped ? `, ${totals.skipped} skipped` : ''
console.log(`${totals.passed} passed, ${totals.failed} failed${skipped}`)
process.exitCode = totals.failed ? 1 : 0

function chosenSpecs() {
  const all = specFiles()
  if (filters.length === 0) return all
  return filters.flatMap((text) => isFile(text) ? text : all.filter((path) => path.includes(text)))
}

function isFile(path) {
  return statSync(path, { throwIfNoEntry: false })?.isFile()
}

/**
 * What a spec imports decides which subjects it is for. What takes long because it tries the same thing in many
 * ways is for the source alone: which of them breaks is up to the logic, and every subject has the same.
 */
async function runsOf(spec) {
  const runtimes = spec.endsWith('.node.ts') ? ['node'] : ['node', 'vm']
  const { imports } = await specBundle(spec, runtimes.at(-1))
  const subjects = LONG.includes(spec) ? ['lib'] : subjectsFor(imports)
  return subjects
    .filter((subject) => !options.subject || subject === options.subject || subject === 'none')
    .flatMap((subject) => runtimes.map((runtime) => ({ spec, subject, runtime })))
    .filter(({ runtime }) => !options.in || runtime === options.in)
}

function subjectsFor(imports) {
  if (imports.length === 0) return ['none']
  if (imports.some((specifier) => !publicFiles[specifier])) return ['lib']
  const isOfCore = imports.every((specifier) => specifier === manifest.name)
  return subjectNames.filter((name) => isOfCore || name !== 'single')
}

async function perform(job) {
  const { file } = await specBundle(job.spec, job.runtime)
  const subject = job.subject === 'none' ? undefined : await subjectFile(job.subject, job.runtime)
  account(job, await runInProcess({ spec: file, subject, runtime: job.runtime }))
}

function runInProcess(job) {
  return new Promise((settle) => {
    const child = fork(join(root, 'scripts/run-spec.js'), [JSON.stringify(job)], { cwd: root, silent: true })
    const watchdog = setTimeout(() => child.kill('SIGKILL'), options.patience * 1000)
    let result = { ...noCounts(), failures: [] }
    let place = 'while loading'
    let printed = ''
    let isComplete = false
    const started = performance.now()
    child.on('message', (message) => {
      watchdog.refresh()
      if (message.place) place = message.place
      if (message.result) [result, isComplete] = [message.result, true]
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { printed += text })
    }
    child.on('close', (code, signal) => {
      clearTimeout(watchdog)
      if (!isComplete || code !== 0) {
        const end = signal ? `was stopped by ${signal}` : `ended with exit code ${code}`
        result.failures.push({ where: place, text: `the process ${end} (patience: ${options.patience} s)` })
        result.failed++
      }
      settle({ ...result, printed, seconds: (performance.now() - started) / 1000 })
    })
  })
}

async function attempt(job, work) {
  try {
    await work()
  } catch (error) {
    const text = error.errors ? error.message : error.stack
    account(job, { ...noCounts(), failed: 1, failures: [{ where: 'preparing', text }], printed: '' })
  }
}

function account({ spec, subject, runtime }, { failures, printed, ...counts }) {
  bySpec[spec] ??= noCounts()
  bySubject[`${subject}, ${runtime}`] ??= noCounts()
  for (const sums of [totals, bySpec[spec], bySubject[`${subject}, ${runtime}`]]) {
    for (const key of Object.keys(sums)) sums[key] += counts[key]
  }
  for (const { where, text } of failures) {
    console.log(`\nFAILED ${spec} › ${where}   (${subject}, ${runtime})`)
    const details = indent(readable(text))
    console.log(told.has(details) ? '    as above' : details)
    told.add(details)
  }
  const own = stripVTControlCharacters(printed).replace(UVU_PROGRESS, '').trim()
  if (own && (failures.length || filters.length)) console.log(`\n${indent(own)}`)
}

function printTimes() {
  const sums = Object.values(bySubject).concat(Object.values(bySpec))
  for (const row of sums) row.seconds = Math.round(row.seconds * 10) / 10
  const slowest = Object.entries(bySpec).sort(([, a], [, b]) => b.seconds - a.seconds).slice(0, 5)
  console.table(bySubject)
  console.log('the slowest:', slowest.map(([spec, { seconds }]) => `${spec} ${seconds} s`).join(', '))
}

function noCounts() {
  return { passed: 0, failed: 0, skipped: 0, seconds: 0 }
}

function indent(text) {
  return text.replace(/^/gm, '    ')
}

/** Frames of uvu and of Node go; places in bundles become places in the sources. */
function readable(text) {
  const lines = stripVTControlCharacters(text).split('\n').map(sourcePlaces)
  return lines.filter((line) => !NOBODYS_FRAME.test(line)).join('\n')
}

function sourcePlaces(line) {
  return line.replace(/(?:file:\/\/)?(\/[^\s():]+):(\d+):(\d+)/g, (whole, file, row, column) => {
    const origin = sourceMap(file)?.findEntry(row - 1, column - 1)
    if (!origin?.originalSource) return whole
    const source = relative(root, resolve(dirname(file), origin.originalSource))
    return `${source}:${origin.originalLine + 1}:${origin.originalColumn + 1}`
  })
}
