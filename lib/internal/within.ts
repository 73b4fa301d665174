/**
 * What `work` comes to, or `undefined` when that takes longer than so many milliseconds, or than until a signal is
 * aborted. Whatever happens, no timer and no listener is left behind, and no rejection is unhandled.
 */
export async function within<T>(
  milliseconds: number,
  work?: Promise<T>,
  signal?: AbortSignal
): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout>
  let stop!: () => void
  try {
    return await new Promise<T | undefined>((resolve, reject) => {
      stop = () => resolve(undefined)
      timer = setTimeout(stop, Math.min(milliseconds, 2 ** 31 - 1)) // above that, they fire at once
      signal?.addEventListener('abort', stop)
      if (signal?.aborted) stop()
      work?.then(resolve, reject)
    })
  } finally {
    clearTimeout(timer!)
    signal?.removeEventListener('abort', stop)
  }
}
