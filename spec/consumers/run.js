// npm run test:consumers, or node spec/consumers/run.js [part of a check's name …]
// The packed package in empty projects: compiled, required, bundled. What cannot run here is skipped, with the
// reason; in CI that is a failure.

import { existsSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { install, workFolder } from '../../scripts/project.js'
import { writeApp } from './app.js'
import { bundlers } from './bundlers.js'
import { denoImports } from './deno.js'
import { nodeImports } from './node.js'
import { typeChecks } from './types.js'

const filters = process.argv.slice(2).map((text) => text.toLowerCase())
const work = workFolder(join(import.meta.dirname, 'node_modules'))
const { tarball, project } = await install(work)
await writeApp(project)

const checks = [...typeChecks, ...nodeImports, ...bundlers, ...denoImports].filter(({ name }) => {
  return filters.length === 0 || filters.some((text) => name.toLowerCase().includes(text))
})
const rows = checks.map(() => ({ passed: 0, failed: 0, skipped: 0, seconds: 0 }))
const queue = [...checks.entries()]
await Promise.all(Array.from({ length: availableParallelism() }, async () => {
  for (let next; (next = queue.shift());) await perform(...next)
}))

console.table(Object.fromEntries(checks.map(({ name }, id) => [name, rows[id]])))
const total = (key) => rows.reduce((sum, row) => sum + row[key], 0)
const skipped = total('skipped') ? `, ${total('skipped')} skipped` : ''
console.log(`${total('passed')} passed, ${total('failed')} failed${skipped}`)
process.exitCode = total('failed') || !total('passed') ? 1 : 0

async function perform(id, { name, needs, check }) {
  const started = Date.now()
  try {
    if (needs && !existsSync(needs)) return skip(id, `${needs} is not installed`)
    const own = join(work, `${id}`)
    await cp(project, own, { recursive: true })
    await check({ tarball, project: own })
    rows[id].passed++
  } catch (error) {
    fail(id, error.message)
  }
  rows[id].seconds = Math.round((Date.now() - started) / 100) / 10
}

function skip(id, reason) {
  if (process.env.CI) return fail(id, `skipped: ${reason}`)
  console.log(`\nSKIPPED ${checks[id].name}: ${reason}`)
  rows[id].skipped++
}

function fail(id, reason) {
  rows[id].failed++
  console.log(`\nFAILED ${checks[id].name}\n${reason.replace(/^/gm, '    ')}`)
}
