import { Table } from './table.ts'

/** One text out of many, which no others come to: before each stands its length. Numbers stand for long ones. */
export const identityOf = (parts: readonly any[]): string =>
  parts.map((part) => `${part?.length}:${part?.length > 999 ? numbers.get(part, () => ++last) : part}`).join()

/** Looking up a text as long as a key would mean to hash all of it, at each call. */
const numbers = new Table<number>()
let last = 0
