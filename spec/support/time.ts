/** How many times longer the one takes than the other; of each the quickest run counts, for machines pause. */
export async function timesLonger(long: () => Promise<unknown>, short: () => Promise<unknown>): Promise<number> {
  const times = { long: Infinity, short: Infinity }
  for (let i = 0; i < 5; i++) {
    times.short = Math.min(times.short, await time(short))
    times.long = Math.min(times.long, await time(long))
  }
  return times.long / times.short
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  for (let i = 0; i < 5; i++) await work()
  return performance.now() - start
}
