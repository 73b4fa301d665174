// npm run simulate -- [--svg FILE] [--seed NUMBER] [--isolates NUMBER]
// A day of many isolates that all want one token, with and without a store to share it in: how often they
// exchange, and who waits. The parameters are in simulation.js.

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { svg } from './chart.js'
import { CONSISTENT, DAY, KV, simulate, SPREAD, summary } from './simulation.js'

const SPREADS = [30, 60, 90, 120, 150, 180, 240, 300]

const { values: options } = parseArgs({
  options: {
    svg: { type: 'string' },
    seed: { type: 'string', default: '1' },
    isolates: { type: 'string', default: `${DAY.isolates}` }
  }
})
const seed = Number(options.seed)
const isolates = Number(options.isolates)

const days = {
  'no store': day({ spread: 0 }),
  'Workers KV': day({ store: KV }),
  'Workers KV, reads 120 s stale': day({ store: { ...KV, staleness: 120 } }),
  'Workers KV, a tenth of the isolates': day({ store: KV, isolates: isolates / 10 }),
  'Workers KV, without the spread': day({ store: KV, spread: 0 }),
  'a store without delay': day({ store: CONSISTENT })
}
console.log(`${isolates.toLocaleString('en')} isolates, ${DAY.hours} hours, exchanges for one token:`)
console.table(Object.fromEntries(Object.entries(days).map(([name, hours]) => [name, summary(hours)])))

const bySpread = SPREADS.map((seconds) => {
  const perHour = (store) => summary(day({ store, spread: seconds * 1000 }))['per hour']
  return { seconds, kv: perHour(KV), consistent: perHour(CONSISTENT) }
})
console.log(`By the mean of the spread (the library's is ${SPREAD / 1000} s), exchanges per hour:`)
console.table(Object.fromEntries(bySpread.map(({ seconds, kv, consistent }) => {
  return [`${seconds} s`, { 'Workers KV': kv, 'a store without delay': consistent }]
})))

if (options.svg) writeFileSync(options.svg, chart())

function day(settings) {
  return simulate({ seed, isolates, spread: SPREAD, ...settings })
}

function chart() {
  const exchanges = (name) => days[name].map((hour, i) => [i + 1, hour.exchanges])
  return svg({
    title: `Exchanges per hour, ${isolates.toLocaleString('en')} isolates and one token`,
    x: { title: 'hour of the day', least: 1, most: DAY.hours, marks: [1, 6, 12, 18, 24] },
    y: { least: 0.5, most: 30_000, marks: [1, 10, 100, 1000, 10_000], isLogarithmic: true },
    lines: ['no store', 'Workers KV, without the spread', 'Workers KV'].map((name) => [name, exchanges(name)])
  }, {
    title: 'Exchanges per hour in the steady state, by the spread',
    x: { title: 'mean of the spread in seconds', least: 0, most: 300, marks: SPREADS },
    y: { least: 0, most: 12, marks: [0, 2, 4, 6, 8, 10, 12] },
    lines: [
      ['Workers KV', bySpread.map(({ seconds, kv }) => [seconds, kv])],
      ['a store without delay', bySpread.map(({ seconds, consistent }) => [seconds, consistent])]
    ]
  })
}
