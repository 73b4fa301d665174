import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { mustRun, readJson } from '../../scripts/project.js'

export function edgeVm() {
  const { version } = readJson('node_modules/@edge-runtime/vm/package.json')
  return {
    name: 'edge VM',
    needs: process.execPath,
    version: () => `${version} on Node ${process.versions.node}`,
    run: (stage) => runProcess(stage, process.execPath, ['edge-vm.js']),
  }
}

export function node(major) {
  return scripted(`Node ${major}`, `node-${major}/bin/node`, [])
}

export function deno() {
  const alone = ['--no-prompt', '--no-config', '--no-lock', '--no-remote']
  return scripted('Deno, only --allow-net', '@deno/linux-x64-glibc/deno', ['run', ...alone, '--allow-net'])
}

export function bun() {
  return scripted('Bun', '@oven/bun-linux-x64/bin/bun', ['run'])
}

function scripted(name, program, args) {
  const binary = join(import.meta.dirname, 'node_modules', program)
  return {
    name,
    needs: binary,
    version: async () => (await mustRun(binary, ['--version'])).stdout.match(/[\d.]{5,}/)[0],
    run: (stage) => runProcess(stage, binary, [...args, 'script.js']),
  }
}

async function runProcess({ folder, report }, program, args) {
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { printed += text })
  const ended = new Promise((_, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => reject(new Error(`ended with ${code ?? signal}\n${printed}`)))
  })
  try {
    return await Promise.race([report, ended])
  } finally {
    kill()
    process.off('exit', kill)
  }
}
