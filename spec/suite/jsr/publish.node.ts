// The package as JSR would publish it: `npm run test:package`, because Deno is a large thing to install.

import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { entries, findFiles, mustRun, root, run } from '../../../scripts/project.js'

const jsr = suite('JSR')
const deno = 'spec/runtimes/node_modules/@deno/linux-x64-glibc/deno'

jsr.before(async () => {
  await mustRun(process.execPath, ['scripts/install.js', 'spec/runtimes'])
})

jsr('takes the package, and exactly these files', async () => {
  const { code, output } = await denoRun('publish', '--dry-run', '--allow-dirty')
  assert.ok(code === 0, output)
  const urls = output.matchAll(/^\s+file:\/\/(\S+) \(/gm)
  const listed = [...urls].map(([, path]) => path!.slice(root.length + 1))
  const { include } = JSON.parse(readFileSync('jsr.json', 'utf8')).publish
  const expected = [...findFiles('lib', () => true), ...include.filter((path: string) => path !== 'lib')]
  assert.equal(listed.sort(), expected.sort())
})

for (const { source } of entries) {
  jsr(`finds ${source} documented`, async () => {
    const { code, output } = await denoRun('doc', '--lint', source)
    assert.ok(code === 0, output)
  })
}

jsr.run()

function denoRun(...args: string[]) {
  return run(deno, args, { env: { ...process.env, NO_COLOR: '1' } })
}
