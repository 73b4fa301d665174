import { ISSUER } from './signing-keys.ts'
import { seconds } from './world.ts'
import type { Account, World } from './world.ts'

/** An ID token with the claims that every source has in common under the source's own. */
export function issueIdToken(
  world: World, lifetime: number, claims: Record<string, unknown>
): Promise<string> {
  const iat = seconds(world) - world.settings.idTokenAge
  const common = { exp: iat + lifetime, iat, iss: ISSUER }
  return world.keys.sign({ ...common, ...claims, ...world.settings.idTokenClaims })
}

/** What the token endpoint says of an account. */
export function emailClaims({ email, uniqueId }: Account, audience: unknown): Record<string, unknown> {
  return { aud: audience, azp: email, email, email_verified: true, sub: uniqueId }
}
