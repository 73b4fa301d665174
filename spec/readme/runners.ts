import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EdgeVM } from '@edge-runtime/vm'
import { build, transform } from 'esbuild'
import { serve } from '../google/server.ts'
import type { Served } from '../google/server.ts'
import type { Example } from './examples.ts'
import type { Stage } from './stage.ts'

/** How the examples of a platform are run. */
export interface Runner {
  /** A program that answers requests. */
  serve?(example: Example, stage: Stage): Promise<Served>
  /** A program that ends: what it printed, and its token last. */
  run?(example: Example, stage: Stage): Promise<Outcome>
}

export interface Outcome {
  printed: string[]
  token?: string
}

export const node: Runner = {
  async run(example, stage) {
    const folder = await written(example, stage, `
import './internet.js'
globalThis.env = process.env
const { token } = await import('./example.js')
console.log(JSON.stringify({ token }))
`)
    return outcome(process.execPath, ['main.js'], { cwd: folder, env: stage.env })
  }
}

/** Vercel's bundler puts the environment into the code, which its runtime then gets as one script. */
export const vercelEdge: Runner = {
  async serve(example, stage) {
    const folder = await written(example, stage, `
import './internet.js'
import handler from './example.js'
addEventListener('fetch', (event) => event.respondWith(handler(event.request)))
`)
    const inlined = Object.entries(stage.env).map(([name, value]) => {
      return [`process.env.${name}`, JSON.stringify(value)]
    })
    const { outputFiles } = await build({
      entryPoints: [join(folder, 'main.js')],
      bundle: true,
      format: 'iife',
      platform: 'neutral',
      define: Object.fromEntries(inlined),
      write: false
    })
    const vm = new EdgeVM({ initialCode: outputFiles[0]!.text })
    return serve(async ({ url, method, headers, body }) => {
      for (const name of OF_THE_CONNECTION) headers.delete(name)
      const init = { method, headers: [...headers], body, duplex: 'half' } as RequestInit
      const response = await vm.dispatchFetch(url, init)
      return new Response(response.body, { status: response.status, headers: [...response.headers] })
    })
  }
}

/** A platform sees to these by itself; the fetch of Node, on which the edge VM stands, chokes on them. */
const OF_THE_CONNECTION = ['connection', 'transfer-encoding']

/** The example, and `main`, which is what its platform does with it, in a folder. */
export async function written({ code }: Example, stage: Stage, main: string): Promise<string> {
  const folder = await stage.folder()
  const exported = /^const token = /m.test(code) ? `${code}\nexport { token }\n` : code
  const { code: script } = await transform(exported, { loader: 'ts', target: 'esnext' })
  await writeFile(join(folder, 'example.js'), script)
  await writeFile(join(folder, 'main.js'), main)
  return folder
}

/** A program that prints the URL at which it serves. */
export async function serving(program: string, args: string[], options: Options): Promise<Served> {
  const { child, printed } = start(program, args, options)
  const ended = once(child, 'close')
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', () => {
        const [url] = /http:\/\/\S+(?=\/\s)/.exec(printed()) ?? []
        if (url) resolve(url)
      })
    }
    ended.then(([code]) => { throw new Error(`${program} ended with ${code}\n${printed()}`) }).catch(reject)
  })
  return {
    url,
    async close() {
      child.kill('SIGKILL')
      await ended
    }
  }
}

/** A program that prints its token last, as JSON. */
export async function outcome(program: string, args: string[], options: Options): Promise<Outcome> {
  const { child, printed } = start(program, args, options)
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${program} ended with ${code}\n${printed()}`)
  const lines = printed().trim().split('\n')
  return { ...JSON.parse(lines.pop()!), printed: lines }
}

/** Nothing of this process's environment gets there. */
function start(program: string, args: string[], { cwd, env }: Options) {
  const child = spawn(program, args, {
    cwd,
    env: { NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PATIENCE,
    killSignal: 'SIGKILL'
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('close', () => process.off('exit', kill))
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => { text += piece })
  return { child, printed: () => text }
}

/** What runs for longer hangs. */
const PATIENCE = 60_000

interface Options {
  cwd: string
  env: Record<string, string>
}
