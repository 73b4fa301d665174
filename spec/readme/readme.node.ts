// What the README says is so: its numbers, names, links and commands. Its examples are run by others.

import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { transform } from 'esbuild'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { entries, manifest, mustRun, readJson, run, workFolder } from '../../scripts/project.js'
import { inReadme, inSources, isScript, makesStore } from './examples.ts'

const test = suite('the README')
const readme = readFileSync('README.md', 'utf8')
const RECIPES = 'spec/runtimes/stores/recipes'
/** Pictures have whole URLs where not only GitHub shall show them. */
const RAW = 'https://raw.githubusercontent.com/gcp-id-token/gcp-id-token/main/'

test('has at most 250 lines', () => {
  assert.ok(readme.trimEnd().split('\n').length <= 250)
})

test('names the size that the core has', async () => {
  const { stdout } = await run(process.execPath, ['scripts/size.js'])
  const [, brotli] = /^│ \. +│ \d+ +│ \d+ +│ (\d+)/m.exec(stdout)!
  const named = readme.match(/[\d.]+ kB/g)
  assert.equal(named, [`${(Number(brotli) / 1000).toFixed(1)} kB`])
})

test('names every entry of the package', () => {
  const named = rowsBelow('| import | identity |').map((cell) => cell.replaceAll('`', ''))
  assert.equal(named, entries.map(({ specifier }: { specifier: string }) => specifier))
})

test('names every code of an error', () => {
  const codes = readFileSync('lib/internal/errors.ts', 'utf8').match(/^ +\| '\w+'$/gm)!
  assert.ok(codes.length > 5)
  for (const code of codes) assert.match(readme, `\`${code.match(/\w+/)}\``)
})

test('names every option that all entries have, and its default', () => {
  const [, body] = /interface CommonOptions \{([^]*?)^\}/m.exec(readFileSync('lib/internal/options.ts', 'utf8'))!
  const section = readme.slice(readme.indexOf('\n## Options'))
  const options = [...body!.matchAll(/(?:Default: `?(\w+)`?\.[^]*?)?^  (\w+)\??:/gm)]
  assert.ok(options.length > 5)
  for (const [, value, name] of options) {
    const isNumber = /^\d+$/.test(value ?? '')
    assert.match(section, isNumber ? new RegExp(`\`${name}\` \\(${value}\\b`) : new RegExp(`\`${name}\``))
  }
})

test('names the limits that the sources have', () => {
  const limits: [named: RegExp, file: string, constant: RegExp][] = [
    [/at most (\d+), and/, 'remember', /size === (\d+)/],
    [/less than (\d+) s of life/, 'token', /LEAST_LIFE = (\d+)_000/],
    [/From (\d+) s before its end/, 'flight', /min\((\d+)_000, life/]
  ]
  for (const [named, file, constant] of limits) {
    const source = readFileSync(`lib/internal/${file}.ts`, 'utf8')
    assert.is(named.exec(readme)?.[1], constant.exec(source)?.[1])
  }
})

test('names the runtimes in which the specs run', () => {
  const [, list] = /const runtimes = \[([^]*?)\n\]/.exec(readFileSync('spec/runtimes/run.js', 'utf8'))!
  const names = rowsBelow('| runtime | stands in for |').join().toLowerCase().replaceAll(' ', '')
  for (const [, name, argument] of list!.matchAll(/^ +(\w+)\((.*)\)/gm)) {
    assert.match(names, name!.toLowerCase())
    if (name === 'node') assert.match(names, argument!)
  }
})

test('has links that lead somewhere', () => {
  const headings = readme.match(/^#+ .+$/gm)!.map((heading) => {
    return heading.replace(/^#+ /, '').toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-')
  })
  for (const [, target] of readme.matchAll(/\]\(([^)]+)\)/g)) {
    const [path, anchor] = target!.split('#')
    if (/^https:/.test(target!)) continue
    assert.ok(path ? existsSync(path) : headings.includes(anchor!), target)
  }
})

test('has pictures that are there, and well-formed', async () => {
  const pictures = [...readme.matchAll(/!\[.+?\]\((.+?)\)/g)].map(([, target]) => target!.replace(RAW, ''))
  assert.ok(pictures.length > 0)
  for (const path of pictures) {
    const svg = readFileSync(path, 'utf8')
    assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /)
    // A parser for JSX knows what XML is; braces are text here.
    await transform(svg.replace(/[{}]/g, ''), { loader: 'jsx' })
  }
})

test('has programs of at most 15 lines', () => {
  for (const { place, code } of inReadme()) {
    assert.ok(code.trimEnd().split('\n').length <= 15, place)
  }
})

test('has only blocks that are run', () => {
  for (const example of inReadme()) assert.ok(isScript(example) || example.language === 'sh', example.place)
})

test('gives the stores that are tried on real engines, line by line, and the sources give no others', () => {
  const tried = readdirSync(RECIPES).map((name) => readFileSync(join(RECIPES, name), 'utf8'))
  assert.equal(inReadme().filter(makesStore).map(({ code }) => code).sort(), tried.sort())
  for (const { place, code } of inSources().filter(makesStore)) assert.ok(tried.includes(code), place)
})

test('has commands that a shell can read, and that exist', async () => {
  const scripts = Object.keys(manifest.scripts)
  const known = ['gcloud', 'npm ci', 'npm start', 'npm test', 'npx wrangler', `npx ${manifest.name}`]
  const blocks = inReadme().filter(({ language }) => language === 'sh')
  assert.ok(blocks.length > 0)
  for (const { place, code } of blocks) {
    await mustRun('bash', ['-n', '-c', code])
    for (const command of code.trim().split(/\n|&&|\|/)) {
      assert.ok(known.some((name) => `${command.trim()} `.startsWith(`${name} `)), `${place}: ${command}`)
    }
  }
  for (const [, name] of readme.matchAll(/`npm run ([\w:]+)/g)) assert.ok(scripts.includes(name!), name)
})

test('ends with the two commands for those who work on it', () => {
  const { code, language } = inReadme().at(-1)!
  assert.equal([language, code], ['sh', 'npm ci && npm start\nnpm ci && npm test\n'])
})

test('leads to a start that shows the main job, and no token', async () => {
  const { stdout } = await mustRun('npm', ['start'])
  assert.match(stdout, /\baudience +http:\/\/127\.0\.0\.1:\d+\b/)
  assert.match(stdout, /\bemail +caller@\S+\.iam\.gserviceaccount\.com\b/)
  assert.match(stdout, /\btime left +\d+ min\b/)
  assert.not.match(stdout, /eyJ[\w-]+\./)
})

test('has examples that the types allow, and so have the sources', async () => {
  const work = workFolder()
  const examples = [...inReadme(), ...inSources()].filter(isScript)
  examples.forEach(({ code, language }, i) => writeFileSync(join(work, `${i}.${language}`), code))
  writeFileSync(join(work, 'platforms.d.ts'), PLATFORMS)
  const { name, exports } = readJson('jsr.json')
  const sources = Object.entries<string>(exports).flatMap(([path, file]) => {
    return [manifest.name, `jsr:${name}`].map((base) => [base + path.slice(1), [resolve(file)]])
  })
  const compilerOptions = {
    target: 'ES2022', module: 'ESNext', moduleResolution: 'bundler', noEmit: true, types: [],
    allowImportingTsExtensions: true, allowJs: true, checkJs: true, paths: Object.fromEntries(sources),
    strict: true, noImplicitAny: false, useUnknownInCatchVariables: false
  }
  writeFileSync(join(work, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const tsc = resolve('node_modules/typescript/bin/tsc')
  const { output } = await run(process.execPath, [tsc, '-p', work], { cwd: work })
  assert.is(output.replace(/^(\d+)\.[jt]s/gm, (_: string, i: number) => examples[i]!.place), '')
})

test.run()

/** The first cells of the table with that head. */
function rowsBelow(head: string): string[] {
  const [table] = readme.slice(readme.indexOf(head)).split('\n\n')
  return [...table!.matchAll(/^\| (.+?) \|/gm)].slice(2).map(([, cell]) => cell!)
}

/** What the examples take from their platforms. */
const PLATFORMS = `
declare const env: any
declare const process: { env: any }
declare const Bun: any
declare const Netlify: any
declare const Deno: {
  env: { get(name: string): any }
  openKv(): Promise<{
    get<T>(key: string[]): Promise<{ value: T | null }>
    set(key: string[], value: string, options: { expireIn: number }): Promise<unknown>
  }>
  serve(handler: (request: Request) => Promise<Response>): unknown
}
declare module 'cloudflare:workers' { export const env: any }
declare module 'node:fs' { export function readFileSync(path: string, encoding: 'utf8'): string }
declare module 'redis' { export const createClient: any }
declare module '@vercel/oidc' {
  export function getVercelOidcToken(options?: { audience?: string }): Promise<string>
}
declare module 'jsr:@deno/oidc' { export function getIdToken(audience: string): Promise<string> }
`
