// One line for each step, when it is done. A terminal also shows the step that is under way.

/** @param {import('node:tty').WriteStream} stream */
export function reporter(stream) {
  const marks = stream.isTTY ? LIVELY : PLAIN
  const line = (mark, step, text) => `${mark}${step.padEnd(STEP_WIDTH)}${text}`
  const underWay = (text) => stream.isTTY && stream.write(`\r\x1b[2K${text}`)

  return {
    begin: (step, text) => underWay(line('… ', step, text).slice(0, (stream.columns || 80) - 1)),
    ok: (step, text, ...more) => end('ok', step, text, more),
    note: (step, text, ...more) => end('note', step, text, more),
    fail: (step, text, ...more) => end('fail', step, text, more)
  }

  function end(outcome, step, text, more) {
    const mark = marks[outcome]
    underWay('')
    stream.write(`${line(mark, step, text)}\n`)
    const width = (stream.isTTY ? 2 : PLAIN.ok.length) + STEP_WIDTH
    for (const one of more.flatMap((lines) => lines.split('\n'))) stream.write(`${' '.repeat(width)}${one}\n`)
  }
}

const STEP_WIDTH = 13
const PLAIN = { ok: 'ok    ', note: 'note  ', fail: 'FAIL  ' }
const LIVELY = { ok: '\x1b[32m✓\x1b[0m ', note: '\x1b[33m!\x1b[0m ', fail: '\x1b[31m✗\x1b[0m ' }
