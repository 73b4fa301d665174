// npm run mutants [-- lib/FILE.ts, or lib/FILE.ts:FIRST_LINE-LAST_LINE …]
// Mutants of lib/ by all of Stryker's operators, each of which some spec must notice. Where a mutant was not
// noticed, it is printed; below the goal, the command fails.

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Stryker } from '@stryker-mutator/core'
import { manifest, rsaKeys } from '../../scripts/project.js'

const GOAL = 90 // per cent

// The same for all mutants, so that none is noticed by chance.
process.env.SPEC_RSA_KEYS = await rsaKeys()

const chosen = process.argv.slice(2)
await new Stryker({
  mutate: chosen.length ? chosen : ['lib/**/*.ts'],
  testRunner: 'command',
  commandRunner: { command: 'node spec/mutants/mutant.js' },
  coverageAnalysis: 'off',
  tsconfigFile: 'none', // esbuild needs none, and the copy of the project is as flat as the project
  ignorePatterns: ['/dist', '/coverage'],
  tempDirName: join(tmpdir(), `${manifest.name}-mutants`),
  cleanTempDir: 'always',
  timeoutMS: 600_000, // for all specs on a busy machine; mutant.js has limits of its own for each
  concurrency: 2,
  thresholds: { break: GOAL },
  reporters: ['progress-append-only', 'clear-text', 'json'],
  jsonReporter: { fileName: 'coverage/mutants.json' },
  clearTextReporter: { allowColor: false, allowEmojis: false, logTests: false }
}).runMutationTest()
