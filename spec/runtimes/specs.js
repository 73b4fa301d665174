import files from 'spec files'

/** Runs the public specs in whatever runtime this is, and tells what passed and how the rest failed. */
globalThis.runSpecs = async () => {
  const suites = []
  const failures = []
  const counts = { registered: 0, total: 0, passed: 0, skipped: 0 }
  let place = 'while loading'
  const fail = (where, thrown) => failures.push({ where, text: describe(thrown) })
  const unhandled = unhandledRejections()

  Object.assign(globalThis, {
    UVU_DEFER: 1,
    UVU_INDEX: 0,
    UVU_QUEUE: [suites],
    SPEC_HOST: {
      registered: () => { counts.registered++ },
      entered: (...names) => { place = names.filter(Boolean).join(' › ') },
      failed: (title, name, thrown) => fail([title, name].filter(Boolean).join(' › '), thrown),
    },
  })

  const silence = new Promise((resolve) => setTimeout(resolve, PATIENCE, 'silence'))
  if (await Promise.race([runAll(), silence]) === 'silence') fail(place, new Error('it never settled'))
  for (const reason of unhandled.values()) fail('an unhandled rejection', reason)
  const { passed, skipped, total } = counts
  return { passed, skipped, failed: Math.max(total - passed, failures.length), failures }

  async function runAll() {
    for (const [file, load] of Object.entries(files)) {
      place = `while loading ${file}`
      await load().catch((error) => fail(place, error))
    }
    for (const runSuite of suites) {
      const [, passed, skipped, total] = await runSuite()
      counts.passed += passed
      counts.skipped += skipped
      counts.total += total
    }
    if (counts.registered !== counts.total) {
      fail('', new Error(`${counts.registered} tests were registered and ${counts.total} were run`))
    }
  }
}

/** Long enough for the slowest runtime. */
const PATIENCE = 300_000

/** What is left in the end: under old dates, workerd tells of rejections that are handled a moment later. */
function unhandledRejections() {
  const reasons = new Map()
  if (globalThis.addEventListener) {
    addEventListener('unhandledrejection', (event) => {
      event.preventDefault() // of Deno and Bun it would be the end
      reasons.set(event.promise, event.reason)
    })
    addEventListener('rejectionhandled', ({ promise }) => reasons.delete(promise))
  } else {
    const { process: node } = globalThis
    node.on('unhandledRejection', (reason, promise) => reasons.set(promise, reason))
    node.on('rejectionHandled', (promise) => reasons.delete(promise))
  }
  return reasons
}

function describe(thrown) {
  if (typeof thrown?.stack !== 'string') return `what was thrown is no Error: ${String(thrown)}`
  return [`${thrown.name}: ${thrown.message}`, thrown.details, thrown.stack].filter(Boolean).join('\n')
}
