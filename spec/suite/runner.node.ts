// The runner itself, on specs that must fail: each must be noticed, by name, in Node and in the VM.

import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

const runner = suite('the runner')

const expectations: { [fixture: string]: [closing: string, ...said: RegExp[]] } = {
  'passes.ts': ['4 passed, 0 failed, 2 skipped'],
  'fails.ts': ['2 passed, 2 failed', /› sums › are wrong/, /at spec\/suite\/fixtures\/fails\.ts:6:/],
  'hook-before.ts': ['0 passed, 4 failed', /› before /, /RangeError: the hook broke/],
  'hook-after.ts': ['4 passed, 2 failed', /› after /, /RangeError: the hook broke/],
  'hook-before.each.ts': ['0 passed, 4 failed', /› before\.each /, /RangeError: the hook broke/],
  'hook-after.each.ts': ['4 passed, 4 failed', /› after\.each /, /RangeError: the hook broke/],
  'non-error.ts': ['2 passed, 4 failed', /no Error: 'only text'/, /no Error: undefined/],
  'no-run.ts': ['0 passed, 2 failed', /1 tests were never run/],
  'half-run.ts': ['2 passed, 2 failed', /1 tests were never run/],
  'no-test.ts': ['0 passed, 2 failed', /the file has no test/],
  'empty-suite.ts': ['2 passed, 2 failed', /a suite has no test/],
  'only.ts': ['4 passed, 2 failed', /› hides the other /, /`\.only` was left behind/],
  'crash.ts': ['0 passed, 2 failed', /› while loading /, /SyntaxError/],
  'unhandled.ts': ['2 passed, 2 failed', /unhandled rejection/, /nobody listens/],
  'uncaught.ts': ['2 passed, 2 failed', /uncaught exception/, /nobody catches/],
  'unsettled.ts': ['0 passed, 2 failed', /› waits for nothing /, /it never settled/],
  'exits.node.ts': ['0 passed, 1 failed', /› leaves early /, /ended with exit code 0/],
  'no-export.ts': ['0 passed, 1 failed', /No matching export/]
}

for (const [fixture, [closing, ...said]] of Object.entries(expectations)) {
  runner(`${fixture} ends with ${closing}`, () => {
    const { status, stdout } = run(fixture, '--lib', 'spec/suite/fixtures/quiet')
    assert.is(lastLine(stdout), closing)
    assert.is(status, closing.includes(' 0 failed') ? 0 : 1)
    for (const pattern of said) assert.match(stdout, pattern)
  })
}

for (const [fixture, place] of [['spins.ts', /› spins /], ['lingers.ts', /› leaves a timer/]] as const) {
  runner(`${fixture} is stopped`, () => {
    const { status, stdout } = run(fixture, '--in', 'node', '--patience', '5')
    assert.is(lastLine(stdout), '0 passed, 1 failed')
    assert.is(status, 1)
    assert.match(stdout, place)
    assert.match(stdout, /was stopped by SIGKILL/)
  })
}

runner('a canary in the library that touches Node globals is caught, at load and at call', () => {
  const { status, stdout } = run('nosy.ts', '--lib', 'spec/suite/fixtures/nosy', '--in', 'vm')
  assert.is(status, 1)
  const touched = [...stdout.matchAll(/library touched `(\w+)`/g)].map(([, name]) => name)
  const names = ['Buffer', '__dirname', 'global', 'module', 'process', 'require', 'setImmediate']
  assert.equal(touched.sort(), names)
  assert.match(stdout, /touched `process`\n\s+at atCall \(.*nosy\/index\.ts:7:/)
})

runner('a library that touches none passes', () => {
  const { status, stdout } = run('nosy.ts', '--lib', 'spec/suite/fixtures/quiet')
  assert.is(lastLine(stdout), '4 passed, 0 failed')
  assert.is(status, 0)
})

runner('a filter that meets no spec is a failure', () => {
  const { status, stdout } = run('no-such-fixture.ts')
  assert.is(lastLine(stdout), '0 passed, 1 failed')
  assert.is(status, 1)
})

runner.run()

function run(fixture: string, ...options: string[]) {
  const args = ['scripts/test.js', `spec/suite/fixtures/${fixture}`, '--subject', 'lib', ...options]
  return spawnSync(process.execPath, args, { encoding: 'utf8' })
}

function lastLine(text: string) {
  return text.trimEnd().split('\n').at(-1)
}
