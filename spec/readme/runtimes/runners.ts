import { existsSync } from 'node:fs'
import { symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import type { Test } from 'uvu'
import { entries, readJson } from '../../../scripts/project.js'
import type { Heavy, Platform } from '../examples.ts'
import { outcome, serving, written } from '../runners.ts'
import type { Runner } from '../runners.ts'
import type { Stage } from '../stage.ts'

const MODULES = resolve('spec/runtimes/node_modules')
const DENO = join(MODULES, '@deno/linux-x64-glibc/deno')
const BUN = join(MODULES, '@oven/bun-linux-x64/bin/bun')

/** `needs` is what must be installed. */
export interface HeavyRunner extends Runner {
  needs: string
}

export const runners: Record<Heavy, HeavyRunner> & { [platform in Platform]?: HeavyRunner } = {
  'Cloudflare Workers': {
    needs: join(MODULES, 'miniflare'),
    async serve(example, stage) {
      const main = `import './internet.js'; export { default } from './example.js'`
      const folder = await written(example, stage, main)
      const scriptPath = join(folder, 'worker.js')
      await build({
        entryPoints: [join(folder, 'main.js')],
        outfile: scriptPath,
        bundle: true,
        format: 'esm',
        external: ['cloudflare:*']
      })
      const { resolve } = createRequire(join(MODULES, 'index.js'))
      const { Miniflare } = await import(pathToFileURL(resolve('miniflare')).href)
      const miniflare = new Miniflare({
        scriptPath,
        modules: true,
        modulesRoot: folder,
        compatibilityDate: '2026-04-26',
        bindings: stage.env,
        kvNamespaces: ['TOKENS']
      })
      const { origin } = await miniflare.ready
      return { url: origin, close: () => miniflare.dispose() }
    }
  },

  'Deno': {
    needs: DENO,
    async serve(example, stage) {
      const main = `import './internet.js'; import './example.js'`
      return denoServing(await written(example, stage, main), stage)
    },
    async run(example, stage) {
      const folder = await written(example, stage, `
import './internet.js'
const { token } = await import('./example.js')
console.log(JSON.stringify({ token }))
`)
      return outcome(DENO, await denoArgs(folder), denoOptions(folder, stage))
    }
  },

  'Netlify Edge': {
    needs: DENO,
    async serve(example, stage) {
      return denoServing(await written(example, stage, `
import './internet.js'
import handler from './example.js'
globalThis.Netlify = { env: { get: (name) => Deno.env.get(name) } }
Deno.serve((request) => handler(request, { waitUntil() {} }))
`), stage)
    }
  },

  'Bun': {
    needs: BUN,
    async serve(example, stage) {
      const folder = await written(example, stage, `
import './internet.js'
const { serve } = Bun
Bun.serve = (options) => console.log(serve({ hostname: '127.0.0.1', port: 0, ...options }).url.href)
await import('./example.js')
`)
      return serving(BUN, ['run', 'main.js'], { cwd: folder, env: stage.env })
    }
  },

  'Vercel Functions': {
    needs: join(MODULES, '@vercel/oidc'),
    async run(example, stage) {
      const headers = { 'x-vercel-oidc-token': await stage.vercelToken() }
      const folder = await written(example, stage, `
import './internet.js'
globalThis[Symbol.for('@vercel/request-context')] = { get: () => (${JSON.stringify({ headers })}) }
const { token } = await import('./example.js')
console.log(JSON.stringify({ token }))
`)
      await symlink(MODULES, join(folder, 'node_modules'))
      return outcome(process.execPath, ['main.js'], { cwd: folder, env: stage.env })
    }
  }
}

/** A test that is skipped where its platform is missing, with the reason; in CI that is a failure. */
export function testOn({ needs }: HeavyRunner, test: Test, title: string, work: () => Promise<void>): void {
  const reason = `${needs} is not installed: npm ci in spec/runtimes`
  if (existsSync(needs)) return test(title, work)
  if (process.env.CI) return test(title, () => { throw new Error(reason) })
  console.log(`skipped ${title}: ${reason}`)
  test.skip(title)
}

async function denoServing(folder: string, stage: Stage) {
  return serving(DENO, await denoArgs(folder), denoOptions(folder, stage))
}

/** JSR gives the sources, npm the package. For Deno's own module, which npm has not, another one stands in. */
async function denoArgs(folder: string): Promise<string[]> {
  const { name, exports } = readJson('jsr.json')
  const fromJsr = Object.entries<string>(exports).map(([path, file]) => {
    return [`jsr:${name}${path.slice(1)}`, pathToFileURL(resolve(file)).href]
  })
  const fromNpm = entries.map(({ specifier, name }) => {
    return [specifier, `../node_modules/gcp-id-token/dist/${name}.js`]
  })
  const imports = Object.fromEntries([...fromJsr, ...fromNpm, ['jsr:@deno/oidc', './deno-oidc.js']])
  await writeFile(join(folder, 'import-map.json'), JSON.stringify({ imports }))
  await writeFile(join(folder, 'deno-oidc.js'), `
export async function getIdToken(audience) {
  const response = await fetch('https://oidc.deno.com/?audience=' + encodeURIComponent(audience))
  return response.text()
}
`)
  const alone = ['--no-prompt', '--no-config', '--no-lock', '--no-remote']
  const allowed = ['--allow-net=127.0.0.1', '--allow-env', '--allow-read']
  return ['run', ...alone, ...allowed, '--import-map=import-map.json', 'main.js']
}

function denoOptions(folder: string, { env }: Stage) {
  const DENO_DIR = join(folder, 'deno')
  return { cwd: folder, env: { ...env, DENO_DIR, DENO_SERVE_ADDRESS: 'tcp:127.0.0.1:0' } }
}
