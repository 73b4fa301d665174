import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { run, workFolder } from '../scripts/project.js'
import { createGoogle } from './google/index.ts'
import { serve } from './google/server.ts'

// The command that shows newcomers the main job.
const test = suite('npm start')

test('shows the main job on a local Google', async () => {
  const { code, stdout, stderr } = await run('npm', ['start', '--silent'])
  assert.is(code, 0, stdout + stderr)
  assert.match(stdout, 'In an edge VM without any Node API')
  assert.match(stdout, /^ok +exchange +POST http:\/\/127\.0\.0\.1:\d+\/token: 200 /m)
  assert.match(stdout, /^ok +token +audience http:\/\/127\.0\.0\.1:\d+, email caller@\S+, time left 60 min$/m)
  assert.match(stdout, /> Hello, caller@\S+!\n$/)
  assert.not.match(stdout, /eyJ|FAIL/)
})

test('shows it with a key and a URL of one\'s own', async () => {
  const google = createGoogle()
  const served = await serve((request) => google.handle(request))
  try {
    const key = await google.createKey()
    google.createService({ invokers: [] })
    const file = join(workFolder(), 'key.json')
    writeFileSync(file, JSON.stringify({ ...key, token_uri: `${served.url}/token` }))
    const { code, stdout } = await run('npm', ['start', '--silent', '--', '--credentials', file, `${served.url}/x`])
    assert.is(code, 6, stdout)
    assert.match(stdout, `a key of ${key.client_email}`)
    assert.match(stdout, /^FAIL +service .*\/x: 403, Google's page/m)
    assert.equal(google.requests.map(({ endpoint }) => endpoint), ['token', 'run'])
  } finally {
    await served.close()
  }
})

test('answers anything else with how to call it', async () => {
  for (const args of [['--credentials'], ['--credentials', 'key.json'], ['https://a.example']]) {
    const { code, stderr } = await run('npm', ['start', '--silent', '--', ...args])
    assert.is(code, 2)
    assert.match(stderr, /^usage: npm start -- --credentials key\.json https:/)
  }
})

test.run()
