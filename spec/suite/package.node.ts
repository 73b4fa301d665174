// The package as npm would publish it.

import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { build } from 'esbuild'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { entries, findFiles, manifest, mustRun, pack, run, workFolder } from '../../scripts/project.js'
import { ambientNames } from './ambient-names.ts'

const published = suite('the package')
const work = workFolder()
let tarball: string
let folder: string

published.before(async () => {
  tarball = await pack(work)
  await mustRun('tar', ['-xzf', tarball, '-C', work])
  folder = join(work, 'package')
})

published('holds exactly these files', () => {
  const modules = findFiles('lib', () => true).map((path: string) => path.slice('lib/'.length, -'.ts'.length))
  const expected = [
    'LICENSE',
    'README.md',
    'package.json',
    'dist/single.js',
    'dist/single.ts',
    'scripts/cli.js',
    ...findFiles('scripts/cli', () => true),
    ...modules.flatMap((name: string) => [`dist/${name}.js`, `dist/${name}.d.ts`])
  ]
  const items = readdirSync(folder, { recursive: true, withFileTypes: true })
  const files = items.filter((item) => item.isFile()).map((item) => join(item.path, item.name))
  assert.equal(files.map((file) => relative(folder, file)).sort(), expected.sort())
})

published('is the same byte for byte when it is built again', async () => {
  mkdirSync(join(work, 'again'))
  const again = await pack(join(work, 'again'))
  assert.ok(readFileSync(again).equals(readFileSync(tarball)))
})

published('satisfies publint', () => passes('publint', tarball, '--strict'))

published('has types that each kind of import finds', () => {
  return passes('attw', tarball, '--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm')
})

published('has types that lead to files which are there', () => {
  // TypeScript since 5.0 follows `./x.ts` to x.d.ts, which hides the mistake from attw.
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const text = file.endsWith('.d.ts') ? readFileSync(join(folder, file), 'utf8') : ''
    for (const [, path] of text.matchAll(/(?:from |import\()'(\..*?)'/g)) {
      assert.ok(existsSync(join(folder, dirname(file), path!)), `${file} imports ${path}`)
    }
  }
})

published('fits its budgets', async () => {
  const { code, output } = await run(process.execPath, ['scripts/size.js'])
  assert.ok(code === 0, output)
})

// What only another entry has a use for. Whoever imports one entry gets no other.
const METADATA = 'metadata.google.internal'
const STS = 'sts.googleapis.com'
const IAM = 'iamcredentials'
const KEY = 'PRIVATE KEY'
const ENDPOINT = 'oauth2.googleapis.com'
const foreignStrings: { [entry: string]: string[] } = {
  '.': [METADATA, STS, IAM],
  './metadata': [STS, IAM, KEY, ENDPOINT],
  './federation': [METADATA, KEY, ENDPOINT],
  './impersonation': [METADATA, STS],
  './adc': [],
  './fetch': [METADATA, STS, IAM, KEY, ENDPOINT],
  './store': [METADATA, STS, IAM, KEY, ENDPOINT]
}

for (const { path, name } of entries) {
  published(`has nothing foreign in ${path}`, async () => {
    const bundled = await bundle(join(folder, `dist/${name}.js`))
    assert.ok(foreignStrings[path], 'the entry has no row in the table')
    for (const text of foreignStrings[path]!) assert.not.match(bundled, text)
  })

  published(`has no trace of Node in ${path}`, async () => {
    const bundled = await bundle(join(folder, `dist/${name}.js`))
    assert.not.match(bundled, /\b(process|Buffer|require|setImmediate|navigator|__dirname|__filename)\b/)
    assert.not.match(bundled, /\b(node:|import\b)/)
  })
}

published('has a single file in which no name hides one that another part may mean', () => {
  const text = readFileSync(join(folder, 'dist/single.js'), 'utf8')
  const declarations = text.matchAll(/^(?:export )?(?:async )?(?:function|class|const|let) (\w+)/gm)
  const names = [...declarations].map(([, name]) => name!)
  assert.ok(names.includes('getIdToken'))
  const globals = new Set([...Object.getOwnPropertyNames(globalThis), ...ambientNames])
  assert.equal(names.filter((name) => globals.has(name)), [])
})

published('has a single file with licence, version and comments', () => {
  for (const name of ['single.ts', 'single.js']) {
    const text = readFileSync(join(folder, 'dist', name), 'utf8')
    assert.match(text, `${manifest.name} ${manifest.version}`)
    for (const line of readFileSync('LICENSE', 'utf8').split('\n')) assert.match(text, line)
    assert.match(text, /@param options/)
    assert.not.match(text, /^import\b|^export .* from /m)
  }
})

published.run()

async function bundle(file: string) {
  const settings = { bundle: true, minify: true, format: 'esm', write: false } as const
  return (await build({ entryPoints: [file], ...settings })).outputFiles[0]!.text
}

async function passes(program: string, ...args: string[]) {
  const { code, output } = await run(join('node_modules/.bin', program), args)
  assert.ok(code === 0, output)
}
