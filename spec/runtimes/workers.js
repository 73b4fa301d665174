import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson } from '../../scripts/project.js'
import { startWorkerd, workerdBinary } from './workerd.js'

const BUILD = '2026-11'
const MODULES = ['worker.js', 'subject.js', 'specs.js']

/** The constructors of streams, which the specs need, came after 2022-01-01. */
const SPECS_NEED = 'streams_enable_constructors'

export function workerd(date, flag) {
  return {
    name: `workerd, ${date}, ${flag}`,
    needs: workerdBinary(BUILD),
    version: () => readJson(`spec/runtimes/node_modules/workerd-${BUILD}/package.json`).version,
    async run(stage) {
      const worker = await startWorkerd(BUILD, await writeConfig(stage.folder, date, flag))
      try {
        return await resultOf(await Promise.race([fetch(worker.url), stage.report]))
      } finally {
        await worker.stop()
      }
    },
  }
}

/** As a Worker developer would. */
export function miniflare(date) {
  return {
    name: `Miniflare, ${date}`,
    needs: join(import.meta.dirname, 'node_modules/miniflare/package.json'),
    version: () => readJson('spec/runtimes/node_modules/miniflare/package.json').version,
    async run({ folder, report }) {
      const { Miniflare } = await import('miniflare')
      const modules = MODULES.map((name) => ({ type: 'ESModule', path: join(folder, name) }))
      const worker = new Miniflare({ modules, modulesRoot: folder, compatibilityDate: date })
      try {
        return await resultOf(await Promise.race([worker.dispatchFetch('http://worker/'), report]))
      } finally {
        await worker.dispose()
      }
    },
  }
}

async function resultOf(response) {
  if (response.ok) return response.json()
  throw new Error(`answered ${response.status} ${await response.text()}`)
}

async function writeConfig(folder, date, flag) {
  const file = join(folder, 'config.capnp')
  const modules = MODULES.map((name) => `(name = "${name}", esModule = embed "${name}")`)
  await writeFile(file, `
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "specs")],
  services = [(name = "specs", worker = (
    compatibilityDate = "${date}",
    compatibilityFlags = ["${flag}", "${SPECS_NEED}"],
    modules = [${modules}],
  ))],
);
`)
  return file
}
