// npm run build: `dist/` for npm, every module by itself, and the core as one file to paste.

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findFiles, manifest, mustRun, readJson, root } from './project.js'

// Statements as this project writes them: at the start of a line, one specifier in single quotes.
const IMPORT = /^import (?:type )?(?:[^';]+ from )?'([^']+)'\n/gm
const EXPORT_LIST = /^export (?:type )?\{([^}]*)\}(?: from '([^']+)')?\n/gm
const DECLARATION = '(?:abstract |async )*(?:function|class|interface|type|const|let) (\\w+)'
const DECLARED = new RegExp(`^(?:export )?${DECLARATION}`, 'gm')
const EXPORTED = new RegExp(`^export ${DECLARATION}`, 'gm')

rmSync(join(root, 'dist'), { recursive: true, force: true })
await tsc('-p', '.', ...flags({ noEmit: false, rootDir: 'lib', outDir: 'dist', rewriteRelativeImportExtensions: true }))
for (const file of findFiles('dist', (path) => path.endsWith('.d.ts'))) write(file, withJsSpecifiers(read(file)))

write('dist/single.ts', singleFile('lib/index.ts'))
const { compilerOptions } = readJson('tsconfig.json')
const jsOnly = { noEmit: false, declaration: false, isolatedDeclarations: false, allowImportingTsExtensions: false }
await tsc('--ignoreConfig', ...flags({ ...compilerOptions, ...jsOnly }), 'dist/single.ts')

/** Of the specifiers in a .d.ts, tsc leaves `./x.ts`, which only some consumers can follow. */
function withJsSpecifiers(declarations) {
  return declarations.replace(/((?:from |import\()'\.[^']+)\.ts'/g, "$1.js'")
}

/**
 * The entry and all it imports, in import order, as one module that exports what the entry exports.
 * Imports and exports of a form that is not known here are left to tsc: it refuses them.
 */
function singleFile(entry) {
  const texts = filesInImportOrder(entry).map(read)
  const names = texts.flatMap((text) => matches(text, DECLARED, 1))
  const shared = names.filter((name, i) => names.indexOf(name) !== i)
  if (shared.length) throw new Error(`Two files of the core declare ${shared}: in one file they need names of their own`)
  const exported = exportedNames(texts.at(-1))
  const [moduleDoc] = /^\/\*\*(?:(?!\*\/)[^])*@module\s+\*\/\n/.exec(texts.at(-1)) ?? ['']
  const bodies = texts.map((text) => {
    return text
      .replace(moduleDoc, '')
      .replace(IMPORT, '')
      .replace(EXPORT_LIST, '')
      .replace(EXPORTED, (declaration, name) => exported.has(name) ? declaration : declaration.slice('export '.length))
      .trim()
  })
  return [header(), moduleDoc.trim(), ...bodies].filter(Boolean).join('\n\n') + '\n'
}

function filesInImportOrder(file, seen = new Set()) {
  if (seen.has(file)) return []
  seen.add(file)
  const text = read(file)
  const specifiers = [...matches(text, IMPORT, 1), ...matches(text, EXPORT_LIST, 2)].filter(Boolean)
  const imported = specifiers.map((specifier) => join(dirname(file), specifier))
  return [...imported.flatMap((path) => filesInImportOrder(path, seen)), file]
}

function exportedNames(text) {
  const listed = matches(text, EXPORT_LIST, 1).flatMap((names) => names.split(',').map((name) => name.trim()))
  return new Set([...listed, ...matches(text, EXPORTED, 1)])
}

function matches(text, pattern, group) {
  return [...text.matchAll(pattern)].map((match) => match[group])
}

function header() {
  const title = `${manifest.name} ${manifest.version}, the core in one file`
  const home = manifest.repository.url.replace(/^git\+|\.git$/g, '')
  const lines = [title, home, '', ...read('LICENSE').trim().split('\n')]
  return ['/*', ...lines.map((line) => ` * ${line}`.trimEnd()), ' */'].join('\n')
}

function tsc(...args) {
  return mustRun(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...args])
}

function flags(options) {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
}

function read(path) {
  return readFileSync(join(root, path), 'utf8')
}

function write(path, text) {
  writeFileSync(join(root, path), text)
}
