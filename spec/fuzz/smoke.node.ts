// The command itself, on a thousand inputs, always the same.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { run } from '../../scripts/project.js'

const test = suite('a short fuzzing')

test('finds nothing', async () => {
  const { code, output } = await run(process.execPath, ['spec/fuzz/run.js', '--seed', '1', '--runs', '1000'])
  assert.is(code, 0, output)
  assert.match(output, /^seed 1$/m)
  assert.match(output, /^1,000 inputs in \d+ s, findings: 0$/m)
})

test.run()
