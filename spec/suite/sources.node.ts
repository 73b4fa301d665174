// What lib/ may lean on: the compiler is content, and the names it takes from its surroundings are known.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findFiles } from '../../scripts/project.js'
import { ambientNames } from './ambient-names.ts'

const sources = suite('the sources')

for (const project of ['.', 'spec']) {
  sources(`compile: tsc -p ${project}`, () => {
    const output = tsc('-p', project)
    assert.ok(output === '', output)
  })
}

sources('take only the known names from their surroundings', () => {
  const missing = [...tsc('-p', '.', '--lib', 'ES2022').matchAll(ERROR)]
    .filter(([, , , , error]) => /^(TS7017|TS7053|TS\d+: Cannot find)/.test(error!))
    .map(([, file, line, column]) => nameAt(file!, Number(line), Number(column)))
  const subtle = findFiles('lib', () => true)
    .flatMap((file: string) => readFileSync(file, 'utf8').match(/\bsubtle\.\w+/g) ?? [])
  assert.equal([...new Set([...missing, ...subtle])].sort(), [...ambientNames].sort())
})

sources.run()

const ERROR = /^(\S+)\((\d+),(\d+)\): error (.*)$/gm

/** With the member that follows, as in `AbortSignal.any`: runtimes differ in these most of all. */
function nameAt(file: string, line: number, column: number) {
  const text = readFileSync(file, 'utf8').split('\n')[line - 1]!
  const start = text.slice(0, column - 1).search(/([\w$][\w$.?]*)?$/)
  return text.slice(start).match(/^[\w$]+(\??\.[\w$]+|\[[^\]]*\])?/)?.[0]
}

function tsc(...args: string[]) {
  const program = 'node_modules/typescript/bin/tsc'
  return spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' }).stdout
}
