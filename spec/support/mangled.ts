import fc from 'fast-check'

// What happens to texts on their way, as fast-check's arbitraries of functions from text to text.

export type Change = (text: string) => string

/** What a PEM can wear and still be read. */
export const coatsOfPem: Change[] = [
  (pem) => pem.replaceAll('\n', '\\n'),
  (pem) => pem.replaceAll('\n', '\r\n'),
  (pem) => pem.replaceAll('\n', ' '),
  (pem) => pem.replaceAll('\n', '\t'),
  (pem) => pem.replaceAll('\n', ''),
  (pem) => pem.replaceAll('\n', '\n    '),
  (pem) => pem.replaceAll('\\', '\\\\'),
  (pem) => `"${pem}"`,
  (pem) => `'${pem}'`,
  (pem) => `${pem},`,
  (pem) => `\uFEFF${pem}`,
  (pem) => ` \n${pem}\t `,
  (pem) => `Bag Attributes\n    friendlyName: key\n${pem}`
]

/** What the JSON of credentials can wear and still be read. */
export const coatsOfJson: Change[] = [
  (json) => JSON.stringify(json),
  (json) => `'${json}'`,
  (json) => ` \n${json}\r\n\t`,
  (json) => `\uFEFF${json}`,
  (json) => base64(json),
  (json) => base64(json).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
]

/** Some of the changes, one after the other. */
export function wear(changes: Change[], maxLength: number): fc.Arbitrary<Change> {
  return fc.array(fc.constantFrom(...changes), { maxLength }).map(inTurn)
}

/** Any characters of one byte each, a few of them. */
export const binary: fc.Arbitrary<string> =
  fc.string({ unit: fc.nat(255).map((byte) => String.fromCharCode(byte)), maxLength: 4 })

const words = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constantFrom('\n', '\\', '"', '\'', '=', '-', 'A', '{', '}', '\0', '-----BEGIN ', '-----END ', '\\u0000')
)

/**
 * A few places where characters are lost, put in, changed in a bit, said over and over, or moved, or where all of
 * the rest is gone.
 */
export function damage(insertions: fc.Arbitrary<string> = words): fc.Arbitrary<Change> {
  const lost = fc.oneof({ weight: 9, arbitrary: fc.nat(8) }, { weight: 1, arbitrary: fc.constant(Infinity) })
  const times = fc.oneof({ weight: 19, arbitrary: fc.nat(4) }, { weight: 1, arbitrary: fc.nat(5000) })
  const edit = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(place, lost, insertions).map(([...edit]) => exchanged(...edit)) },
    { weight: 2, arbitrary: fc.tuple(place, fc.nat(7)).map(([...edit]) => flipped(...edit)) },
    { weight: 1, arbitrary: fc.tuple(place, fc.nat(40), times).map(([...edit]) => repeated(...edit)) },
    { weight: 1, arbitrary: fc.tuple(place, fc.nat(80), place).map(([...edit]) => moved(...edit)) }
  )
  return fc.array(edit, { minLength: 1, maxLength: 3 }).map(inTurn)
}

/** UTF-8 of the text in base64. */
export function base64(text: string): string {
  let binary = ''
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary)
}

const place = fc.double({ min: 0, max: 1, noNaN: true })

function exchanged(where: number, count: number, inserted: string): Change {
  return at(where, (before, after) => before + inserted + after.slice(count))
}

function flipped(where: number, bit: number): Change {
  return at(where, (before, after) => {
    return after ? before + String.fromCharCode(after.charCodeAt(0) ^ (1 << bit)) + after.slice(1) : before
  })
}

function repeated(where: number, count: number, times: number): Change {
  return at(where, (before, after) => before + after.slice(0, count).repeat(times) + after)
}

function moved(where: number, count: number, to: number): Change {
  return at(where, (before, after) => exchanged(to, 0, after.slice(0, count))(before + after.slice(count)))
}

function at(where: number, change: (before: string, after: string) => string): Change {
  return (text) => {
    const index = Math.floor(where * text.length)
    return change(text.slice(0, index), text.slice(index))
  }
}

function inTurn(changes: Change[]): Change {
  return (text) => changes.reduce((changed, change) => change(changed), text)
}
