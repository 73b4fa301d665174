/** How many times longer the one takes than the other; of each the quickest run counts, for machines pause. */
export async function timesLonger(long: () => Promise<unknown>, short: () => Promise<unknown>): Promise<number> {
  const times = { long: Infinity, short: Infinity }
  for (let i = 0; i < 5; i++) {
    times.short = Math.min(times.short, await time(short))
    times.long = Math.min(times.long, await time(long))
  }
  return times.long / times.short
}

/** Milliseconds of one run, out of so many that a clock with steps of a millisecond can tell. */
async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  for (let runs = 1; ; runs++) {
    await work()
    const taken = performance.now() - start
    if (taken >= 10) return taken / runs
  }
}
