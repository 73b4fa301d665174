// node spec/runtimes/run.js [part of a runtime's name …]
// The public specs in every runtime, against the built package. What cannot start here is skipped, with the
// reason; in CI that is a failure.

import { existsSync } from 'node:fs'
import { chromium } from './browsers.js'
import { bun, deno, edgeVm, node } from './processes.js'
import { openStages } from './stage.js'
import { miniflare, workerd } from './workers.js'

const AT_ONCE = 2

const runtimes = [
  edgeVm(),
  node(20),
  node(22),
  node(24),
  node(26),
  workerd('2022-01-01', 'no_nodejs_compat'),
  workerd('2022-01-01', 'nodejs_compat'),
  workerd('2026-11-17', 'no_nodejs_compat'),
  workerd('2026-11-17', 'nodejs_compat'),
  miniflare('2026-04-26'),
  deno(),
  bun(),
  chromium('page'),
  chromium('module worker'),
]

const filters = process.argv.slice(2).map((text) => text.toLowerCase())
const chosen = runtimes.filter(({ name }) => {
  return filters.length === 0 || filters.some((text) => name.toLowerCase().includes(text))
})
const stages = await openStages()
const rows = chosen.map(({ name: runtime }) => {
  return { runtime, version: '', passed: 0, failed: 0, skipped: 0, seconds: 0 }
})

const queue = [...chosen.entries()]
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let next; (next = queue.shift());) await perform(...next)
}))
stages.close()

console.table(Object.fromEntries(rows.map(({ runtime, ...row }) => [runtime, row])))
const total = (key) => rows.reduce((sum, row) => sum + row[key], 0)
const skipped = total('skipped') ? `, ${total('skipped')} skipped` : ''
console.log(`${total('passed')} passed, ${total('failed')} failed${skipped}`)
process.exitCode = total('failed') || !total('passed') ? 1 : 0

async function perform(id, { needs, version, run }) {
  const row = rows[id]
  if (!existsSync(needs)) return skip(row, `${needs} is not installed`)
  const started = Date.now()
  try {
    row.version = await version()
  } catch (error) {
    return skip(row, `does not start: ${error.message}`)
  }
  try {
    const { failures, ...counts } = await run(await stages.open(id))
    Object.assign(row, counts)
    for (const { where, text } of failures) tell(row, where, text)
  } catch (error) {
    fail(row, error.message)
  }
  row.seconds = Math.round((Date.now() - started) / 100) / 10
}

function skip(row, reason) {
  if (process.env.CI) return fail(row, `skipped: ${reason}`)
  console.log(`\nSKIPPED ${row.runtime}: ${reason}`)
  row.skipped++
}

function fail(row, reason) {
  row.failed++
  tell(row, 'as a whole', reason)
}

function tell({ runtime }, where, text) {
  console.log(`\nFAILED ${runtime} › ${where}\n${text.replace(/^/gm, '    ')}`)
}
