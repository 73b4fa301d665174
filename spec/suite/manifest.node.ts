// package.json, jsr.json and lib/ tell the same story.

import { existsSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findFiles } from '../../scripts/project.js'

const npm = JSON.parse(readFileSync('package.json', 'utf8'))
const jsr = JSON.parse(readFileSync('jsr.json', 'utf8'))
const manifests = suite('the manifests')

manifests('export every file of lib/, and nothing else', () => {
  const { './package.json': itself, ...entries } = npm.exports
  assert.is(itself, './package.json')
  const sources = findFiles('lib', (path: string) => !path.startsWith('lib/internal/'))
  assert.equal(Object.keys(entries).map(sourceOf).sort(), sources.sort())
  for (const [entry, conditions] of Object.entries(entries)) {
    const name = sourceOf(entry).slice('lib/'.length, -'.ts'.length)
    // An order that matters, which `assert.equal` would not see.
    assert.is(JSON.stringify(conditions), `{"types":"./dist/${name}.d.ts","default":"./dist/${name}.js"}`)
  }
  assert.is(npm.main, npm.exports['.'].default)
  assert.is(npm.types, npm.exports['.'].types)
})

manifests('agree on the entries', () => {
  const { './package.json': _, ...entries } = npm.exports
  const expected = Object.keys(entries).map((entry) => [entry, `./${sourceOf(entry)}`])
  assert.equal(jsr.exports, Object.fromEntries(expected))
})

manifests('agree on version and licence', () => {
  assert.is(jsr.name, `@${npm.name}/${npm.name}`)
  assert.is(jsr.version, npm.version)
  assert.is(jsr.license, npm.license)
  assert.is(npm.license, 'MIT')
  assert.match(readFileSync('LICENSE', 'utf8'), `${npm.license} License`)
  assert.match(readFileSync('LICENSE', 'utf8'), npm.author)
})

manifests('name no dependency, no install script, no side effect and no condition of import', () => {
  const fields = Object.keys(npm).filter((field) => /dependencies|imports|browser/i.test(field))
  assert.equal(fields, ['devDependencies'])
  assert.equal(Object.keys(npm.scripts).filter((name) => /install|^prepare$/.test(name)), [])
  assert.is(npm.sideEffects, false)
  assert.is(npm.type, 'module')
})

manifests('pin every development dependency, and none to a host', () => {
  for (const [name, version] of Object.entries<string>(npm.devDependencies)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name)
  }
  assert.not.match(readFileSync('package-lock.json', 'utf8'), '"resolved"')
})

manifests('publish only files that exist', () => {
  for (const path of jsr.publish.include) assert.ok(existsSync(path), path)
})

manifests.run()

function sourceOf(entry: string) {
  return entry === '.' ? 'lib/index.ts' : `lib/${entry.slice(2)}.ts`
}
