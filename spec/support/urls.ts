/** Those that this runtime, too, takes for no URL. Workers of 2022 take more for one, which their `fetch` refuses. */
export function noUrls(...texts: string[]): string[] {
  return texts.filter((text) => {
    try {
      return !new URL(text)
    } catch {
      return true
    }
  })
}
