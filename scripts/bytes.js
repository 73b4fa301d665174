// How much a bundle weighs on its way to a runtime.

import { brotliCompressSync, gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { root } from './project.js'

/** The bytes of a module with all that it imports, minified, by compression. */
export async function bytesOf(contents, { resolveDir = root, ...settings } = {}) {
  const { outputFiles: [{ contents: minified }] } = await build({
    stdin: { contents, resolveDir },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    ...settings
  })
  return {
    minified: minified.length,
    gzip: gzipSync(minified, { level: 9 }).length,
    brotli: brotliCompressSync(minified).length
  }
}
