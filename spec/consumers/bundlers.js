import assert from 'node:assert/strict'
import { join } from 'node:path'
import { mustRun } from '../../scripts/project.js'
import { checkBundle } from './app.js'

/** Of each bundler what its users get by default, and no warning. */
export const bundlers = [
  bundler('esbuild, neutral', async (project, outdir) => {
    const { build } = await import('esbuild')
    const { warnings } = await build({
      entryPoints: [join(project, 'app.js')],
      outdir,
      bundle: true,
      minify: true,
      platform: 'neutral',
      logLevel: 'silent',
    })
    return warnings
  }),

  bundler('Rollup', async (project, dir) => {
    const { rollup } = await import('rollup')
    const { nodeResolve } = await import('@rollup/plugin-node-resolve')
    const warnings = []
    const bundle = await rollup({
      input: join(project, 'app.js'),
      plugins: [nodeResolve()],
      onLog: (level, { message }) => warnings.push(`${level}: ${message}`),
    })
    await bundle.write({ dir })
    return warnings
  }),

  bundler('webpack', async (context, path) => {
    const { default: webpack } = await import('webpack')
    const settings = {
      mode: 'production',
      context,
      entry: './app.js',
      target: ['web', 'es2022'],
      experiments: { outputModule: true },
      output: { path, filename: 'app.js', library: { type: 'module' } },
    }
    const stats = await new Promise((resolve, reject) => {
      webpack(settings, (error, stats) => error ? reject(error) : resolve(stats))
    })
    const { errors, warnings } = stats.toJson()
    return [...errors, ...warnings].map(({ message }) => message)
  }),

  bundler('Vite', async (root, outDir) => {
    const { build, createLogger } = await import('vite')
    const warnings = []
    const warn = (text) => warnings.push(text)
    await build({
      root,
      configFile: false,
      logLevel: 'silent',
      build: { outDir, lib: { entry: 'app.js', formats: ['es'], fileName: 'app' } },
      customLogger: { ...createLogger('silent'), warn, warnOnce: warn, error: warn },
    })
    return warnings
  }),

  bundler('wrangler deploy --dry-run', async (cwd, outdir) => {
    const wrangler = join(import.meta.dirname, 'node_modules/wrangler/bin/wrangler.js')
    const args = ['deploy', 'app.js', '--dry-run', '--outdir', outdir, '--name', 'app']
    const { output } = await mustRun(process.execPath, [wrangler, ...args, '--compatibility-date', '2026-04-26'], {
      cwd,
      env: { ...process.env, XDG_CONFIG_HOME: cwd, WRANGLER_SEND_METRICS: 'false', NO_COLOR: '1' },
    })
    return output.match(/.*(?:warn|error).*/gi) ?? []
  }),
]

function bundler(name, bundle) {
  return {
    name: `bundled by ${name}`,
    async check({ project }) {
      const folder = join(project, 'bundled')
      assert.deepEqual(await bundle(project, folder), [])
      await checkBundle(join(folder, 'app.js'))
    },
  }
}
