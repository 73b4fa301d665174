// The specs and the subjects as files. A spec is bundled without the library: it takes that from
// `globalThis.SUBJECT`, where the subject's file has put it, so that one bundle fits every subject.

import { writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { build } from 'esbuild'
import { entries, findFiles, install, manifest, once, root } from './project.js'

export const subjectNames = ['lib', 'package', 'minified', 'single']

/**
 * @param {string} work a folder for what is made here, in which the project's dependencies resolve
 * @param {string} lib the folder of the library's sources
 */
export function bundles(work, lib) {
  const publicFiles = targets(({ name }) => `${lib}/${name}.ts`)

  /** A spec for `node` or `vm`: where its bundle is, and the specifiers by which it imports the library. */
  async function specBundle(spec, runtime) {
    const imports = new Set()
    const file = join(work, runtime, spec.replace(/\.ts$/, runtime === 'vm' ? '.js' : '.mjs'))
    await bundle(file, {
      entryPoints: [spec],
      plugins: [subjectImports(publicFiles, lib, imports), watchedUvu],
      ...(runtime === 'vm' ? { format: 'iife' } : { format: 'esm', platform: 'node', packages: 'external' })
    })
    return { file, imports: [...imports] }
  }

  /** A subject as a file that leaves its modules in `globalThis.SUBJECT`, by specifier. */
  async function subjectFile(name, runtime) {
    const { targets, folder, ...settings } = await subjects[name]()
    const specifiers = Object.keys(targets).filter((specifier) => targets[specifier])
    const contents = [
      ...specifiers.map((specifier, i) => `import * as m${i} from ${JSON.stringify(targets[specifier])}`),
      `globalThis.SUBJECT = { ${specifiers.map((specifier, i) => `'${specifier}': m${i}`)} }`
    ].join('\n')
    const file = join(folder, `${name}-subject.${runtime === 'vm' ? 'js' : 'mjs'}`)
    const stdin = { contents, resolveDir: folder }
    if (runtime === 'vm') await bundle(file, { stdin, format: 'iife', ...settings })
    else if (name === 'lib' || name === 'minified') await bundle(file, { stdin, format: 'esm', ...settings })
    else await writeFile(file, contents) // Node takes it as it was installed
    return file
  }

  const subjects = {
    lib: () => {
      const paths = findFiles(lib, (path) => path.endsWith('.ts'))
      const files = Object.fromEntries(paths.map((path) => [path, resolve(root, path)]))
      return { targets: { ...targets(({ name }) => files[`${lib}/${name}.ts`]), ...files }, folder: work }
    },
    package: async () => ({ targets: asImported, folder: await installed() }),
    minified: async () => ({ targets: asImported, folder: await installed(), minify: true }),
    single: async () => {
      const folder = await installed()
      return { targets: { [manifest.name]: `./node_modules/${manifest.name}/dist/single.js` }, folder }
    }
  }

  const asImported = targets(({ specifier }) => specifier)

  const installed = once(async () => (await install(work)).project)

  return { publicFiles, specBundle: once(specBundle), subjectFile: once(subjectFile) }
}

/** For each public specifier, where it leads. */
function targets(target) {
  return Object.fromEntries(entries.map((entry) => [entry.specifier, target(entry)]))
}

/** An esbuild plugin: what is the library's stays open, and `imports` learns of it. */
export function subjectImports(publicFiles, lib, imports = new Set()) {
  const sourceFile = (path, from) => {
    const file = path.startsWith('.') ? relative(root, join(from, path)) : ''
    return file.startsWith(`${lib}/`) ? file : undefined
  }
  return {
    name: 'subject',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /./ }, ({ path, resolveDir, kind }) => {
        const specifier = `${path}/`.startsWith(`${manifest.name}/`) ? path : sourceFile(path, resolveDir)
        if (!specifier || kind === 'entry-point') return
        imports.add(specifier)
        return { path: specifier, namespace: 'subject' }
      })
      onLoad({ filter: /./, namespace: 'subject' }, async ({ path }) => {
        const names = await exportedNames(publicFiles[path] ?? path)
        return { contents: `export const { ${names} } = globalThis.SUBJECT['${path}']` }
      })
    }
  }
}

/** An esbuild plugin: every spec gets uvu.js in the place of uvu. */
export const watchedUvu = {
  name: 'uvu',
  setup({ onResolve }) {
    const file = join(root, 'scripts/uvu.js')
    onResolve({ filter: /^uvu$/ }, ({ importer }) => importer === file ? undefined : { path: file })
  }
}

const exportedNames = once(async (file) => {
  const settings = { entryPoints: [file], format: 'esm', metafile: true, write: false }
  const { metafile } = await bundle('exports.js', settings)
  return Object.values(metafile.outputs).flatMap((output) => output.entryPoint ? output.exports : [])
})

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
