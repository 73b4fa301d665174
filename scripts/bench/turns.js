// One turn: some calls one after another, of which the median counts.

import { Bench } from 'tinybench'

/**
 * @param {(count: number) => Promise<unknown>} call makes so many calls
 * @param {{ calls: number, batch?: number, endpoint: string }} settings calls that are too short: in batches
 * @returns a function that measures a turn: by call, milliseconds (by the clock, of the processor), exchanges
 */
export function turnOf(call, { calls, batch = 1, endpoint }) {
  return async () => {
    const bench = new Bench({ iterations: calls, time: 0, warmup: false, throws: true })
    bench.add('call', () => call(batch), { async: true })
    await exchangesAt(endpoint)
    const before = process.cpuUsage()
    const [{ result }] = await bench.run()
    const { user, system } = process.cpuUsage(before)
    const exchanges = await exchangesAt(endpoint)
    const each = 1 / calls / batch
    const cpu = (user + system) / 1000 * each
    return { time: result.latency.p50 / batch, cpu, exchanges: exchanges * each }
  }
}

/** Since it was asked last. */
async function exchangesAt(endpoint) {
  return Number(await (await fetch(endpoint)).text())
}
