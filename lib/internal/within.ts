/**
 * What `work` comes to, or `undefined` when that takes longer than so many milliseconds; a signal ends the wait
 * with its reason. Whatever happens, no timer and no listener is left behind, and no rejection is unhandled.
 */
export function within<T>(milliseconds: number, work: Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout>
  let abort!: () => void
  const ended = new Promise<undefined>((resolve, reject) => {
    timer = setTimeout(resolve as () => void, Math.min(milliseconds, 2 ** 31 - 1)) // above that, they fire at once
    abort = () => reject(signal!.reason)
    signal?.addEventListener('abort', abort)
    if (signal?.aborted) abort()
  })
  return Promise.race([work, ended]).finally(() => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  })
}
