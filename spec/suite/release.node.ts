// What a release carries, put together here as the workflow does it for a tag.

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { install, manifest, mustRun, run, workFolder } from '../../scripts/project.js'

const release = suite('a release')
const work: string = workFolder()
const tag = `v${manifest.version}`
let tarball: string
let folder: string

release.before(async () => {
  tarball = (await install(work)).tarball
  folder = join(work, 'release')
  await mustRun(process.execPath, ['scripts/release.js', tag, tarball, folder])
})

release('carries the very package, and the single file that is in it', () => {
  const own = join(work, 'installed/node_modules', manifest.name, 'dist')
  for (const [name, source] of [
    [basename(tarball), tarball], ['single.ts', join(own, 'single.ts')], ['single.js', join(own, 'single.js')]
  ] as const) {
    assert.ok(readFileSync(join(folder, 'files', name)).equals(readFileSync(source)), name)
  }
})

release('carries a bill of materials without any component', () => {
  const { bomFormat, metadata, components } = JSON.parse(readFileSync(join(folder, 'files/sbom.cdx.json'), 'utf8'))
  assert.is(bomFormat, 'CycloneDX')
  assert.is(metadata.component.purl, `pkg:npm/${manifest.name}@${manifest.version}`)
  assert.equal(components, [])
})

release('carries checksums of all that it carries', async () => {
  const cwd = join(folder, 'files')
  const { stdout } = await mustRun('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd })
  const checked = stdout.trim().split('\n').map((line: string) => line.replace(': OK', ''))
  assert.equal(checked.sort(), readdirSync(cwd).filter((name) => name !== 'SHA256SUMS').sort())
})

release('tells what is new, and only that', () => {
  const notes = readFileSync(join(folder, 'notes.md'), 'utf8')
  assert.ok(notes.length > 50)
  assert.ok(readFileSync('CHANGELOG.md', 'utf8').includes(`## ${manifest.version}\n\n${notes}`))
  assert.not.match(notes, /^## /m)
})

for (const wrong of [manifest.version, 'v0.0.9', '']) {
  release(`is not made for the tag ${wrong || 'of no name'}`, async () => {
    const { code, output } = await run(process.execPath, ['scripts/release.js', wrong, tarball, join(work, 'no')])
    assert.is(code, 1)
    assert.match(output, 'The tag is')
  })
}

release('is not made of a package of another version', async () => {
  const other = join(work, 'package')
  mkdirSync(other)
  writeFileSync(join(other, 'package.json'), JSON.stringify({ ...manifest, version: '9.9.9' }))
  const file = join(work, 'other.tgz')
  await mustRun('tar', ['-czf', file, '-C', work, 'package'])
  for (const wanted of [tag, 'v9.9.9']) {
    const { code, output } = await run(process.execPath, ['scripts/release.js', wanted, file, join(work, 'no')])
    assert.is(code, 1)
    assert.match(output, 'the package is of 9.9.9')
  }
})

release.run()
