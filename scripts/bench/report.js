// What was measured, for people: tables on a terminal, the targets, and the table in the README.

export const RESULTS = 'scripts/bench/results.json'
export const CHART = '.github/comparison.svg'
export const IMPORT = 'import, by the processor'

const OURS = 'gcp-id-token'
const GOOGLES = 'google-auth-library'
const LEAST = 'least code'
const EMPTY = 'an empty module'
const KEPT = `${GOOGLES}, client kept`
const TEXT = `${OURS}, key as text`

/** What this package is to reach, and what it reached in these results: median and quartiles over rounds. */
export function targets({ times }) {
  const node = Object.values(times)[0]
  const ratio = (name, reference, subject = OURS) => node[name][subject].ratios[reference]
  return [
    ['first token, to the least code', 1.05, ratio('first token', LEAST)],
    [`new audience, to ${GOOGLES}`, 0.8, ratio('new audience', GOOGLES)],
    [`same audience, to ${GOOGLES}`, 0.1, ratio('same audience', GOOGLES)],
    [`same audience, key as text, to ${GOOGLES}`, 0.15, ratio('same audience', GOOGLES, TEXT)],
    ['500 at once, exchanges', 1, node['500 at once'][OURS].exchanges],
    ['start of a process with it, to an empty module', 1.5, ratio(IMPORT, EMPTY, `${OURS}, bundled`)]
  ].map(([name, most, [low, reached, high]]) => ({ name, most, reached, low, high, met: reached <= most }))
}

/** On a terminal. */
export function print(results) {
  const { date, machine, versions, bytes, times } = results
  console.log(`${date}, ${machine}`)
  console.log(Object.entries(versions).map((item) => item.join(' ')).join(', '))
  console.log('\nBytes, minified and compressed by brotli:')
  console.table(Object.fromEntries(Object.entries(bytes).map(([name, brotli]) => [name, { brotli }])))
  for (const [runtime, cases] of Object.entries(times)) {
    for (const [name, rows] of Object.entries(cases)) {
      console.log(`\n${runtime}, ${name} (median, quartiles):`)
      console.table(Object.fromEntries(Object.entries(rows).map(([subject, row]) => [subject, cells(row)])))
    }
  }
  console.log('\nTargets, as ratios of what was measured in the same round:')
  console.table(Object.fromEntries(targets(results).map(({ name, ...target }) => [name, target])))
  const [, toKept] = Object.values(times)[0]['same audience'][OURS].ratios[KEPT]
  console.log(`${GOOGLES} asks again for each client. To one that is kept, the same audience is ${toKept}.`)
}

function cells({ time, alone, cpu, exchanges, ratios }) {
  const spread = ([low, median, high], show = String) => `${show(median)} (${show(low)} to ${show(high)})`
  return {
    time: spread(time, duration),
    ...alone && { 'import alone': spread(alone, duration) },
    ...cpu && { processor: duration(cpu[1]) },
    ...exchanges && { exchanges: exchanges[1] },
    ...Object.fromEntries(Object.entries(ratios).map(([other, ratio]) => [`/ ${other}`, spread(ratio)]))
  }
}

/** The README with the table of these results, and the line below, in the place of those that it has. */
export function withTable(readme, results) {
  const [before, after] = readme.split(/^\| +\| this[^]*?\n\n.*\n/m)
  if (after === undefined) throw new Error('The README has no table of results to replace')
  return `${before}${table(results)}${after}`
}

function table({ date, machine, bytes, times }) {
  const [[runtime, node], ...others] = Object.entries(times)
  const everybody = Object.keys(bytes)
  const median = (name) => (subject) => duration(node[name][subject].time[1])
  const kept = median('same audience')(KEPT)
  const again = (name) => median('same audience')(name) + (name === GOOGLES ? `; a client kept, ${kept}` : '')
  const rows = [
    ['', ...everybody.map((name) => name === OURS ? 'this' : name)],
    ['---', ...everybody.map(() => '---')],
    ['bytes, minified and compressed', ...everybody.map((name) => bytes[name].toLocaleString('en'))],
    ['first token of a key', ...everybody.map(median('first token'))],
    ['new audience', ...everybody.map(median('new audience'))],
    ['same audience again', ...everybody.map(again)],
    ['exchanges for 500 callers at once', ...everybody.map((name) => node['500 at once'][name].exchanges[1])],
    ['CPU time to start Node with it', ...everybody.map(median(IMPORT))]
  ]
  const elsewhere = others.map(([name, cases]) => {
    return `${cases['first token'][OURS].ratios[LEAST][1]} in ${name}`
  })
  return [
    ...rows.map((row) => `| ${row.join(' | ')} |`),
    '',
    `Medians of ${date}, by \`npm run bench\`: ${runtime} on ${machine}, with the token endpoint on the ` +
      'same machine; the way to Google comes on top, for all alike. For a first token this takes ' +
      `${node['first token'][OURS].ratios[LEAST][1]} of the least code's time, ${elsewhere.join(', ')}.`,
    ''
  ].join('\n')
}

/** Milliseconds, in a unit that fits. */
export function duration(milliseconds) {
  return milliseconds < 0.1
    ? `${Number((milliseconds * 1000).toPrecision(2))} µs`
    : `${Number(milliseconds.toPrecision(2))} ms`
}
