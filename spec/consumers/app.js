// What is bundled and required: an app that uses every entry, and tells what it got.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { entries } from '../../scripts/project.js'

/** In the shape of a Worker, which the other bundlers take as well. */
export async function writeApp(project) {
  const modules = entries.map((entry, i) => ({ ...entry, variable: `m${i}` }))
  await writeFile(join(project, 'app.js'), [
    ...modules.map(({ specifier, variable }) => `import * as ${variable} from '${specifier}'`),
    `const modules = { ${modules.map(({ specifier, variable }) => `'${specifier}': ${variable}`)} }`,
    `export default { fetch: async () => Response.json(await (${report})(modules)) }\n`,
  ].join('\n'))
  await writeFile(join(project, 'app.cjs'), [
    `const modules = { ${entries.map(({ specifier }) => `'${specifier}': require('${specifier}')`)} }`,
    `;(${report})(modules).then((answer) => console.log(JSON.stringify(answer)))\n`,
  ].join('\n'))
}

/** An answer of the app is right when it names what each source exports, and when its errors are what they are. */
export async function checkAnswer({ exports, error }) {
  for (const { specifier, source } of entries) assert.deepEqual(exports[specifier], await exportedNames(source))
  assert.equal(error, 'IdTokenError invalid_credentials, one class')
}

export async function checkBundle(file) {
  const { default: app } = await import(pathToFileURL(file))
  await checkAnswer(await (await app.fetch()).json())
}

async function exportedNames(source) {
  const { build } = await import('esbuild')
  const { metafile } = await build({ entryPoints: [source], format: 'esm', bundle: true, metafile: true, write: false })
  return Object.values(metafile.outputs)[0].exports.sort()
}

/** Runs in the app, where it sees only what it is handed. */
async function report(modules) {
  const names = Object.keys(modules)
  const classes = new Set(names.map((name) => modules[name].IdTokenError).filter(Boolean))
  const error = await modules[names[0]].getIdToken({ credentials: '{}', audience: 'a' }).catch((error) => error)
  return {
    exports: Object.fromEntries(names.map((name) => [name, Object.keys(modules[name]).sort()])),
    error: `${error.name} ${error.code}, ${classes.size === 1 ? 'one class' : 'many classes'}`,
  }
}
