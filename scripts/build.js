// npm run build: `dist/` for npm, every module by itself, and the core as one file to paste.

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findFiles, manifest, mustRun, readJson, root, run } from './project.js'

const TSC = join(root, 'node_modules/typescript/bin/tsc')
const { compilerOptions } = readJson('tsconfig.json')

// Statements as this project writes them: at the start of a line, one specifier in single quotes.
const IMPORT = /^import (?:type )?(?:[^';]+ from )?'([^']+)'\n/gm
const EXPORT_LIST = /^export (?:type )?\{([^}]*)\}(?: from '([^']+)')?\n/gm
const DECLARATION = '(?:abstract |async )*(?:function|class|interface|type|const|let) (\\w+)'
const DECLARED = new RegExp(`^(?:export )?${DECLARATION}`, 'gm')
const EXPORTED = new RegExp(`^export ${DECLARATION}`, 'gm')
const MODULE_DOC = /^\/\*\*(?:(?!\*\/)[^])*@module\s+\*\/\n/

rmSync(join(root, 'dist'), { recursive: true, force: true })
const forModules = { noEmit: false, rootDir: 'lib', outDir: 'dist', rewriteRelativeImportExtensions: true }
await mustRun(process.execPath, [TSC, '-p', '.', ...flags(forModules)])
const declarations = findFiles('dist', (path) => path.endsWith('.d.ts'))
for (const file of declarations) write(file, withJsSpecifiers(read(file)))

const single = 'dist/single.ts'
const forSingle = { declaration: false, isolatedDeclarations: false, allowImportingTsExtensions: false }
const tscSingle = [TSC, '--ignoreConfig', single, ...flags({ ...compilerOptions, ...forSingle })]
write(single, joined('lib/index.ts'))
await dropUnused()
await mustRun(process.execPath, [...tscSingle, '--noEmit', 'false'])

/** Of the specifiers in a .d.ts, tsc leaves `./x.ts`, which only some consumers can follow. */
function withJsSpecifiers(text) {
  return text.replace(/((?:from |import\()'\.[^']+)\.ts'/g, "$1.js'")
}

/**
 * The entry and all it imports, in import order, as one module that exports what the entry exports.
 * Imports and exports of a form that is not known here are left to tsc: it refuses them.
 */
function joined(entry) {
  const texts = filesInImportOrder(entry).map(read)
  const names = texts.flatMap((text) => matches(text, DECLARED, 1))
  const shared = names.filter((name, i) => names.indexOf(name) !== i)
  if (shared.length) throw new Error(`Two files of the core declare ${shared}, which one file cannot`)

  const [moduleDoc] = MODULE_DOC.exec(texts.at(-1)) ?? ['']
  const exported = exportedNames(texts.at(-1))
  const keepPublic = (text, name) => exported.has(name) ? text : text.replace('export ', '')
  const bodies = texts.map((text) => {
    return [MODULE_DOC, IMPORT, EXPORT_LIST].reduce((rest, pattern) => rest.replace(pattern, ''), text)
      .replace(EXPORTED, keepPublic)
  })
  return [header(), moduleDoc, ...bodies].map((text) => text.trim()).filter(Boolean).join('\n\n') + '\n'
}

/** The core's files hold a few things that only other entries use. */
async function dropUnused() {
  const { output } = await run(process.execPath, tscSingle)
  const unused = matches(output, /error TS6(?:133|196): '(\w+)' is declared but/g, 1)
  if (unused.length === 0) return
  write(single, unused.reduce(withoutDeclaration, read(single)))
  await dropUnused()
}

/** Takes a declaration out, with its comment, up to the next line that starts a statement or a comment. */
function withoutDeclaration(text, name) {
  const comment = '(?:/\\*\\*(?:(?!\\*/)[^])*\\*/\\n|(?://.*\\n)+)?'
  const declaration = DECLARATION.replace('(\\w+)', name)
  const kept = text.replace(new RegExp(`^${comment}${declaration}\\b[^]*?\\n(?=[^\\s)}\\]])`, 'm'), '')
  if (kept === text) throw new Error(`The single file does not use ${name}, which is no declaration`)
  return kept
}

function filesInImportOrder(file, seen = new Set()) {
  if (seen.has(file)) return []
  seen.add(file)
  const text = read(file)
  const specifiers = [...matches(text, IMPORT, 1), ...matches(text, EXPORT_LIST, 2)].filter(Boolean)
  return [...specifiers.flatMap((path) => filesInImportOrder(join(dirname(file), path), seen)), file]
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
  const lines = [title, manifest.homepage.replace('#readme', ''), '', ...read('LICENSE').trim().split('\n')]
  return ['/*', ...lines.map((line) => ` * ${line}`.trimEnd()), ' */'].join('\n')
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
