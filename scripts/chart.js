// Line charts, side by side, as one SVG.

const WIDTH = 480
const HEIGHT = 360
const BOX = { left: 56, top: 92, right: 16, bottom: 48 }
/** Told apart without seeing colours, too. */
const STROKES = [
  ['#b3261e', 'none'],
  ['#8a6d00', '6 4'],
  ['#0b57d0', '2 3']
]

/**
 * @typedef {{ least: number, most: number, marks: number[], title?: string, isLogarithmic?: boolean }} Axis
 * @param {{ title: string, x: Axis, y: Axis, lines: [name: string, points: number[][]][] }[]} panels
 */
export function svg(...panels) {
  const size = `${WIDTH * panels.length} ${HEIGHT}`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...panels.map((panel, i) => `<g transform="translate(${i * WIDTH} 0)">\n${drawn(panel)}\n</g>`),
    '</svg>\n'
  ].join('\n')
}

function drawn({ title, x, y, lines }) {
  const right = WIDTH - BOX.right
  const bottom = HEIGHT - BOX.bottom
  const across = scale(x, BOX.left, right)
  const up = scale(y, bottom, BOX.top)
  return [
    text(WIDTH / 2, 20, title, 'middle', 'font-weight="bold"'),
    text(WIDTH / 2, HEIGHT - 10, x.title, 'middle'),
    ...x.marks.map((mark) => text(across(mark), bottom + 18, mark, 'middle')),
    ...y.marks.flatMap((mark) => [
      `<path d="M${BOX.left} ${up(mark)}H${right}" stroke="#ddd"/>`,
      text(BOX.left - 8, up(mark) + 4, mark.toLocaleString('en'), 'end')
    ]),
    ...lines.flatMap(([name, points], i) => {
      const [colour, dashes] = STROKES[i]
      const path = points.map(([px, py]) => `${across(px)} ${up(py)}`).join('L')
      const stroke = `fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dashes}"`
      const y = 40 + i * 16
      return [
        `<path d="M${path}" ${stroke}/>`,
        `<path d="M${BOX.left} ${y}h32" ${stroke}/>`,
        text(BOX.left + 40, y + 4, name, 'start')
      ]
    })
  ].join('\n')
}

function scale({ least, most, isLogarithmic }, from, to) {
  const place = isLogarithmic ? Math.log : Number
  return (value) => {
    const share = (place(Math.max(value, least)) - place(least)) / (place(most) - place(least))
    return Math.round((from + share * (to - from)) * 10) / 10
  }
}

function text(x, y, content, anchor, more = '') {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" ${more}>${content}</text>`
}
