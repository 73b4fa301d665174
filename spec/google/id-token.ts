import { ISSUER } from './signing-keys.ts'
import type { SigningKeys } from './signing-keys.ts'
import { seconds } from './world.ts'
import type { World } from './world.ts'

/** An ID token with the claims that every source has in common, and the source's own. */
export function issueIdToken(
  world: World, keys: SigningKeys, lifetime: number, claims: Record<string, unknown>
): Promise<string> {
  const iat = seconds(world) - world.settings.idTokenAge
  const all = { ...claims, exp: iat + lifetime, iat, iss: ISSUER, ...world.settings.idTokenClaims }
  return keys.sign(all)
}
