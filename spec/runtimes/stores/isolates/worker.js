import { answer } from './answer.js'

// The Cache API lists nothing, so what goes in is noted.
const entries = []
const { put } = Cache.prototype
Cache.prototype.put = async function (name, response) {
  const value = await response.clone().text()
  entries.push({ name, value, ttl: Number(response.headers.get('cache-control').replace('max-age=', '')) })
  return put.call(this, name, response)
}

let pending = 0

export default {
  async fetch(request, env, ctx) {
    if (request.method === 'GET') return Response.json({ pending, entries })
    const waitUntil = (work) => {
      pending++
      ctx.waitUntil(work.finally(() => pending--))
    }
    return Response.json(await answer(await request.json(), waitUntil))
  },
}
