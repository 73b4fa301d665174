// What 10,000 isolates cost Google and their users, by the simulation of `npm run simulate`.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { mustRun, workFolder } from '../scripts/project.js'
import { KV, simulate, SPREAD, summary } from '../scripts/simulation.js'

const simulated = suite('10,000 isolates that want one token')

for (const seed of [1, 2, 3]) {
  simulated(`with Workers KV, at most 5 exchanges per hour, and nobody waits for Google: day ${seed}`, () => {
    const day = summary(simulate({ seed, store: KV, spread: SPREAD }))
    assert.ok(day['per hour'] > 0 && day['per hour'] <= 5, `${day['per hour']}`)
    assert.is(day['waited for Google'], 0)
    // The first request to each isolate.
    assert.ok(parseFloat(`${day['waited for the store']}`) < 0.05, `${day['waited for the store']}`)
  })
}

simulated('when KV takes two minutes, at most 5 exchanges, too', () => {
  const day = summary(simulate({ store: { ...KV, staleness: 120 }, spread: SPREAD }))
  assert.ok(day['per hour'] <= 5, `${day['per hour']}`)
})

simulated('without a store, thousands', () => {
  const day = summary(simulate({ spread: 0 }))
  assert.ok(day['per hour'] > 5000, `${day['per hour']}`)
  assert.is.not(day['waited for Google'], 0)
})

simulated('without the spread, thousands in spite of the store', () => {
  const day = summary(simulate({ store: KV, spread: 0 }))
  assert.ok(day['per hour'] > 5000, `${day['per hour']}`)
})

simulated('are printed as a table, and drawn as a chart', async () => {
  const file = join(workFolder(), 'chart.svg')
  const { stdout } = await mustRun(process.execPath, ['scripts/simulate.js', '--isolates', '500', '--svg', file])
  assert.match(stdout, /Workers KV +│ \d+ +│ [1-4]\.?\d? +│/)
  const chart = readFileSync(file, 'utf8')
  assert.match(chart, /^<svg [^]*<\/svg>\n$/)
  assert.is(chart.match(/<path d="M[^H"]*L/g)!.length, 5, 'lines')
  assert.not.match(chart, /NaN|undefined|Infinity/)
})

simulated.run()
