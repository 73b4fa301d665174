// npm run size: the bytes of each entry and of all together, against the budgets (brotli) in package.json.

import { bytesOf } from './bytes.js'
import { entries, manifest } from './project.js'

// As a bundle has them that uses them all: a namespace for each would add what no app asks for.
const functions = { './fetch': ['authorizedFetch'], './store': ['encryptedStore', 'workersKvStore'] }
const named = ({ path, source }, i) => {
  const names = (functions[path] ?? ['getIdToken']).map((name) => `${name} as ${name}${i}`)
  return `export { ${names} } from './${source}'`
}

const imports = {
  ...Object.fromEntries(entries.map(({ path, source }) => [path, `export * from './${source}'`])),
  '. (getIdToken)': `export { getIdToken } from './${entries[0].source}'`,
  all: entries.map(named).join('\n')
}

const table = {}
for (const [name, contents] of Object.entries(imports)) {
  const budget = manifest.sizes[name]
  const sizes = await bytesOf(contents)
  table[name] = { ...sizes, budget }
  if (sizes.brotli > budget) {
    console.error(`${name} has ${sizes.brotli} bytes (brotli), its budget in package.json is ${budget}`)
    process.exitCode = 1
  }
}
for (const name of Object.keys(manifest.sizes).filter((name) => !imports[name])) {
  console.error(`package.json has a budget for ${name}, which is no entry`)
  process.exitCode = 1
}
console.table(table)
