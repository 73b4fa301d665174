// npm test -- [part of a path …] [--subject lib|package|minified|single] [--in node|vm]
// Bundles the specs and runs each in a process of its own, for every subject, in plain Node and in the edge VM.

import { fork } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { SourceMap } from 'node:module'
import { availableParallelism } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { parseArgs, stripVTControlCharacters } from 'node:util'
import { build } from 'esbuild'
import { entries, findFiles, manifest, mustRun, pack, root, workFolder } from './project.js'

const { values: options, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    subject: { type: 'string' },
    in: { type: 'string' },
    // For the proofs of this runner: another library, and less patience.
    lib: { type: 'string', default: 'lib' },
    patience: { type: 'string', default: '120' }
  }
})

const work = workFolder()
const once = (make) => {
  const made = new Map()
  return (key) => made.get(key) ?? made.set(key, make(key)).get(key)
}

// --- what is tested: each subject answers for the specifiers that a spec imports

const publicFiles = Object.fromEntries(entries.map(({ specifier, name }) => [specifier, `${options.lib}/${name}.ts`]))

const subjects = {
  lib: async () => {
    const files = findFiles(options.lib, (path) => path.endsWith('.ts')).map((path) => [path, path])
    return { targets: Object.fromEntries([...Object.entries(publicFiles), ...files].map(absolute)), bundled: {} }
  },
  package: async () => ({ targets: installedTargets(), folder: await installed() }),
  minified: async () => ({ targets: installedTargets(), folder: await installed(), bundled: { minify: true } }),
  single: async () => ({
    targets: { [manifest.name]: join(await installed(), `node_modules/${manifest.name}/dist/single.js`) }
  })
}

const absolute = ([specifier, path]) => [specifier, resolve(root, path)]

const installedTargets = () => Object.fromEntries(entries.map(({ specifier }) => [specifier, specifier]))

const installed = once(async () => {
  const tarball = await pack(work)
  const folder = join(work, 'installed')
  await mkdir(folder)
  await writeFile(join(folder, 'package.json'), '{ "private": true }')
  const alone = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await mustRun('npm', ['install', ...alone, tarball], { cwd: folder })
  return folder
}).bind(null, 'package')

/** The subject as a file that leaves its modules in `globalThis.SUBJECT`. */
const subjectFile = once(async (key) => {
  const [name, runtime] = key.split(' ')
  const { targets, folder = root, bundled } = await subjects[name]()
  const specifiers = Object.keys(targets)
  const contents = [
    ...specifiers.map((specifier, i) => `import * as m${i} from ${JSON.stringify(targets[specifier])}`),
    `globalThis.SUBJECT = { ${specifiers.map((specifier, i) => `${JSON.stringify(specifier)}: m${i}`)} }`
  ].join('\n')
  const file = join(folder === root ? work : folder, `${name}.${runtime === 'vm' ? 'js' : 'mjs'}`)
  if (runtime === 'node' && !bundled) await writeFile(file, contents)
  else {
    await bundle(file, { stdin: { contents, resolveDir: folder }, format: runtime === 'vm' ? 'iife' : 'esm', ...bundled })
  }
  return file
})

// --- the specs

const specFiles = findFiles('spec', (path) => /\.(spec|node)\.ts$/.test(path), ['node_modules', 'runtimes', 'fixtures', 'jsr'])

const chosen = filters.length === 0
  ? specFiles
  : filters.flatMap((text) => existsSync(text) ? text : specFiles.filter((path) => path.includes(text)))

/** A spec as one file, with what it imports of the library left open: `{ file, imports }`. */
const specBundle = once(async (key) => {
  const [spec, runtime] = key.split(' ')
  const imports = new Set()
  const file = join(work, runtime, spec.replace(/\.ts$/, runtime === 'vm' ? '.js' : '.mjs'))
  await bundle(file, {
    entryPoints: [spec],
    ...(runtime === 'vm' ? { format: 'iife' } : { format: 'esm', platform: 'node', packages: 'external' }),
    plugins: [subjectImports(imports), watchedUvu]
  })
  return { file, imports }
})

function subjectImports(imports) {
  const isPublic = (path) => path === manifest.name || path.startsWith(`${manifest.name}/`)
  return {
    name: 'subject',
    setup(build) {
      build.onResolve({ filter: /./ }, ({ path, resolveDir, importer, namespace }) => {
        const file = path.startsWith('.') && relative(root, join(resolveDir, path))
        const specifier = isPublic(path) ? path : file && file.startsWith(`${options.lib}/`) ? file : undefined
        if (!specifier || namespace !== 'file' || !importer) return
        imports.add(specifier)
        return { path: specifier, namespace: 'subject' }
      })
      build.onLoad({ filter: /./, namespace: 'subject' }, async ({ path }) => {
        const names = await exportedNames(publicFiles[path] ?? path)
        return { contents: `export const { ${names.join(', ')} } = globalThis.SUBJECT[${JSON.stringify(path)}]` }
      })
    }
  }
}

const exportedNames = once(async (file) => {
  const { metafile } = await bundle(undefined, { entryPoints: [file], format: 'esm', metafile: true, write: false })
  return Object.values(metafile.outputs).flatMap((output) => output.entryPoint ? output.exports : [])
})

const watchedUvu = {
  name: 'uvu',
  setup(build) {
    const file = join(root, 'scripts/uvu.js')
    build.onResolve({ filter: /^uvu$/ }, ({ importer }) => importer === file ? undefined : { path: file })
  }
}

function bundle(outfile, settings) {
  return build({
    absWorkingDir: root,
    outfile,
    bundle: true,
    platform: 'neutral', // adds no `process.env` of its own
    mainFields: ['module', 'main'],
    target: 'es2022',
    sourcemap: true,
    logLevel: 'silent',
    ...settings
  })
}

// --- the runs

async function runsOf(spec) {
  const runtimes = spec.endsWith('.node.ts') ? ['node'] : ['node', 'vm']
  const { imports } = await specBundle(`${spec} ${runtimes.at(-1)}`)
  const isPublic = [...imports].every((specifier) => specifier in publicFiles)
  const isCore = [...imports].every((specifier) => specifier === manifest.name)
  const names = isCore && imports.size ? ['lib', 'package', 'minified', 'single']
    : isPublic && imports.size ? ['lib', 'package', 'minified'] : ['lib']
  return names
    .filter((name) => !options.subject || options.subject === name)
    .flatMap((name) => runtimes.map((runtime) => ({ spec, subject: imports.size ? name : 'none', runtime })))
    .filter(({ runtime }) => !options.in || options.in === runtime)
}

async function perform({ spec, subject, runtime }) {
  const { file } = await specBundle(`${spec} ${runtime}`)
  return runInProcess({
    spec: file,
    subject: subject === 'none' ? undefined : await subjectFile(`${subject} ${runtime}`),
    runtime
  })
}

function runInProcess(job) {
  return new Promise((settle) => {
    const child = fork(join(root, 'scripts/run-spec.js'), [JSON.stringify(job)], { cwd: root, silent: true })
    let result
    let place = 'while loading'
    let printed = ''
    const watchdog = setTimeout(() => child.kill('SIGKILL'), options.patience * 1000)
    child.on('message', (message) => ({ result = result, place = place } = message))
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { printed += stripVTControlCharacters(text) })
    }
    child.on('close', (code, signal) => {
      clearTimeout(watchdog)
      const ended = signal ? `had to be ended after ${options.patience} s (${signal})` : `ended with exit code ${code}`
      const whole = result ?? { passed: 0, skipped: 0, failed: 0, failures: [] }
      if (!result || code !== 0) {
        whole.failed++
        whole.failures.push({ where: place, text: `the process ${ended}` })
      }
      settle({ ...whole, printed })
    })
  })
}

// --- what is printed

function printFailures({ spec, subject, runtime }, { failures, printed }) {
  for (const { where, text } of failures) {
    console.log(`\nFAILED ${spec} › ${where}   (${subject}, ${runtime})\n${indent(readable(text))}`)
  }
  const own = printed.replace(UVU_PROGRESS, '').trim()
  if (own && (failures.length || filters.length)) console.log(`\n${indent(own)}`)
}

const UVU_PROGRESS = /[•✘] |^.*\(\d+ \/ \d+\)$/gm

const indent = (text) => text.replace(/^/gm, '    ')

/** Frames of uvu and of Node go; places in bundles become places in the sources. */
function readable(text) {
  return stripVTControlCharacters(text).split('\n')
    .filter((line) => !/^\s*at .*(node:|scripts\/(uvu|run-spec)\.js|node_modules\/uvu\/)/.test(sourcePlaces(line)))
    .map(sourcePlaces)
    .join('\n')
}

function sourcePlaces(line) {
  return line.replace(/(?:file:\/\/)?(\/[^\s():]+):(\d+):(\d+)/g, (whole, file, row, column) => {
    const place = sourceMap(file)?.findEntry(row - 1, column - 1)
    if (!place?.originalSource) return whole
    return `${relative(root, resolve(file, '..', place.originalSource))}:${place.originalLine + 1}:${place.originalColumn + 1}`
  })
}

const sourceMap = once((file) => {
  return existsSync(`${file}.map`) ? new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8'))) : undefined
})

// ---

const totals = { passed: 0, failed: 0, skipped: 0 }
const table = new Map()

function count({ subject, runtime }, result) {
  const row = table.get(`${subject} ${runtime}`) ?? { runs: 0, passed: 0, failed: 0, skipped: 0 }
  table.set(`${subject} ${runtime}`, row)
  row.runs++
  for (const key of Object.keys(totals)) {
    totals[key] += result[key]
    row[key] += result[key]
  }
}

async function attempt(label, work) {
  try {
    return await work()
  } catch (error) {
    const failure = { where: 'preparing', text: error.errors ? error.message : error.stack }
    const result = { passed: 0, skipped: 0, failed: 1, failures: [failure], printed: '' }
    count(label, result)
    printFailures(label, result)
  }
}

const runs = []
for (const spec of chosen) {
  const label = { spec, subject: 'none', runtime: 'none' }
  runs.push(...await attempt(label, () => runsOf(spec)) ?? [])
}
// What needs the packed package comes last, and meanwhile it is packed.
const order = ['none', ...Object.keys(subjects)]
runs.sort((a, b) => order.indexOf(a.subject) - order.indexOf(b.subject))
await Promise.all(Array.from({ length: availableParallelism() }, async () => {
  for (let job; (job = runs.shift());) {
    await attempt(job, async () => {
      const result = await perform(job)
      count(job, result)
      printFailures(job, result)
    })
  }
}))
if (totals.passed + totals.failed === 0) {
  console.log('no test was run')
  totals.failed = 1
}
console.log()
console.table(Object.fromEntries(table))
console.log(`${totals.passed} passed, ${totals.failed} failed${totals.skipped ? `, ${totals.skipped} skipped` : ''}`)
process.exitCode = totals.failed ? 1 : 0
