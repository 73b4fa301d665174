// The engines that isolates share, each with the recipe that users get; `ask` is for a new isolate.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import { mustRun, root } from '../../../scripts/project.js'

const HERE = import.meta.dirname
const MODULES = join(HERE, '../node_modules')
const DENO = join(MODULES, '@deno/linux-x64-glibc/deno')
/** Debian's: apt-get install redis-server. */
const REDIS = '/usr/bin/redis-server'
/** A process that takes longer hangs. */
const PATIENCE = 60_000
/** More than a case needs. */
const ISOLATES = 4

export const engines = {
  'Workers KV in Miniflare': {
    missing: () => missing(join(MODULES, 'miniflare')),
    async open(folder, secrets) {
      const { miniflare, ask } = await openMiniflare(folder, secrets, 'workers-kv')
      const kv = await miniflare.getKVNamespace('TOKENS', '0')
      return {
        ask,
        async entries() {
          const { keys } = await kv.list()
          return Promise.all(keys.map(async ({ name, expiration }) => {
            return { name, value: await kv.get(name), ttl: expiration - Date.now() / 1000 }
          }))
        },
        put: (name, value) => kv.put(name, value),
        close: () => miniflare.dispose(),
      }
    },
  },

  'the Cache API in Miniflare': {
    missing: () => missing(join(MODULES, 'miniflare')),
    async open(folder, secrets) {
      const { miniflare, ask, entries } = await openMiniflare(folder, secrets, 'cache-api')
      return {
        ask,
        entries,
        async put(name, value) {
          const { Response } = await import('miniflare')
          const caches = await miniflare.getCaches()
          const cache = await caches.open('id-tokens')
          await cache.put(name, new Response(value, { headers: { 'cache-control': 'max-age=60' } }))
        },
        close: () => miniflare.dispose(),
      }
    },
  },

  'Deno KV': {
    missing: () => missing(DENO),
    async open(folder, secrets) {
      const program = await bundle(folder, 'process.js', 'deno-kv')
      const run = (file, secret, ...args) => {
        const alone = ['--no-prompt', '--no-config', '--no-lock', '--no-remote']
        const allowed = ['--unstable-kv', '--allow-net', '--allow-env=TOKENS_SECRET']
        const flags = [...alone, ...allowed, '--location=http://tokens.localhost']
        const env = { DENO_DIR: join(folder, 'deno'), TOKENS_SECRET: secret, NO_COLOR: '1' }
        return outputOf(DENO, ['run', ...flags, file, ...args], { cwd: folder, env })
      }
      const operator = (...changes) => run(join(HERE, 'isolates/deno-kv.js'), '', JSON.stringify(changes))
      return {
        ask: (job, secret = secrets.own) => run(program, secret, JSON.stringify(job)),
        entries: () => operator(),
        put: (name, value) => operator({ name, value }),
        async close() {},
      }
    },
  },

  'Redis on loopback': {
    isServer: true,
    missing: () => missing(REDIS) ?? missing(join(MODULES, 'redis')),
    async open(folder, secrets) {
      await symlink(MODULES, join(folder, 'node_modules'))
      const program = await bundle(folder, 'process.js', 'redis')
      const { createClient } = await import('redis')
      const port = await freePort()
      const server = await startRedis(folder, port)
      const url = `redis://127.0.0.1:${port}`
      const client = await createClient({ url }).on('error', () => {}).connect()
      return {
        ask(job, secret = secrets.own) {
          const env = { REDIS_URL: url, TOKENS_SECRET: secret }
          return outputOf(process.execPath, [program, JSON.stringify(job)], { cwd: folder, env })
        },
        async entries() {
          const names = await client.keys('*')
          return Promise.all(names.map(async (name) => {
            return { name, value: await client.get(name), ttl: await client.ttl(name) }
          }))
        },
        put: (name, value) => client.set(name, value, { expiration: 'KEEPTTL' }),
        async breakDown() {
          client.destroy()
          await server.stop()
        },
        async close() {
          if (client.isOpen) client.destroy()
          await server.stop()
        },
      }
    },
  },
}

function missing(path) {
  return existsSync(path) ? undefined : `${path} is not installed`
}

/** Some Workers around one engine; each is asked in one go, and then has had its turn. */
async function openMiniflare(folder, secrets, recipe) {
  const { Miniflare } = await import('miniflare')
  const script = await readFile(await bundle(folder, 'worker.js', recipe), 'utf8')
  const worker = (name, secret) => ({
    name,
    script,
    modules: true,
    compatibilityDate: '2026-04-26',
    bindings: { TOKENS_SECRET: secret },
    kvNamespaces: { TOKENS: 'tokens' },
  })
  const own = Array.from({ length: ISOLATES }, (_, i) => worker(`${i}`, secrets.own))
  const miniflare = new Miniflare({ workers: [...own, worker('foreign', secrets.foreign)] })
  const asked = new Map()

  async function ask(job, secret) {
    const name = secret === secrets.foreign ? 'foreign' : `${asked.size}`
    const isolate = await miniflare.getWorker(name)
    const response = await isolate.fetch('http://isolate/', { method: 'POST', body: JSON.stringify(job) })
    if (!response.ok) throw new Error(await response.text())
    // What it does in waitUntil goes on after the answer.
    let state
    do state = await (await isolate.fetch('http://isolate/')).json()
    while (state.pending > 0)
    asked.set(name, state.entries)
    return response.json()
  }
  return { miniflare, ask, entries: async () => [...asked.values()].flat() }
}

async function bundle(folder, program, recipe) {
  const outfile = join(folder, `${recipe}.mjs`)
  await build({
    absWorkingDir: root,
    entryPoints: [join(HERE, 'isolates', program)],
    outfile,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    external: ['cloudflare:*', 'redis'],
    alias: {
      recipe: join(HERE, 'recipes', `${recipe}.ts`),
      'gcp-id-token/store': join(root, 'lib/store.ts'),
      'gcp-id-token': join(root, 'lib/index.ts'),
    },
  })
  return outfile
}

async function outputOf(program, args, options) {
  const { stdout } = await mustRun(program, args, { ...options, timeout: PATIENCE, killSignal: 'SIGKILL' })
  return JSON.parse(stdout)
}

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function startRedis(folder, port) {
  const settings = ['--bind', '127.0.0.1', '--port', `${port}`, '--save', '', '--dir', folder]
  const server = spawn(REDIS, settings, { stdio: ['ignore', 'pipe', 'pipe'] })
  const kill = () => server.kill('SIGKILL')
  process.once('exit', kill)
  const ended = new Promise((resolve) => server.once('close', resolve))
  await new Promise((resolve, reject) => {
    let log = ''
    server.stdout.on('data', (text) => {
      log += text
      if (log.includes('Ready to accept connections')) resolve()
    })
    server.once('error', reject)
    ended.then((code) => reject(new Error(`redis-server ended with ${code}\n${log}`)))
  })
  return {
    async stop() {
      kill()
      await ended
      process.off('exit', kill)
    },
  }
}
