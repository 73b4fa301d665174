// What lib/ may lean on: the compiler is content, and the names it takes from its surroundings are known.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ambientNames } from './ambient-names.ts'

const sources = suite('the sources')

for (const project of ['.', 'spec']) {
  sources(`compile: tsc -p ${project}`, () => {
    const output = tsc('-p', project)
    assert.is(output, '', output)
  })
}

sources('take only the known names from their surroundings', () => {
  const missing = [...tsc('-p', '.', '--lib', 'ES2022').matchAll(ERROR)]
    .filter(([, , , , code, message]) => code === 'TS7017' || code === 'TS7053' || message!.startsWith('Cannot find'))
    .map(([, file, line, column]) => nameAt(file!, Number(line), Number(column)))
  assert.equal([...new Set(missing)].sort(), [...ambientNames].sort())
})

sources.run()

const ERROR = /^(\S+)\((\d+),(\d+)\): error (TS\d+): (.*)$/gm

/** With the members that follow, as in `crypto.subtle.sign`: runtimes differ in these most of all. */
function nameAt(file: string, line: number, column: number) {
  const text = readFileSync(file, 'utf8').split('\n')[line - 1]!
  const start = text.slice(0, column - 1).search(/[\w$.?]*$/)
  return text.slice(start).match(/^[\w$]+(\??\.[\w$]+|\[[^\]]*\])*/)?.[0]
}

function tsc(...args: string[]) {
  return spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', ...args], { encoding: 'utf8' }).stdout
}
