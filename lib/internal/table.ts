/** A map that forgets what was not used for longest: whatever callers ask for, memory stays bounded. */
export class Table<Value> {
  #entries = new Map<string, Value>()

  get(key: string): Value | undefined {
    const value = this.#entries.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size > MOST_ENTRIES) this.#entries.delete(this.#entries.keys().next().value!)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}

const MOST_ENTRIES = 500
