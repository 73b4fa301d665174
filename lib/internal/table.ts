/** A map of at most 500 entries, that forgets what was not used for longest: memory stays bounded. */
export class Table<Value> extends Map<string, Value> {
  /** What is there, or else what is made for it. */
  override get(key: string, make: (key: string) => Value): Value
  override get(key: string): Value | undefined
  override get(key: string, make?: (key: string) => Value): Value | undefined {
    const value = super.get(key) ?? make?.(key)
    if (value !== undefined) this.set(key, value)
    return value
  }

  override set(key: string, value: Value): this {
    this.delete(key)
    if (this.size === 500) this.delete(this.keys().next().value!)
    return super.set(key, value)
  }
}
