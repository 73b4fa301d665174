import { createServer } from 'node:http'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { build } from 'esbuild'
import { bundles, subjectImports, watchedUvu } from '../../scripts/bundles.js'
import { findFiles, root, workFolder } from '../../scripts/project.js'

/** Longer than the specs' own patience. */
const PATIENCE = 330_000
const TYPES = { '.js': 'text/javascript', '.html': 'text/html' }

/** The bundles and the adapters, and a loopback server that hands them to browsers and takes the reports. */
export async function openStages() {
  const work = workFolder()
  const bundled = join(work, 'bundled')
  await writeBundles(work, bundled)
  const reports = new Map()

  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      reports.get(request.url)(JSON.parse(await text(request)))
      return response.end()
    }
    const content = await readFile(join(work, request.url)).catch(() => undefined)
    response.writeHead(content ? 200 : 404, { 'content-type': TYPES[extname(request.url)] ?? 'text/plain' })
    response.end(content)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${server.address().port}`

  return {
    /** A folder of its own for one runtime, its address, and what comes of the specs there. */
    async open(id) {
      const folder = join(work, `${id}`)
      const url = `${origin}/${id}`
      await cp(bundled, folder, { recursive: true })
      await writeFile(join(folder, 'report-to.js'), `export default '${url}/report'\n`)
      const report = new Promise((resolve, reject) => {
        reports.set(`/${id}/report`, resolve)
        setTimeout(() => reject(new Error(`no report within ${PATIENCE / 1000} s`)), PATIENCE).unref()
      })
      report.catch(() => {})
      return { folder, url, report }
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function writeBundles(work, folder) {
  const { publicFiles, subjectFile } = bundles(work, 'lib')
  await cp(join(import.meta.dirname, 'adapters'), folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await cp(await subjectFile('package', 'vm'), join(folder, 'subject.js'))
  await build({
    entryPoints: [join(import.meta.dirname, 'specs.js')],
    outfile: join(folder, 'specs.js'),
    bundle: true,
    format: 'iife',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2022',
    // Deno grants nobody its environment.
    define: { 'process': 'undefined', 'globalThis.process': 'undefined' },
    logLevel: 'silent',
    plugins: [specFiles, subjectImports(publicFiles, 'lib'), watchedUvu],
  })
}

/** An esbuild plugin: the public specs, each loaded in its turn: Workers forbid much in the global scope. */
const specFiles = {
  name: 'spec files',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^spec files$/ }, ({ path }) => ({ path, namespace: 'specs' }))
    onLoad({ filter: /./, namespace: 'specs' }, () => {
      const files = findFiles('spec', (path) => /^spec\/[^/]+\.spec\.ts$/.test(path))
      const loaders = files.map((path) => `${JSON.stringify(path)}: () => import('./${path}')`)
      return { contents: `export default { ${loaders.join(', ')} }`, resolveDir: root }
    })
  },
}
