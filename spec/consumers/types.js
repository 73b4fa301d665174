import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { entries, run } from '../../scripts/project.js'

const TYPES = join(import.meta.dirname, 'types')
const MODULES = join(import.meta.dirname, 'node_modules')

/** What a project of each kind has in scope, and a file that shows it. */
const environments = {
  'DOM': { lib: ['DOM', 'DOM.Iterable'], file: 'dom.ts' },
  'WebWorker': { lib: ['WebWorker'], file: 'web-worker.ts' },
  'Workers': { types: ['workers-types'], file: 'workers.ts' },
  'Node 20': { types: ['node'], file: 'node.ts', nodeTypes: 'types-node-20' },
  'Node 26': { types: ['node'], file: 'node.ts' },
  'Bun': { types: ['bun'], file: 'bun.ts' },
  'Edge Runtime': { lib: ['DOM'], types: ['@edge-runtime/types'], file: 'edge-runtime.ts' },
}

const typescripts = ['5.4', '5.9', '6', '7']

/**
 * Each environment meets each TypeScript and each way to resolve modules, and so do those two. With a star, the
 * environment's own declarations do not compile: there, only errors in the package and its users count.
 */
const pairs = {
  //               5.4          5.9         6             7
  'DOM':          ['nodenext',  'node16',   'bundler',    'nodenext'],
  'WebWorker':    ['node16',    'bundler',  'nodenext',   'bundler'],
  'Workers':      ['bundler',   'nodenext', 'node16',     'nodenext'],
  'Node 20':      ['nodenext',  'node16',   'bundler',    'node16'],
  'Node 26':      ['node16 *',  'nodenext', 'bundler',    'nodenext'],
  'Bun':          ['bundler *', 'bundler',  'nodenext',   'node16'],
  'Edge Runtime': ['bundler',   'nodenext', 'nodenext *', 'node16 *'],
}

const strictest = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noFallthroughCasesInSwitch: true,
  noImplicitOverride: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  isolatedModules: true,
  skipLibCheck: false,
}

export const typeChecks = [
  { name: 'types: every entry is used', check: everyEntryIsUsed },
  ...Object.entries(pairs).flatMap(([environment, row]) => row.map((cell, i) => {
    const [resolution, star] = cell.split(' ')
    const pair = { environment, typescript: typescripts[i], resolution, isStarred: star === '*' }
    return {
      name: `types: ${environment}, TypeScript ${typescripts[i]}, ${cell}`,
      check: (given) => compile(pair, given),
    }
  })),
]

/** The files that every environment compiles, beside the package. */
export const files = ['accepted.ts', 'refused.ts', 'pasted.ts']

export { strictest, TYPES }

async function everyEntryIsUsed() {
  for (const file of ['accepted.ts', 'refused.ts']) {
    const text = await readFile(join(TYPES, file), 'utf8')
    const unused = entries.filter(({ specifier }) => !text.includes(`from '${specifier}'`))
    if (unused.length) throw new Error(`${file} does not import ${unused.map(({ specifier }) => specifier)}`)
  }
}

async function compile({ environment, typescript, resolution, isStarred }, { project }) {
  const { file, lib = [], types = [], nodeTypes } = environments[environment]
  await cp(TYPES, project, { recursive: true })
  await cp(join(project, 'node_modules/gcp-id-token/dist/single.ts'), join(project, 'single.ts'))
  // Types of Node refer to `node` themselves, so the version in the project has to have that very name.
  if (nodeTypes) await cp(join(MODULES, nodeTypes), join(project, 'node_modules/@types/node'), { recursive: true })
  // TypeScript lets CommonJS import modules since 5.8.
  const required = resolution === 'nodenext' && typescript !== '5.4' ? ['required.cts'] : []
  const isBundler = resolution === 'bundler'
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({
    compilerOptions: {
      ...strictest,
      target: 'ES2022',
      lib: ['ES2022', ...lib],
      types,
      module: isBundler ? 'ESNext' : resolution,
      moduleResolution: resolution,
      allowImportingTsExtensions: true,
      noEmit: true,
    },
    files: [...files, ...required, file],
  }))
  const tsc = join(MODULES, `typescript-${typescript}/bin/tsc`)
  const { code, output } = await run(process.execPath, [tsc, '--pretty', 'false'], { cwd: project })
  const complaints = isStarred ? output.match(/^(?!\.\.|\s).*error.*$/gm) : code !== 0 && [output]
  if (complaints?.length) throw new Error(complaints.join('\n'))
  if (isStarred && code === 0) throw new Error('everything compiles: the star can go')
}
