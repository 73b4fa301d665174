import assert from 'node:assert/strict'
import { join } from 'node:path'
import { mustRun, root } from '../../scripts/project.js'
import { checkAnswer, checkBundle } from './app.js'

const runtimes = join(root, 'spec/runtimes/node_modules')

export const nodeImports = [
  {
    name: `import in Node ${process.versions.node}`,
    check: ({ project }) => checkBundle(join(project, 'app.js')),
  },
  required(process.versions.node, process.execPath),
  ...[20, 22, 24, 26].map((major) => required(major, join(runtimes, `node-${major}/bin/node`))),
]

function required(version, node) {
  return {
    name: `require in Node ${version}`,
    needs: node,
    async check({ project }) {
      const { stdout, stderr } = await mustRun(node, ['app.cjs'], { cwd: project })
      assert.equal(stderr, '')
      await checkAnswer(JSON.parse(stdout))
    },
  }
}
