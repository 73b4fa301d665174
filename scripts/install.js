// node scripts/install.js FOLDER …
// `npm ci` in each, unless what is installed there is newer than its lockfile: several lanes share a folder.

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun } from './project.js'

for (const folder of process.argv.slice(2)) {
  const writtenAt = (path) => statSync(join(folder, path), { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (writtenAt('node_modules/.package-lock.json') > writtenAt('package-lock.json')) continue
  console.log((await mustRun('npm', ['ci', '--prefix', folder])).output)
}
