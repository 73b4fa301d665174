// Ours against the least code in workerd, Deno and Bun. The calls are made there, so many by request, and are
// timed here: the clock of workerd stands still between two answers from outside.

import { createServer } from 'node:http'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { bun, deno } from '../../spec/runtimes/processes.js'
import { startWorkerd } from '../../spec/runtimes/workerd.js'
import { workerd } from '../../spec/runtimes/workers.js'
import { inRounds, summary } from './rounds.js'

const WORKERD = '2026-11'
const DATE = '2026-11-17'

/** @returns what was measured, by runtime with its version */
export async function measureElsewhere(work, bundle) {
  const results = {}
  for (const [name, runtime, use] of [
    ['workerd', workerd(DATE, 'no_nodejs_compat'), inWorkerd],
    ['Deno', deno(), asScript],
    ['Bun', bun(), asScript]
  ]) {
    const folder = join(work, name)
    await mkdir(folder)
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    await bundle('worker.js', join(folder, 'worker.js'))
    results[`${name} ${await runtime.version()}`] = await use(folder, runtime)
  }
  return results
}

async function inWorkerd(folder) {
  const config = join(folder, 'config.capnp')
  await writeFile(config, `
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
  services = [
    (name = "internet", network = (allow = ["local"])),
    (name = "worker", worker = (
      compatibilityDate = "${DATE}",
      modules = [(name = "worker.js", esModule = embed "worker.js")],
    )),
  ],
);
`)
  const worker = await startWorkerd(WORKERD, config)
  try {
    return await measureAt(worker.url)
  } finally {
    await worker.stop()
  }
}

async function asScript(folder, { run }) {
  let tell
  const told = new Promise((resolve) => { tell = resolve })
  const server = createServer(async (request, response) => {
    tell(await text(request))
    response.end()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  await writeFile(join(folder, 'tell.js'), `export default 'http://127.0.0.1:${server.address().port}'\n`)
  await cp(join(import.meta.dirname, 'script.js'), join(folder, 'script.js'))
  try {
    return await run({ folder, report: told.then(measureAt) })
  } finally {
    server.close()
  }
}

async function measureAt(url) {
  const ask = async (name, subject, count) => {
    const response = await fetch(url, { method: 'POST', body: JSON.stringify({ name, subject, count }) })
    if (await response.text() !== 'done') throw new Error(`${subject} in ${url} answered ${response.status}`)
  }
  const timed = async (...order) => {
    const started = performance.now()
    await ask(...order)
    return performance.now() - started
  }
  /** What the way there and back takes is not the subject's. */
  const turn = (name, subject, count) => async () => {
    const way = await timed(name, subject, 0)
    return { time: (await timed(name, subject, count) - way) / count }
  }
  const both = (name) => {
    return { 'gcp-id-token': turn(name, 'gcp-id-token', 10), 'least code': turn(name, 'least code', 10) }
  }
  const often = { rounds: 60, warmUp: 15 }
  return {
    'first token': summary(await inRounds(both('first token'), often), ['least code']),
    'new audience': summary(await inRounds(both('new audience'), often), ['least code']),
    'same audience': summary(
      await inRounds({ 'gcp-id-token': turn('same audience', 'gcp-id-token', 5000) }, often), []
    )
  }
}
