// The examples on platforms that are large to install: `npm run test:recipes`. A platform that is not here is
// skipped, with the reason; in CI that is a failure.

import { suite } from 'uvu'
import { works } from '../checks.ts'
import { platformOf, programs } from '../examples.ts'
import { openStage } from '../stage.ts'
import type { Stage } from '../stage.ts'
import { missing, runners } from './platforms.ts'

const test = suite('the examples')
let stage: Stage

test.before(async () => { stage = await openStage() })
test.after(() => stage?.close())

for (const example of programs()) {
  const platform = platformOf(example)
  const runner = runners[platform]
  if (!runner) continue
  const reason = missing(runner)
  const title = `${example.place} works on ${platform}`
  if (!reason) test(title, () => works(example, runner, stage))
  else if (process.env.CI) test(title, () => { throw new Error(reason) })
  else {
    console.log(`skipped ${title}: ${reason}`)
    test.skip(title)
  }
}

test.run()
