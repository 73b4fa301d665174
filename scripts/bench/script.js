// The worker as a program of Deno's or Bun's, which says where it listens.

import { handle } from './worker.js'
import tell from './tell.js'

const { Deno, Bun } = globalThis
const address = { hostname: '127.0.0.1', port: 0 }
const { port } = Deno
  ? Deno.serve({ ...address, onListen() {} }, handle).addr
  : Bun.serve({ ...address, fetch: handle })
await fetch(tell, { method: 'POST', body: `http://127.0.0.1:${port}` })
