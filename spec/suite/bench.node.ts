// What the README and its chart say of this package beside others is what `npm run bench -- --save` measured.

import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chart } from '../../scripts/bench/chart.js'
import { CHART, RESULTS, targets, withTable } from '../../scripts/bench/report.js'
import { inRounds, summary } from '../../scripts/bench/rounds.js'
import { bytesOf } from '../../scripts/bytes.js'
import { manifest, readJson } from '../../scripts/project.js'

const bench = suite('the comparison')
const results = readJson(RESULTS)

bench('has in the README the numbers that were measured', () => {
  const readme = readFileSync('README.md', 'utf8')
  assert.is(withTable(readme, results), readme)
  assert.match(readme, `/main/${CHART})`)
})

bench('has a chart that is drawn from what was measured', () => {
  const svg = readFileSync(CHART, 'utf8')
  assert.is(svg, chart(results))
  assert.not.match(svg, /NaN|undefined|Infinity/)
  for (const bytes of Object.values<number>(results.bytes)) {
    assert.match(svg, `>${bytes.toLocaleString('en')}<`)
  }
})

bench('is of the versions that are installed for it, each pinned', () => {
  const { dependencies } = readJson('scripts/bench/package.json')
  for (const version of Object.values<string>(dependencies)) assert.match(version, /^\d+\.\d+\.\d+$/)
  const { tinybench: _, ...measured } = dependencies
  assert.equal(results.versions, { [manifest.name]: manifest.version, ...measured })
  assert.not.match(readFileSync('scripts/bench/package-lock.json', 'utf8'), '"resolved"')
})

bench('is of about the size that the core has now', async () => {
  const { brotli } = await bytesOf(`export { getIdToken } from './lib/index.ts'`)
  const growth = brotli / results.bytes[manifest.name] - 1
  assert.ok(Math.abs(growth) < 0.02, `${brotli} bytes: measure again by npm run bench -- --save`)
})

bench('compares within each round, and gives everybody every place', async () => {
  const order: string[] = []
  let time = 1
  // The machine gets slower all the time; `slow` needs twice as long as `quick`.
  const turn = (name: string, factor: number) => async () => {
    order.push(name)
    return { time: factor * (time *= 1.001) }
  }
  const turns = { quick: turn('quick', 1), slow: turn('slow', 2) }
  const measured = await inRounds(turns, { rounds: 40, warmUp: 4 })
  assert.is(order.length, 88)
  assert.is(order.filter((name, i) => i % 2 === 0 && name === 'quick').length, 22)
  assert.is(measured['slow']!.length, 40)
  const { slow, quick } = summary(measured, ['quick']) as any
  for (const quartile of slow.ratios.quick) assert.ok(Math.abs(quartile - 2) < 0.01, `${quartile}`)
  assert.equal(quick.ratios, {})
})

bench('tells for each target what was reached, and whether that is enough', () => {
  const reached = targets(results)
  assert.ok(reached.length > 5)
  for (const { name, most, reached: value, met } of reached) {
    assert.ok(value > 0, name)
    assert.is(met, value <= most, name)
  }
})

bench.run()
