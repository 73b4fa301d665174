/**
 * Whether the one takes less than so many times the time of the other. Machines pause: of each the quickest run
 * counts, and they run again until it does.
 */
export async function takesLess(
  times: number, long: () => Promise<unknown>, short: () => Promise<unknown>
): Promise<boolean> {
  let quickest = { long: Infinity, short: Infinity }
  for (let i = 0; i < 40; i++) {
    quickest = {
      long: Math.min(quickest.long, await time(long)),
      short: Math.min(quickest.short, await time(short))
    }
    if (i >= 2 && quickest.long < times * quickest.short) return true
  }
  return false
}

/** Milliseconds of one run, out of so many that a clock with steps of a millisecond can tell. */
async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  for (let runs = 1; ; runs++) {
    await work()
    const taken = performance.now() - start
    if (taken >= 5) return taken / runs
  }
}
