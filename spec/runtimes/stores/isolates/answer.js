import { getIdToken } from 'gcp-id-token'
import { store } from 'recipe'

/** The tokens for all that one isolate is asked, one after another. */
export async function answer({ credentials, questions }, waitUntil) {
  const tokens = []
  for (const question of questions) {
    tokens.push(await getIdToken({ credentials, store, waitUntil, ...question }))
  }
  return tokens
}
