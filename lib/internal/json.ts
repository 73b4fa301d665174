/** What a JSON text says; `undefined` for any other, without the error of JSON.parse, which quotes what it read. */
export function parseJson(text: string): any {
  try {
    return JSON.parse(text)
  } catch {}
}
