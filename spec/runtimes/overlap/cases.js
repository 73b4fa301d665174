import { ok } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** After so many milliseconds without a word, everyone takes a leader for dead. */
const LEASE = 4000

/** How a request can be over before its exchange is. */
const deaths = {
  'its client leaves': { options: {}, die: (leader) => leader.leave() },
  'it answers early': { options: { end: 'answer early' }, die: (leader) => leader.end() },
  'it throws': { options: { end: 'throw' }, die: (leader) => leader.end() },
  'it gives up waiting': { options: { end: 'give up' }, die: (leader) => leader.end() },
}

export const cases = {
  async 'the leader stays'(scene) {
    const exchange = scene.hold()
    const leader = scene.call()
    await exchange.asked()
    const followers = await follow(scene)
    exchange.answer()
    await scene.serves(leader, ...followers)
    await serveLater(scene)
    scene.costs(1)
  },

  async 'the leader is gone: its client leaves, then followers come'(scene) {
    const exchange = scene.hold()
    const leader = scene.call()
    await exchange.asked()
    await leader.leave()
    await exchange.dropped()
    await scene.serves(...await follow(scene))
    await serveLater(scene)
    scene.costs(2)
  },

  ...Object.fromEntries(Object.entries(deaths).map(([death, { options, die }]) => [
    `the leader is gone: ${death}`,
    async (scene) => {
      const exchange = scene.hold()
      const leader = scene.call(options)
      await exchange.asked()
      const followers = await follow(scene)
      await die(leader)
      await exchange.dropped()
      await scene.serves(...followers)
      await serveLater(scene)
      scene.costs(2)
    },
  ])),

  async 'the leader is gone, nobody waits, a request comes later'(scene) {
    const exchange = scene.hold()
    const leader = scene.call()
    await exchange.asked()
    await leader.leave()
    await exchange.dropped()
    await sleep(LEASE)
    await serveLater(scene)
    scene.costs(2)
  },

  ...Object.fromEntries(Object.entries(deaths).map(([death, { options, die }], index) => [
    `waitUntil, and ${death}`,
    async (scene) => {
      const exchange = scene.hold()
      const leader = scene.call({ ...options, waitUntil: index % 2 ? 'context' : 'function' })
      await exchange.asked()
      const followers = await follow(scene)
      await die(leader)
      exchange.answer()
      await scene.serves(...followers)
      await serveLater(scene)
      scene.costs(1)
    },
  ])),

  async 'a follower is gone'(scene) {
    const exchange = scene.hold()
    const leader = scene.call()
    await exchange.asked()
    const [first, second] = await follow(scene)
    await first.leave()
    exchange.answer()
    await scene.serves(leader, second)
    await serveLater(scene)
    scene.costs(1)
  },

  async 'two leaders are gone, one after the other'(scene) {
    const [first, second] = [scene.hold(), scene.hold()]
    const leader = scene.call()
    await first.asked()
    const heir = scene.call()
    await heir.joined()
    await leader.leave()
    await second.asked()
    const followers = await follow(scene)
    await heir.leave()
    await second.dropped()
    await scene.serves(...followers)
    await serveLater(scene)
    scene.costs(3)
  },

  async 'the leader gives up waiting, its request stays'(scene) {
    const exchange = scene.hold()
    const leader = scene.call({ end: 'give up', linger: true })
    await exchange.asked()
    const followers = await follow(scene)
    leader.end()
    await leader.lingers()
    exchange.answer()
    await scene.serves(...followers)
    await serveLater(scene)
    scene.costs(1)
  },

  async 'Google says no'(scene) {
    const exchange = scene.hold()
    const leader = scene.call()
    await exchange.asked()
    const followers = await follow(scene)
    exchange.answer(refusal())
    await scene.refuses('rejected', leader, ...followers)
    scene.costs(1)
    await serveLater(scene)
    scene.costs(2)
  },

  async 'the leader is gone, then Google says no'(scene) {
    const [first, second] = [scene.hold(), scene.hold()]
    const leader = scene.call()
    await first.asked()
    const followers = await follow(scene)
    await leader.leave()
    await second.asked()
    second.answer(refusal())
    await scene.refuses('rejected', ...followers)
    await serveLater(scene)
    scene.costs(3)
  },

  async 'the leader stays, through a lost attempt and a pause'(scene) {
    const [silent, busy] = [scene.hold(), scene.hold()]
    const leader = scene.call({ timeout: 2000 })
    await silent.asked()
    const followers = await follow(scene)
    await busy.asked()
    await sleep(1000)
    scene.costs(2)
    busy.answer(later())
    await sleep(3000)
    scene.costs(2)
    await scene.serves(leader, ...followers)
    await serveLater(scene)
    scene.costs(3)
  },

  async 'the leader is gone in the pause between attempts'(scene) {
    const exchange = scene.hold()
    const leader = scene.call()
    await exchange.asked()
    const early = await follow(scene)
    exchange.answer(later())
    await sleep(300)
    await leader.leave()
    const late = await follow(scene)
    await scene.serves(...early, ...late)
    await serveLater(scene)
    scene.costs(2)
  },

  async 'the leader is gone while it reads the store'(scene) {
    const leader = scene.call({ store: true })
    await leader.readsStore()
    const followers = await follow(scene, { store: true })
    await leader.leave()
    await scene.serves(...followers)
    await scene.serves(scene.call({ store: true }))
    scene.costs(1)
  },

  async 'a refresh ahead goes on behind its request'(scene) {
    await serveAged(scene, 100)
    const exchange = scene.hold()
    const leader = scene.call({ waitUntil: 'function' })
    const [old] = await scene.serves(leader)
    await exchange.asked()
    await serveOnly(scene, old)
    exchange.answer()
    await replaced(scene, old)
    scene.costs(2)
  },

  async 'a refresh ahead dies with its request'(scene) {
    await serveAged(scene, 100)
    const [first, second] = [scene.hold(), scene.hold()]
    const leader = scene.call({ linger: true })
    await leader.lingers()
    await first.asked()
    await leader.leave()
    await first.dropped()
    const [old] = await scene.serves(...await follow(scene))
    scene.costs(2)
    await sleep(LEASE)
    await serveOnly(scene, old, { waitUntil: 'function' })
    await second.asked()
    second.answer()
    await replaced(scene, old)
    scene.costs(3)
  },

  async 'a refresh ahead dies, then the token does'(scene) {
    await serveAged(scene, 36)
    const exchange = scene.hold()
    const leader = scene.call({ linger: true })
    await exchange.asked()
    await leader.leave()
    await exchange.dropped()
    await sleep(7000)
    await scene.serves(...await follow(scene))
    await serveLater(scene)
    scene.costs(3)
  },

  async 'a forced refresh, the leader stays'(scene) {
    const [old] = await scene.serves(scene.call())
    const exchange = scene.hold()
    const leader = scene.call({ forceRefresh: true })
    await exchange.asked()
    const followers = await follow(scene, { forceRefresh: true })
    await serveOnly(scene, old)
    exchange.answer()
    await serveOther(scene, old, leader, ...followers)
    await serveOther(scene, old, scene.call())
    scene.costs(2)
  },

  async 'a forced refresh, the leader is gone'(scene) {
    const [old] = await scene.serves(scene.call())
    const [first, second] = [scene.hold(), scene.hold()]
    const leader = scene.call({ forceRefresh: true })
    await first.asked()
    const followers = await follow(scene, { forceRefresh: true })
    await leader.leave()
    await first.dropped()
    await serveOnly(scene, old)
    await second.asked()
    await serveOnly(scene, old)
    second.answer()
    await serveOther(scene, old, ...followers)
    await serveOther(scene, old, scene.call())
    scene.costs(3)
  },
}

async function follow(scene, options) {
  const followers = [scene.call(options), scene.call({ ...options, signal: true })]
  for (const follower of followers) await follower.joined()
  return followers
}

async function serveLater(scene) {
  await scene.serves(scene.call())
  await scene.serves(scene.call(), scene.call())
}

/** Who comes meanwhile gets the token that is there. */
async function serveOnly(scene, token, options) {
  const served = await scene.serves(scene.call(options), scene.call(options))
  ok(served.every((one) => one === token), 'not the old token')
}

async function serveOther(scene, old, ...callers) {
  for (const token of await scene.serves(...callers)) ok(token !== old, 'the old token')
}

/** A refresh behind comes to its end. */
async function replaced(scene, old) {
  for (let token = old; token === old;) [token] = await scene.serves(scene.call())
}

/** Puts a token into the cache that has so many seconds left. */
async function serveAged(scene, left) {
  scene.age(3600 - left)
  await scene.serves(scene.call())
  scene.age(0)
}

function refusal() {
  const body = { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }
  return Response.json(body, { status: 400 })
}

/** Asks for a pause that is far longer than any back-off, so that what is to happen in the pause does. */
function later() {
  return new Response(null, { status: 503, headers: { 'retry-after': '5' } })
}
