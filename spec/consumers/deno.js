import { createHash } from 'node:crypto'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { entries, manifest, mustRun, root } from '../../scripts/project.js'
import { files, TYPES } from './types.js'

const deno = join(root, 'spec/runtimes/node_modules/@deno/linux-x64-glibc/deno')

/** The same files as TypeScript compiles elsewhere: what they import comes from a loopback server here. */
export const denoImports = [
  {
    name: 'types: Deno, by URL',
    needs: deno,
    check: (given) => check(given, (origin) => Object.fromEntries(entries.map(({ specifier, source }) => {
      return [specifier, `${origin}/${source}`]
    }))),
  },
  {
    name: 'types: Deno, from npm',
    needs: deno,
    check: (given) => check(given, () => ({
      [manifest.name]: `npm:${manifest.name}@${manifest.version}`,
      [`${manifest.name}/`]: `npm:/${manifest.name}@${manifest.version}/`,
    })),
  },
]

async function check({ tarball, project }, importsFrom) {
  const { origin, close } = await serve(tarball, project)
  const single = { './single.ts': `${origin}/dist/single.ts` }
  await cp(TYPES, project, { recursive: true })
  await writeFile(join(project, 'deno.json'), JSON.stringify({
    imports: { ...importsFrom(origin), ...single },
    compilerOptions: { skipLibCheck: false },
    unstable: ['kv'],
    nodeModulesDir: 'none', // else it takes what npm has installed beside it
  }))
  const args = ['check', '--all', '--no-lock', `--allow-import=${new URL(origin).host}`, ...files, 'deno.ts']
  try {
    await mustRun(deno, args, {
      cwd: project,
      env: {
        ...process.env,
        DENO_DIR: join(project, 'cache'),
        DENO_NO_UPDATE_CHECK: '1',
        NO_COLOR: '1',
        NPM_CONFIG_REGISTRY: `${origin}/registry/`,
      },
    })
  } finally {
    close()
  }
}

/** The sources, what a host of npm's files would give, and the registry itself. */
async function serve(tarball, project) {
  const server = createServer(async (request, response) => {
    const [path] = request.url.split('?')
    const content = await contentOf(path).catch(() => undefined)
    if (path.endsWith('.ts')) response.setHeader('content-type', 'application/typescript')
    response.writeHead(content ? 200 : 404).end(content)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${server.address().port}`
  return { origin, close: () => server.close() }

  async function contentOf(path) {
    if (path.startsWith('/lib/')) return readFile(join(root, path))
    if (path.startsWith('/dist/')) return readFile(join(project, 'node_modules', manifest.name, path))
    if (path === '/package.tgz') return readFile(tarball)
    if (path === `/registry/${manifest.name}`) return JSON.stringify(await packument())
  }

  async function packument() {
    const integrity = `sha512-${createHash('sha512').update(await readFile(tarball)).digest('base64')}`
    const dist = { tarball: `${origin}/package.tgz`, integrity }
    const { name, version } = manifest
    return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
  }
}
