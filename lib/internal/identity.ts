/** One text out of many, which no others come to: before each stands its length. */
export const identityOf = (parts: readonly unknown[]): string =>
  parts.map((part) => `${(part as string | undefined)?.length}:${part}`).join()
