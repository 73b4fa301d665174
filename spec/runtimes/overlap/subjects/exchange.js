import { SignJWT, importPKCS8 } from 'jose'

/** What the control subjects share: one attempt at the token endpoint, as the common recipes have it. */
export async function exchange({ credentials, audience }) {
  const { client_email, private_key, token_uri } = JSON.parse(credentials)
  const assertion = await new SignJWT({ target_audience: audience })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
    .setIssuer(client_email)
    .setAudience(token_uri)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(await importPKCS8(private_key, 'RS256'))
  const response = await fetch(token_uri, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }),
  })
  const answer = await response.json()
  if (!response.ok) throw Object.assign(new Error(answer.error), { code: 'rejected' })
  return answer.id_token
}
