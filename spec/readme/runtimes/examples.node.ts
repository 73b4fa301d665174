// The examples on platforms that are large to install: `npm run test:recipes`.

import { suite } from 'uvu'
import { works } from '../checks.ts'
import { platformOf, programs } from '../examples.ts'
import { openStage } from '../stage.ts'
import type { Stage } from '../stage.ts'
import { runners, testOn } from './runners.ts'

const test = suite('the examples')
let stage: Stage

test.before(async () => { stage = await openStage() })
test.after(() => stage?.close())

for (const example of programs()) {
  const platform = platformOf(example)
  const runner = runners[platform]
  const title = `${example.place} works on ${platform}`
  if (runner) testOn(runner, test, title, () => works(example, runner, stage))
}

test.run()
