import { readFileSync } from 'node:fs'
import { findFiles } from '../../scripts/project.js'

/** A block of code that users are given. */
export interface Example {
  /** The file, the line, and the heading above it. */
  place: string
  language: string
  code: string
}

/** The service of all examples. */
export const AUDIENCE = 'https://my-service-abc123-ew.a.run.app'

/** Platforms that are here with the project's own dependencies, and those that are large to install. */
export type Light = 'Node' | 'Vercel Edge'
export type Heavy = 'Vercel Functions' | 'Deno' | 'Netlify Edge' | 'Bun' | 'Cloudflare Workers'
export type Platform = Light | Heavy

/** The fenced blocks of the README. */
export function inReadme(): Example[] {
  return blocks('README.md', readFileSync('README.md', 'utf8'))
}

/** The fenced blocks in the docs of the sources. */
export function inSources(): Example[] {
  return findFiles('lib', () => true).flatMap((file: string) => {
    return blocks(file, readFileSync(file, 'utf8').replace(/^ *\*( |$)/gm, ''))
  })
}

/** Programs to run; what makes a store is not among them. */
export function programs(): Example[] {
  const all = [...inReadme(), ...inSources()].filter((example) => isScript(example) && !makesStore(example))
  return [...all, ...readersOfTheFile()]
}

/** The README's expressions that read the credentials' file, each in a program. */
function readersOfTheFile(): Example[] {
  const readme = readFileSync('README.md', 'utf8')
  const expressions = readme.matchAll(/`([\w.]+\([^`]*GOOGLE_APPLICATION_CREDENTIALS[^`]*\))`/g)
  return [...expressions].map(([, expression]) => ({
    place: `README.md, ${expression}`,
    language: 'js',
    code: `
import { readFileSync } from 'node:fs'
import { getIdToken } from 'gcp-id-token/adc'

const credentials = ${expression}
const token = await getIdToken({ credentials, audience: '${AUDIENCE}' })
`
  }))
}

export function isScript({ language }: Example): boolean {
  return language === 'js' || language === 'ts'
}

export function makesStore({ code }: Example): boolean {
  return /^(export )?const store = /m.test(code)
}

/** Where an example is at home: what it uses tells. */
export function platformOf({ code }: Example): Platform {
  return SIGNS.find(([sign]) => sign.test(code))?.[1] ?? 'Node'
}

const SIGNS: [RegExp, Platform][] = [
  [/'@vercel\/oidc'/, 'Vercel Functions'],
  [/runtime: 'edge'/, 'Vercel Edge'],
  [/\bNetlify\./, 'Netlify Edge'],
  [/\bBun\./, 'Bun'],
  [/\bDeno\.|'jsr:/, 'Deno'],
  [/\benv, ctx\b|'cloudflare:/, 'Cloudflare Workers']
]

function blocks(file: string, text: string): Example[] {
  return [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(({ index, 1: language, 2: code }) => {
    const before = text.slice(0, index)
    const headings = before.replace(/^```[^]*?^```$/gm, '').match(/(?<=^#+) .+$/gm) ?? []
    const place = `${file}:${before.split('\n').length}${headings.at(-1) ?? ''}`
    return { place, language: language!, code: code! }
  })
}
