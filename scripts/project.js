// What the scripts share: the manifest's entries, child processes, folders that clean up after themselves.

import { spawn } from 'node:child_process'
import { generateKeyPair } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { promisify } from 'node:util'

/** Where npm starts every script. (The place of this file is another one when a spec bundles it.) */
export const root = process.cwd()

export const readJson = (path) => JSON.parse(readFileSync(resolve(root, path), 'utf8'))

export const manifest = readJson('package.json')

/** The public entries, read from the only list there is: the manifest's `exports`. */
export const entries = Object.keys(manifest.exports ?? { '.': {} })
  .filter((path) => path !== './package.json')
  .map((path) => {
    const name = path === '.' ? 'index' : path.slice(2)
    return { path, name, specifier: manifest.name + path.slice(1), source: `lib/${name}.ts` }
  })

/** The function, called once for the same arguments. */
export function once(make) {
  const made = new Map()
  return (...args) => {
    const key = args.join(' ')
    if (!made.has(key)) made.set(key, make(...args))
    return made.get(key)
  }
}

/** Paths of the files below `folder` that `wanted` takes, in a fixed order. */
export function findFiles(folder, wanted, skipped = ['node_modules']) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((item) => {
    const path = `${folder}/${item.name}`
    if (item.isDirectory()) return skipped.includes(item.name) ? [] : findFiles(path, wanted, skipped)
    return wanted(path) ? [path] : []
  }).sort()
}

/** The specs that Node runs, most of which run elsewhere, too. */
export function specFiles() {
  return findFiles('spec', (path) => /\.(spec|node)\.ts$/.test(path), ['node_modules', 'runtimes', 'fixtures', 'jsr'])
}

/** RSA keys, as text for the environment: nearly every spec needs some, and they are slow to make. */
export async function rsaKeys() {
  const makeKey = () => promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const keys = await Promise.all(Array.from({ length: 6 }, makeKey))
  return JSON.stringify(keys.map(({ privateKey }) => JSON.stringify(privateKey.export({ format: 'jwk' }))))
}

/**
 * Runs a program to its end; what it printed comes back whatever its exit code was.
 *
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export function run(program, args, options) {
  return new Promise((settle, fail) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options })
    const printed = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr']) {
      child[stream].setEncoding('utf8').on('data', (text) => { printed[stream] += text })
    }
    child.on('error', fail)
    child.on('close', (code) => settle({ code, ...printed, output: printed.stdout + printed.stderr }))
  })
}

/** As `run`, for programs that must succeed. */
export async function mustRun(program, args, options) {
  const result = await run(program, args, options)
  if (result.code === 0) return result
  throw new Error(`${program} ${args.join(' ')} ended with ${result.code}\n${result.output}`)
}

/** An empty folder that is gone when the process ends; the dependencies resolve from it. */
export function workFolder(dependencies = join(root, 'node_modules')) {
  const folder = mkdtempSync(join(tmpdir(), `${manifest.name}-`))
  symlinkSync(dependencies, join(folder, 'node_modules'), 'junction')
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  return folder
}

/** `npm pack` on a copy of the sources, so that a `dist/` that lies around has no part in it. */
export async function pack(folder) {
  const copy = join(folder, 'sources')
  await mkdir(copy)
  const kept = ['lib', 'scripts', 'package.json', 'tsconfig.json', 'README.md', 'LICENSE']
  const filter = (path) => basename(path) !== 'node_modules'
  for (const name of kept.filter((name) => existsSync(join(root, name)))) {
    await cp(join(root, name), join(copy, name), { recursive: true, filter })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction')
  await mustRun('npm', ['pack', '--loglevel=error', '--pack-destination', folder], { cwd: copy })
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'))
  return join(folder, tarball)
}

/** The packed package, and an empty project in which npm has installed it. A release brings the package along. */
export async function install(folder) {
  const { TARBALL } = process.env
  const tarball = TARBALL ? resolve(root, TARBALL) : await pack(folder)
  const project = join(folder, 'installed')
  await mkdir(project)
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  const alone = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await mustRun('npm', ['install', ...alone, tarball], { cwd: project })
  return { tarball, project }
}
