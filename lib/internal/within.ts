/**
 * What `work` comes to, or `undefined` when that takes longer than so many milliseconds; a signal ends the wait
 * with its reason. Whatever happens, no timer and no listener is left behind, and no rejection is unhandled.
 */
export function within<T>(milliseconds: number, work: Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
  let stop = () => {}
  const ended = new Promise<undefined>((resolve, reject) => {
    // Timers take 1 to 2^31 - 1 ms, and fire at once above that.
    const timer = setTimeout(() => resolve(undefined), Math.min(Math.max(milliseconds, 1), 2 ** 31 - 1))
    const abort = () => reject(signal!.reason)
    signal?.addEventListener('abort', abort)
    if (signal?.aborted) abort()
    stop = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  })
  return Promise.race([work, ended]).finally(() => stop())
}
