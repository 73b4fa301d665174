// What is measured in Node, as JSON on standard output.

import { tokenUri as endpoint } from 'given'
import { inRounds, summary } from './rounds.js'
import { cases } from './scene.js'
import * as googleAuthLibrary from './subjects/google-auth-library.js'
import * as least from './subjects/least.js'
import * as ours from './subjects/ours.js'
import * as recipe from './subjects/recipe.js'
import * as webAuthLibrary from './subjects/web-auth-library.js'
import { turnOf } from './turns.js'

const everybody = {
  'gcp-id-token': ours.open,
  'google-auth-library': googleAuthLibrary.open,
  'jose, redaxios': recipe.open,
  'web-auth-library': webAuthLibrary.open,
  'least code': least.open
}
const inMemory = {
  'gcp-id-token': ours.open,
  'gcp-id-token, key as text': ours.openText,
  'google-auth-library, client kept': googleAuthLibrary.openAndKeep,
  'web-auth-library': webAuthLibrary.open
}
const keepsNothing = {
  'google-auth-library': googleAuthLibrary.open,
  'jose, redaxios': recipe.open,
  'least code': least.open
}

const often = { rounds: 100, warmUp: 25 }
const results = {
  'first token': summary(
    await inRounds(turns('first token', everybody, { calls: 8 }), often),
    ['least code']
  ),
  'new audience': summary(
    await inRounds(turns('new audience', everybody, { calls: 8 }), often),
    ['least code', 'google-auth-library']
  ),
  'same audience': summary(
    await inRounds({
      ...turns('same audience', inMemory, { calls: 10, batch: 200 }),
      ...turns('same audience', keepsNothing, { calls: 4 })
    }, often),
    ['google-auth-library', 'google-auth-library, client kept']
  ),
  '500 at once': summary(
    await inRounds(turns('500 at once', everybody, { calls: 1 }), { rounds: 8, warmUp: 2 }),
    ['google-auth-library']
  )
}
console.log(JSON.stringify(results))

function turns(name, subjects, settings) {
  return Object.fromEntries(Object.entries(subjects).map(([subject, open]) => {
    return [subject, turnOf(cases[name](open), { ...settings, endpoint })]
  }))
}
