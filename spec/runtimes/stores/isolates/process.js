import { answer } from './answer.js'

const { Deno, process } = globalThis
const [job] = Deno ? Deno.args : process.argv.slice(2)
console.log(JSON.stringify(await answer(JSON.parse(job))))
if (Deno) Deno.exit()
process.exit()
