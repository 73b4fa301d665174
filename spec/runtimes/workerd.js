import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Starts one workerd on a free port, from a config file whose socket is named `http`. */
export async function startWorkerd(build, configFile) {
  const child = spawn(workerdBinary(build), ['serve', '--control-fd=3', configFile], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  running.add(child)
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { log += text })
  const ended = new Promise((resolve) => child.once('close', resolve))

  const port = await new Promise((resolve, reject) => {
    child.once('error', reject)
    ended.then((code) => reject(new Error(`workerd ${build} ended with ${code}:\n${log}`)))
    child.stdio[3].on('data', (chunk) => {
      for (const line of String(chunk).trim().split('\n')) {
        const message = JSON.parse(line)
        if (message.event === 'listen' && message.socket === 'http') resolve(message.port)
      }
    })
  })

  return {
    url: `http://127.0.0.1:${port}`,
    log: () => log,
    async stop() {
      kill(child)
      await ended
      running.delete(child)
    },
  }
}

const running = new Set()
process.once('exit', () => running.forEach(kill))

/** A busy one hears nothing else. */
function kill(child) {
  child.kill('SIGKILL')
}

export function workerdBinary(build) {
  const file = fileURLToPath(new URL(`node_modules/workerd-${build}/bin/workerd`, import.meta.url))
  if (!existsSync(file)) throw new Error(`workerd ${build} is not installed: run npm ci in spec/runtimes`)
  return file
}
