// Deno KV as the operator sees it: lists what is there, and puts what is given.

const kv = await Deno.openKv()
const changes = JSON.parse(Deno.args[0])
for (const { name, value } of changes) await kv.set(name.split('/'), value)
const entries = []
for await (const { key, value } of kv.list({ prefix: [] })) entries.push({ name: key.join('/'), value })
console.log(JSON.stringify(entries))
