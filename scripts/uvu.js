// Stands in for `uvu` in every bundled spec: uvu itself, with the host told of all that uvu lets pass
// (a hook that throws, a thrown non-Error, a `.only` left behind, a suite that is never run).

import * as uvu from 'uvu'

const host = globalThis.SPEC_HOST

export const suite = (name, state) => watched(uvu.suite(name, state), name)

export const test = watched(uvu.test, '')

function watched(suite, title) {
  const add = (name, handler) => {
    host.registered(title, name)
    suite(name, guard(title, name, handler))
  }
  const hook = (add, name) => (handler) => add(guard(title, name, handler))
  // uvu drops what these two throw, or the tests that follow: it is told nothing, the host is.
  const lastHook = (add, name) => (handler) => {
    const guarded = guard(title, name, handler)
    add((state) => guarded(state).catch(() => {}))
  }

  return Object.assign(add, {
    only: (name, handler) => {
      host.failed(title, name, new Error('`.only` was left behind'))
      add(name, handler)
    },
    skip: suite.skip,
    before: Object.assign(hook(suite.before, 'before'), { each: hook(suite.before.each, 'before.each') }),
    after: Object.assign(lastHook(suite.after, 'after'), { each: lastHook(suite.after.each, 'after.each') }),
    run: suite.run
  })
}

function guard(title, name, handler) {
  return async (state) => {
    host.entered(title, name)
    try {
      await handler(state)
    } catch (thrown) {
      host.failed(title, name, thrown)
      throw new Error('reported') // uvu itself breaks on what is no Error
    }
  }
}
