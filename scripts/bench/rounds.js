// Everybody has a turn in every round, and is compared within the round: what else the machine does meanwhile
// meets all of them. Each number is told with its quartiles over the rounds.

/**
 * @param {{ [name: string]: () => Promise<object> }} measure one turn, by the name of who has it
 * @param {{ rounds: number, warmUp: number }} settings rounds that count, after some that do not
 * @returns what was measured, by name, round by round
 */
export async function inRounds(measure, { rounds, warmUp }) {
  const names = Object.keys(measure)
  const turns = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 0; round < warmUp + rounds; round++) {
    for (const name of inOrder(names, round)) {
      const turn = await measure[name]()
      if (round >= warmUp) turns[name].push(turn)
    }
  }
  return turns
}

/** Quartiles of what was measured, and of its ratio to what the references took in the same round. */
export function summary(turns, references) {
  return Object.fromEntries(Object.entries(turns).map(([name, own]) => {
    const ratio = (other) => quartiles(own.map(({ time }, round) => time / turns[other][round].time))
    const ratios = references.filter((other) => other !== name).map((other) => [other, ratio(other)])
    const measured = Object.keys(own[0]).map((key) => [key, quartiles(own.map((turn) => turn[key]))])
    return [name, { ...Object.fromEntries(measured), ratios: Object.fromEntries(ratios) }]
  }))
}

/** Another is first in each round, and when all were, it goes backwards: nobody always follows the same. */
function inOrder(names, round) {
  const start = round % names.length
  const order = [...names.slice(start), ...names.slice(0, start)]
  return Math.floor(round / names.length) % 2 ? order.reverse() : order
}

function quartiles(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  return [0.25, 0.5, 0.75].map((share) => {
    const place = share * (sorted.length - 1)
    const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]]
    return Number((below + (above - below) * (place % 1)).toPrecision(3))
  })
}
