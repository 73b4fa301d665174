// The one error by its symptom that only Cloudflare Workers have.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { AUDIENCE } from '../examples.ts'
import type { Example } from '../examples.ts'
import { openStage } from '../stage.ts'
import { runners, testOn } from './runners.ts'

const test = suite('errors by symptom')
const workers = runners['Cloudflare Workers']
const title = 'Cannot perform I/O on behalf of a different request'

testOn(workers, test, title, shows)

test.run()

/** A response is kept, and breaks the next request; a token that the first one got is good in it. */
async function shows() {
  const stage = await openStage()
  const { url, close } = await workers.serve!(WORKER, stage)
  try {
    const ask = async (path: string) => (await fetch(`${url}/${path}`)).text()
    assert.is(await ask('response'), 'kept')
    assert.match(await ask('response'), title)
    const exchanges = () => stage.google.requests.filter(({ endpoint }) => endpoint === 'token').length
    const token = await ask('token')
    assert.is(await ask('token'), token)
    assert.is(exchanges(), 1)
    await stage.verify(token, AUDIENCE)
  } finally {
    await close()
    await stage.close()
  }
}

const WORKER: Example = {
  place: 'here',
  language: 'js',
  code: `
import { getIdToken } from 'gcp-id-token'

let kept
export default {
  async fetch(request, env, ctx) {
    if (request.url.endsWith('/token')) {
      const audience = '${AUDIENCE}'
      return new Response(await getIdToken({ credentials: env.GOOGLE_KEY, audience, waitUntil: ctx }))
    }
    if (kept) return new Response(await kept.text().catch(({ message }) => message))
    kept = await fetch(env.SERVICE_URL)
    return new Response('kept')
  }
}
`
}
