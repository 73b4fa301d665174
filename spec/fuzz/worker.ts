// Feeds one surface after the other, in a thread that can be ended from outside. Time is the clock's, so that no
// pause is waited for; chance is the input's.

import fc from 'fast-check'
import { writeSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parentPort, workerData } from 'node:worker_threads'
import type { Surface } from './surfaces.ts'

const { subject, seed, runs, only, path, done, pulse } = workerData
/** How often memory is looked at, of which the first time is for comparison. */
const CHECKPOINTS = 5
/** What the heap may grow by after the first of these, in bytes. */
const MOST_GROWTH = 8 * 2 ** 20

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
Error.stackTraceLimit = 3

await import(`${pathToFileURL(subject)}`)
const { turnBack } = await import('./oracle.ts')
const { journal } = await import('./stage.ts')
const { surfaces } = await import('./surfaces.ts')

for (const [name, surface] of Object.entries<Surface<any>>(surfaces)) {
  if (done.includes(name) || (only && name !== only)) continue
  parentPort!.postMessage({ starts: name })
  await feed(surface)
}

async function feed({ share, inputs, outcome }: Surface<unknown>): Promise<void> {
  const numRuns = path ? 1 : Math.round(runs * share)
  const outcomes: Record<string, number> = {}
  const heap: number[] = []
  const checkpoint = Math.max(Math.ceil(numRuns / CHECKPOINTS), 1000)
  let slowest = 0
  let isFailing = false
  pulse[0] = 0
  const started = performance.now()
  const property = fc.asyncProperty(inputs, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), perform)
  const { counterexamplePath, errorInstance } = await fc.check(property, { seed, path, numRuns })
  if (errorInstance) parentPort!.postMessage({ finding: (errorInstance as Error).message, path: counterexamplePath })
  const seconds = Math.round((performance.now() - started) / 100) / 10
  const growth = heap.at(-1)! - heap[0]!
  if (growth > MOST_GROWTH) parentPort!.postMessage({ finding: `memory grew by ${growth} bytes`, path: 0 })
  const counts = Object.entries(outcomes).sort(([, a], [, b]) => b - a).map(([word, count]) => `${word} ${count}`)
  parentPort!.postMessage({ result: {
    inputs: pulse[0],
    seconds,
    'slowest ms': Math.round(slowest),
    'MB grown': Math.round(growth / 2 ** 17) / 8,
    outcomes: counts.join(', ')
  } })

  async function perform(input: unknown, chance: number): Promise<void> {
    journal.start(path && ((entry: string) => writeSync(1, `${entry}\n`)))
    turnBack()
    Math.random = () => chance
    const before = performance.now()
    try {
      const word = await outcome(input)
      outcomes[word] = (outcomes[word] ?? 0) + 1
    } catch (error) {
      isFailing = true
      throw new Error([(error as Error).stack, ...journal.entries].join('\n'))
    }
    if (isFailing) return // fast-check looks for a smaller input
    slowest = Math.max(slowest, performance.now() - before)
    if (++pulse[0] % checkpoint === 0 || pulse[0] === numRuns) {
      collectGarbage()
      const { used_heap_size, external_memory } = getHeapStatistics()
      heap.push(used_heap_size + external_memory)
    }
  }
}
