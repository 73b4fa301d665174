import { letters } from './random.ts'
import type { Member, World } from './world.ts'

/** An opaque access token; `kind` is a service account's, a federated or a user's, as its prefix tells. */
export function issueAccessToken(
  world: World, kind: 'c' | 'd' | 'a0', members: Member[], scopes: string[], lifetime: number
): string {
  const token = `ya29.${kind}.${letters(kind === 'd' ? 1000 : 200)}`
  world.accessTokens.set(token, { members, scopes, expires: world.now() + lifetime * 1000 })
  return token
}
