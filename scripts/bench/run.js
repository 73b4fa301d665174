// npm run bench [-- --json] [-- --save]
// Time and size, beside what one would use instead. --json prints all that was measured; --save keeps it in
// results.json, and draws from that the README's table and chart.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { node } from '../../spec/runtimes/processes.js'
import { bytesOf } from '../bytes.js'
import { install, manifest, mustRun, readJson, root, workFolder } from '../project.js'
import { chart } from './chart.js'
import { measureElsewhere } from './elsewhere.js'
import { newKeys } from './keys.js'
import { CHART, IMPORT, RESULTS, print, withTable } from './report.js'
import { inRounds, summary } from './rounds.js'

const here = join(root, 'scripts/bench')
const NODE = node(24)
/** How many keys and how many audiences are new to everybody: no case needs more. */
const NEW = 1000
/** The modules as they are installed; the package also in one file, as bundlers make it. */
const MODULES = {
  'an empty module': './empty.js',
  'gcp-id-token': './installed/node_modules/gcp-id-token/dist/index.js',
  'gcp-id-token, bundled': './gcp-id-token.js',
  'google-auth-library': 'google-auth-library',
  'jose, redaxios': './subjects/recipe.js',
  'web-auth-library': 'web-auth-library/google',
  'least code': './subjects/least.js'
}

const { values: options } = parseArgs({ options: { json: { type: 'boolean' }, save: { type: 'boolean' } } })
const work = workFolder(join(here, 'node_modules'))
const endpoint = fork(join(here, 'endpoint.js'), [`${NEW}`])
try {
  const [tokenUri] = await once(endpoint, 'message')
  await prepare({ tokenUri, privateKeys: newKeys(NEW) })
  const results = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} cores of ${cpus()[0].model}, ${process.platform} ${process.arch}`,
    versions: versions(),
    bytes: await measureBytes(),
    times: {
      [`Node ${await NODE.version()}`]: await measureInNode(),
      ...await measureElsewhere(work, bundle)
    }
  }
  if (options.json) console.log(JSON.stringify(results))
  else print(results)
  if (options.save) await save(results)
} finally {
  endpoint.kill()
}

async function prepare(given) {
  await writeFile(join(work, 'given.json'), JSON.stringify(given))
  const { project } = await install(work)
  const contents = `export * from '${manifest.name}'`
  const minified = { bundle: true, minify: true, format: 'esm', target: 'es2022' }
  const outfile = join(work, 'gcp-id-token.js')
  await build({ stdin: { contents, resolveDir: project }, outfile, ...minified })
  await bundle('in-node.js', join(work, 'in-node.js'))
  await cp(join(here, 'import.js'), join(work, 'import.js'))
  await cp(join(here, 'subjects'), join(work, 'subjects'), { recursive: true })
  await writeFile(join(work, 'empty.js'), '')
  await writeFile(join(work, 'package.json'), '{ "type": "module" }')
}

/** One of the programs here, with the package in it, as published and minified; all others as installed. */
function bundle(program, outfile) {
  const alias = { [manifest.name]: join(work, 'gcp-id-token.js'), given: join(work, 'given.json') }
  const settings = { bundle: true, format: 'esm', packages: 'external', alias }
  return build({ entryPoints: [join(here, program)], outfile, ...settings })
}

function versions() {
  const { tinybench: _, ...others } = readJson(join(here, 'package.json')).dependencies
  return { [manifest.name]: manifest.version, ...others }
}

async function measureBytes() {
  const brotli = async (...module) => (await bytesOf(...module)).brotli
  const resolveDir = here
  return {
    'gcp-id-token': await brotli(`export { getIdToken } from './lib/index.ts'`, { resolveDir: root }),
    'google-auth-library': await brotli(
      `export { GoogleAuth } from 'google-auth-library'`,
      { resolveDir, platform: 'node' }
    ),
    'jose, redaxios': await brotli(`export * from './subjects/recipe.js'`, { resolveDir }),
    'web-auth-library': await brotli(
      `export { getAccessToken } from 'web-auth-library/google'`,
      { resolveDir }
    ),
    'least code': await brotli(`export * from './subjects/least.js'`, { resolveDir })
  }
}

async function measureInNode() {
  const { stdout } = await mustRun(NODE.needs, [join(work, 'in-node.js')])
  return { [IMPORT]: await measureImports(), ...JSON.parse(stdout) }
}

/** Each in a process of its own, by the processor: the clock would also tell what other programs take. */
async function measureImports() {
  const turns = Object.entries(MODULES).map(([name, module]) => [name, async () => {
    return JSON.parse((await mustRun(NODE.needs, ['import.js', module], { cwd: work })).stdout)
  }])
  const measured = await inRounds(Object.fromEntries(turns), { rounds: 25, warmUp: 2 })
  return summary(measured, ['an empty module'])
}

async function save(results) {
  await writeFile(RESULTS, inLines(results))
  await writeFile(CHART, chart(results))
  await writeFile('README.md', withTable(await readFile('README.md', 'utf8'), results))
}

/** JSON with its lists of numbers in one line each. */
function inLines(results) {
  const inOne = (list) => list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']')
  return `${JSON.stringify(results, null, 2).replace(/\[[^\]]+\]/g, inOne)}\n`
}
