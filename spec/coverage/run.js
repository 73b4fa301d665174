// npm run coverage
// What the specs run of lib/, in Node and in the edge VM taken together. Less than all of it is a failure; what can
// be run by nothing says so at its line, after `v8 ignore`.

import { spawnSync } from 'node:child_process'
import { readFile, readdir } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { CoverageReport } from 'monocart-coverage-reports'
import { bundles } from '../../scripts/bundles.js'
import { root, specFiles, workFolder } from '../../scripts/project.js'

const METRICS = ['statements', 'branches', 'functions', 'lines']

const work = workFolder()
const { specBundle, subjectFile } = bundles(work, 'lib')
const counted = join(work, 'v8')
const report = new CoverageReport({
  outputDir: 'coverage',
  reports: ['console-details', 'v8'],
  sourceFilter: 'lib/**'
})

const specs = await ofTheLibrary(specFiles())
const env = { ...process.env, NODE_V8_COVERAGE: counted }
const tests = spawnSync(process.execPath, ['scripts/test.js', '--subject', 'lib', ...specs], { env, stdio: 'inherit' })
await report.add(await entries())
const { summary } = await report.generate()
const isWhole = METRICS.every((metric) => summary[metric].uncovered === 0)
if (!isWhole) console.log('lib/ holds what no spec runs')
process.exitCode = tests.status || (isWhole ? 0 : 1)

async function ofTheLibrary(specs) {
  const bundled = await Promise.all(specs.map((spec) => specBundle(spec, 'node')))
  return specs.filter((_, i) => bundled[i].imports.length > 0)
}

/** What each process counted in the library, with the library: built again here, it is the same to the byte. */
async function entries() {
  const subjects = new Map(await Promise.all(['node', 'vm'].map(async (runtime) => {
    const file = await subjectFile('lib', runtime)
    const source = await readFile(file, 'utf8')
    const sourceMap = JSON.parse(await readFile(`${file}.map`, 'utf8'))
    sourceMap.sources = sourceMap.sources.map((path) => relative(root, resolve(dirname(file), path)))
    return [basename(file), { source, sourceMap }]
  })))
  const found = []
  for (const name of await readdir(counted)) {
    const { result } = JSON.parse(await readFile(join(counted, name), 'utf8'))
    for (const entry of result) {
      const subject = subjects.get(basename(entry.url))
      if (!subject) continue
      const { endOffset } = entry.functions[0].ranges[0]
      if (endOffset !== subject.source.length) throw new Error('lib/ has changed meanwhile')
      const functions = entry.functions.filter(({ ranges: [range] }) => !isGetter(range, subject.source))
      found.push({ ...entry, ...subject, functions, url: basename(entry.url) })
    }
  }
  return found
}

/** What esbuild makes of `import * as`: a getter for each name. */
function isGetter({ startOffset, endOffset }, source) {
  const isArrow = /^\(\) => \w+$/.test(source.slice(startOffset, endOffset))
  return isArrow && /__export\(\w+, {[^}]*: $/.test(source.slice(0, startOffset))
}
