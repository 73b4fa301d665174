// The examples of the README and of the sources' docs, where they run without a large thing to install.

import { suite } from 'uvu'
import { works } from './checks.ts'
import { platformOf, programs } from './examples.ts'
import type { Light, Platform } from './examples.ts'
import { node, vercelEdge } from './runners.ts'
import type { Runner } from './runners.ts'
import { openStage } from './stage.ts'
import type { Stage } from './stage.ts'

const runners: Record<Light, Runner> & { [platform in Platform]?: Runner } = {
  'Node': node, 'Vercel Edge': vercelEdge
}
const test = suite('the examples')
let stage: Stage

test.before(async () => { stage = await openStage() })
test.after(() => stage?.close())

for (const example of programs()) {
  const runner = runners[platformOf(example)]
  if (runner) test(`${example.place} works`, () => works(example, runner, stage))
}

test.run()
