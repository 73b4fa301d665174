// The bytes of everybody, and what a token out of memory costs, as bars in one SVG for the README.

import { duration } from './report.js'

const WIDTH = 800
const ROW = 28
const TOP = 56
const LABELS = 176
/** Where the bars of each panel start, and how long they can be. */
const BYTES = { left: LABELS, most: 180 }
const CALLS = { left: 460, most: 120 }
const TITLES = { bytes: 'bytes, minified and compressed', calls: 'the same audience again' }

/** Its own background, so that it can be read on any page; dark where the reader's system is. */
const STYLE = `
  .page { fill: #fff } text { fill: #1f2328 } .bar { fill: #8c959f } .ours { fill: #0969da }
  .title { font-weight: bold } .none { fill: #59636e }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #f0f6fc } .bar { fill: #6e7681 } .ours { fill: #4493f8 }
    .none { fill: #9198a1 }
  }
`

export function chart({ bytes, times }) {
  const [[, { 'same audience': again }]] = Object.entries(times)
  const rows = Object.keys(bytes).map((name) => rowOf(name, bytes[name], again))
  const height = TOP + rows.length * ROW + 12
  const scale = ({ most }, key) => most / Math.max(...rows.map((row) => row[key] ?? 0))
  const [byBytes, byTime] = [scale(BYTES, 'bytes'), scale(CALLS, 'time')]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" ` +
      'aria-labelledby="title desc" font-family="sans-serif" font-size="13">',
    '<title id="title">Bytes, and a token out of memory, beside others</title>',
    `<desc id="desc">${rows.map(told).join(' ')}</desc>`,
    `<style>${STYLE}</style>`,
    '<rect class="page" width="100%" height="100%" rx="6"/>',
    text(BYTES.left, 30, TITLES.bytes, 'title'),
    text(CALLS.left, 30, TITLES.calls, 'title'),
    ...rows.flatMap((row, i) => {
      const y = TOP + i * ROW
      const kind = i === 0 ? 'ours' : 'bar'
      return [
        text(16, y + 14, row.name, i === 0 ? 'title' : ''),
        ...bar(BYTES.left, y, row.bytes * byBytes, kind, row.bytes.toLocaleString('en')),
        ...row.time
          ? bar(CALLS.left, y, row.time * byTime, kind, row.words)
          : [text(CALLS.left, y + 14, row.words, 'none')]
      ]
    }),
    '</svg>\n'
  ].join('\n')
}

/** What takes an exchange each time gets words for a bar, which would be some hundred times too long. */
function rowOf(name, bytes, again) {
  const kept = again[`${name}, client kept`]
  const { time: [, time], exchanges: [, exchanges] } = kept ?? again[name]
  if (exchanges) return { name, bytes, words: `keeps none: ${duration(time)}, an exchange each` }
  return { name, bytes, time, words: duration(time) + (kept ? ', by a client that is kept' : '') }
}

function told({ name, bytes, words }) {
  return `${name}: ${bytes.toLocaleString('en')} bytes; ${words}.`
}

function bar(x, y, length, kind, words) {
  const width = Math.max(2, Math.round(length))
  return [
    `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${ROW - 8}" rx="2"/>`,
    text(x + width + 8, y + 14, words)
  ]
}

function text(x, y, content, kind = '') {
  return `<text x="${x}" y="${y}"${kind && ` class="${kind}"`}>${content}</text>`
}
