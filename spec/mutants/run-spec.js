// Runs bundled specs in this very process, and ends it at the first thing that is wrong.

import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'

const watchdog = new Worker(new URL('watchdog.js', import.meta.url))
watchdog.unref()
let place = 'before the first spec'

process.on('unhandledRejection', (reason) => fail('unhandled rejection', reason))
process.on('uncaughtException', (error) => fail('uncaught exception', error))
process.once('beforeExit', () => fail('it never settled'))

/** Each spec gets a library of its own, so that nothing is cached when it begins. */
export async function runSpec(bundle, subject, seconds, loaded = () => {}) {
  const suites = []
  place = bundle
  Object.assign(globalThis, { UVU_DEFER: 1, UVU_INDEX: 0, UVU_QUEUE: [suites], SPEC_HOST: newHost(bundle) })
  watchdog.postMessage({ bundle, seconds })
  await import(`${pathToFileURL(subject)}?${bundle}`)
  loaded()
  await import(pathToFileURL(bundle))
  for (const run of suites) await run()
}

function newHost(bundle) {
  return {
    registered: () => {},
    entered: (...names) => { place = [bundle, ...names].join(' › ') },
    failed: (title, name, thrown) => fail('', thrown),
    rsaKeys: JSON.parse(process.env.SPEC_RSA_KEYS)
  }
}

function fail(what, thrown) {
  console.error(`\n${place}: ${what} ${thrown?.message ?? (thrown === undefined ? '' : inspect(thrown))}`)
  process.exit(1)
}
