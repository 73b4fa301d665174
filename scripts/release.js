// node scripts/release.js v1.2.3 package.tgz folder
// All that a release on GitHub carries, out of the package that was tested: the package, the single file, a bill of
// materials and the checksums, in `folder/files`; what is new, in `folder/notes.md`.

import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { manifest, mustRun, root, workFolder } from './project.js'

const [tag, tarball, folder] = process.argv.slice(2)
const files = join(folder, 'files')

const unpacked = await unpack()
checkVersions()
mkdirSync(files, { recursive: true })
writeFileSync(join(folder, 'notes.md'), notes())
cpSync(tarball, join(files, basename(tarball)))
for (const name of ['single.ts', 'single.js']) cpSync(join(unpacked, 'dist', name), join(files, name))
writeFileSync(join(files, 'sbom.cdx.json'), await billOfMaterials())
writeFileSync(join(files, 'SHA256SUMS'), checksums())

async function unpack() {
  const work = workFolder()
  await mustRun('tar', ['-xzf', tarball, '-C', work])
  return join(work, 'package')
}

function checkVersions() {
  const { version } = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'))
  if (tag === `v${version}` && version === manifest.version) return
  throw new Error(`The tag is ${tag}, the package is of ${version}, and package.json says ${manifest.version}`)
}

/** The section of the version. */
function notes() {
  const sections = readFileSync(join(root, 'CHANGELOG.md'), 'utf8').split(/^## /m)
  const section = sections.find((text) => text.startsWith(`${manifest.version}\n`))
  const text = section?.slice(manifest.version.length).trim()
  if (!text) throw new Error(`CHANGELOG.md says nothing of ${manifest.version}`)
  return `${text}\n`
}

async function billOfMaterials() {
  const args = ['sbom', '--package-lock-only', '--omit=dev', '--sbom-format=cyclonedx', '--loglevel=error']
  return (await mustRun('npm', args)).stdout
}

/** As `sha256sum --check` reads them. */
function checksums() {
  const lines = readdirSync(files).filter((name) => name !== 'SHA256SUMS').map((name) => {
    return `${createHash('sha256').update(readFileSync(join(files, name))).digest('hex')}  ${name}\n`
  })
  return lines.join('')
}
