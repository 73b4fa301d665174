// npm run fuzz -- [--seed NUMBER] [--runs NUMBER] [--only SURFACE] [--path PATH]
// Feeds the library hostile and broken texts on every way in. Each input has to end in a token or in an error with
// a name, in bounded time and memory, and without a secret in the error. All of it follows from the seed; a finding
// comes with the command that repeats it alone.

import { randomInt } from 'node:crypto'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { bundles } from '../../scripts/bundles.js'
import { workFolder } from '../../scripts/project.js'

/** Milliseconds for one input: more than any takes on a busy machine, little beside a pattern that backtracks. */
const DEADLINE = 5000
/** What has to do for all that a worker holds, in MB: the library's tables and fast-check's values. */
const MOST_MEMORY = 384

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: `${randomInt(2 ** 31)}` },
    runs: { type: 'string', default: '1000000' },
    only: { type: 'string' },
    path: { type: 'string' }
  }
})
const [seed, runs] = [Number(options.seed), Number(options.runs)]
console.log(`seed ${seed}`)

const { specBundle, subjectFile } = bundles(workFolder(), 'lib')
const subject = await subjectFile('lib', 'node')
const { file } = await specBundle('spec/fuzz/worker.ts', 'node')
const results = {}
let findings = 0
const started = performance.now()

// What hangs is ended with its worker; another one goes on behind it.
for (let done = []; done;) done = await work(done)

console.table(results)
const inputs = Object.values(results).reduce((sum, result) => sum + result.inputs, 0)
const seconds = (performance.now() - started) / 1000
console.log(`${inputs.toLocaleString('en')} inputs in ${seconds.toFixed(0)} s, findings: ${findings}`)
process.exitCode = findings || !inputs ? 1 : 0

/** Lets a worker feed all surfaces but those that are done; if it had to be ended, what is done by then. */
function work(done) {
  const pulse = new Int32Array(new SharedArrayBuffer(4))
  let surface = 'none'
  return new Promise((settle) => {
    const worker = new Worker(file, {
      workerData: { ...options, subject: resolve(subject), seed, runs, done, pulse },
      resourceLimits: { maxOldGenerationSizeMb: MOST_MEMORY }
    })
    let [last, since] = [-1, performance.now()]
    const watch = setInterval(() => {
      if (pulse[0] !== last || surface === 'none') [last, since] = [pulse[0], performance.now()]
      else if (performance.now() - since > DEADLINE) end(`no end of it after ${DEADLINE} ms`)
    }, 100)
    worker.on('message', (message) => {
      if (message.starts) surface = message.starts
      if (message.finding) tell(surface, message.path, message.finding)
      if (message.result) {
        results[surface] = message.result
        done = [...done, surface]
      }
    })
    worker.on('error', ({ stack }) => end(stack))
    worker.on('exit', () => end())

    function end(finding) {
      clearInterval(watch)
      worker.removeAllListeners('exit')
      worker.terminate()
      if (!finding) return settle()
      tell(surface, options.path ?? pulse[0], finding)
      settle(surface === 'none' ? undefined : [...done, surface])
    }
  })
}

function tell(surface, path, finding) {
  findings++
  console.log(`\nFOUND in ${surface}: ${finding}`)
  console.log(`Again: npm run fuzz -- --seed ${seed} --only '${surface}' --path ${path}\n`)
}
