// SECURITY.md promises nothing without naming a test for it; each test that it names is there.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

const security = suite('SECURITY.md')
const text = readFileSync('SECURITY.md', 'utf8')
const rows = text.split('\n').filter((line) => line.startsWith('| ')).slice(2)

security('has a table of guarantees', () => assert.ok(rows.length > 20))

for (const row of rows) {
  const [guarantee, proofs] = row.slice(2, -2).split(' | ')
  security(`names tests that are there: ${guarantee}`, () => {
    const files = proofs!.split('; ')
    for (const proof of files) {
      const [, path, target, titles] = /^\[(spec\/\S+)\]\((spec\/\S+)\): (".*")$/.exec(proof) ?? []
      assert.ok(path && path === target, `no spec with its tests: ${proof}`)
      const source = readFileSync(path, 'utf8').replace(/\\'/g, "'")
      for (const [, title] of titles!.matchAll(/"([^"]+)"/g)) {
        assert.ok(isTest(source, title!), `${path} has no test "${title}"`)
      }
    }
  })
}

for (const file of ['SECURITY.md', '.github/CONTRIBUTING.md', 'CHANGELOG.md']) {
  security(`${file} leads to files that are there`, () => {
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/\]\((?!https:)([^)]+)\)/g)) {
      assert.ok(existsSync(join(dirname(file), path!)), path)
    }
  })
}

security.run()

/** By its whole title, or, where that is made of parts, by the words before the first of them. */
function isTest(source: string, title: string): boolean {
  const calls = source.matchAll(/^ *\w+\(\s*(?:'(.*?)', |"(.*?)", |`(.*?)`, )/gm)
  return [...calls].some(([, single, double, template]) => {
    const fixed = template?.replace(/^\$\{\w+\} /, '').split('${')[0]!.replace(/[: ]+$/, '')
    return [single, double, fixed].includes(title)
  })
}
