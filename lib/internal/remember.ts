/** Puts a value into a map of at most 500, that forgets what was not put for longest: memory stays bounded. */
export function remember<Value>(map: Map<string, Value>, key: string, value: Value): Value {
  map.delete(key)
  if (map.size === 500) map.delete(map.keys().next().value!)
  map.set(key, value)
  return value
}
