// What Stryker runs in its copy of the project, where lib/ holds all mutants at once. First it does so without an
// active one: every spec runs, and which mutants it reaches is written down. Then once for each mutant, whose name
// is in the environment: the specs that reach it run, up to the first that notices it.

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { INSTRUMENTER_CONSTANTS as names } from '@stryker-mutator/api/core'
import { runSpec } from './run-spec.js'

const work = resolve('mutants')
const plan = resolve(work, 'plan.json')
/** What the code that Stryker made of lib/ looks at and writes to. */
const stryker = (globalThis[names.NAMESPACE] = {})
const mutant = process.env[names.ACTIVE_MUTANT_ENV_VARIABLE]

await (mutant === undefined ? prepare() : judge())
process.exit(0)

async function judge() {
  const { subject, specs, files } = JSON.parse(readFileSync(plan, 'utf8'))
  const { noticed, reached } = files.find(({ reached }) => reached[mutant]) ?? { reached: {} }
  const noticers = noticed && readFileSync(noticed, 'utf8').split('\n')
  const worth = ([i]) => noticers.filter((noticer) => noticer === `${i}`).length / specs[i].seconds
  const inOrder = (reached[mutant] ?? []).sort((a, b) => worth(b) - worth(a))
  for (const [i, hits] of inOrder) {
    const note = (code) => { if (code !== 0) appendFileSync(noticed, `\n${i}`) }
    process.once('exit', note)
    // Ends the loops that a mutant makes endless, as Stryker's own runners do.
    Object.assign(stryker, { [names.HIT_COUNT]: 0, [names.HIT_LIMIT]: hits * 100 + 1000 })
    await runSpec(specs[i].bundle, subject, 10 + 5 * specs[i].seconds)
    process.off('exit', note)
  }
}

async function prepare() {
  const { bundles } = await import('../../scripts/bundles.js')
  const { findFiles, specFiles } = await import('../../scripts/project.js')
  mkdirSync(work)
  const { specBundle, subjectFile } = bundles(work, 'lib')
  const subject = await subjectFile('lib', 'node')
  const specs = []
  for (const spec of specFiles()) {
    const { file: bundle, imports } = await specBundle(spec, 'node')
    if (imports.length === 0) continue
    const started = performance.now()
    const hits = await hitsOf(bundle, subject)
    specs.push({ bundle, seconds: (performance.now() - started) / 1000, ...hits })
  }
  const files = findFiles('lib', () => true).map((file, i) => {
    const noticed = resolve(work, `noticed-${i}`)
    // As a start, every spec counts once.
    writeFileSync(noticed, [...specs.keys()].join('\n'))
    return { noticed, reached: specsReaching(mutantsIn(file), specs) }
  })
  writeFileSync(plan, JSON.stringify({ subject, specs: specs.map(({ loading, running, ...spec }) => spec), files }))
}

/** How often the spec comes to each mutant, while the library is loaded and after that. */
async function hitsOf(bundle, subject) {
  const coverage = stryker[names.MUTATION_COVERAGE_OBJECT] = { static: {}, perTest: {} }
  stryker[names.CURRENT_TEST_ID] = 'loading'
  await runSpec(bundle, subject, 300, () => { stryker[names.CURRENT_TEST_ID] = 'running' })
  return { loading: {}, running: {}, ...coverage.perTest }
}

/** For each mutant of a file, which specs come to it, and how often. */
function specsReaching(mutants, specs) {
  // All files are loaded for all specs; a mutant that lives by that alone is for those that use its file.
  const all = [...specs.entries()]
  const users = all.filter(([, { running }]) => mutants.some((id) => running[id]))
  const chosen = users.length ? users : all
  const hits = (id) => chosen.map(([i, { loading, running }]) => [i, (loading[id] ?? 0) + (running[id] ?? 0)])
  return Object.fromEntries(mutants.map((id) => [id, hits(id).filter(([, count]) => count > 0)]))
}

function mutantsIn(file) {
  const ids = readFileSync(file, 'utf8').matchAll(/stryMutAct_\w+\("(\d+)"\)/g)
  return [...new Set(Array.from(ids, ([, id]) => id))]
}
