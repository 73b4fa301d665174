// node import.js MODULE
// The processor's milliseconds for the whole process, and for the import alone.

const milliseconds = ({ user, system }) => (user + system) / 1000

const before = milliseconds(process.cpuUsage())
await import(process.argv[2])
const time = milliseconds(process.cpuUsage())
console.log(JSON.stringify({ time, alone: time - before }))
