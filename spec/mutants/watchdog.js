// On a thread of its own, as a mutant may never let go of the other one: ends the process when a spec takes too long.

import { writeSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'

let timer

parentPort.on('message', ({ bundle, seconds }) => {
  clearTimeout(timer)
  timer = setTimeout(() => {
    writeSync(2, `${bundle}: it takes longer than ${seconds} s`)
    process.kill(process.pid, 'SIGKILL')
  }, seconds * 1000)
})
