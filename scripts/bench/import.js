// node import.js MODULE
// The processor's milliseconds for the whole process, and for the import alone.

const before = process.cpuUsage()
await import(process.argv[2])
const [time, alone] = [process.cpuUsage(), process.cpuUsage(before)].map(({ user, system }) => (user + system) / 1000)
console.log(JSON.stringify({ time, alone }))
