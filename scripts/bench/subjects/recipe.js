// The recipe that most answers on the web come to: jose signs, a small client asks, nothing is kept.

import { importPKCS8, SignJWT } from 'jose'
import redaxios from 'redaxios'

export const open = (key) => (audience) => getIdToken(key, audience)

async function getIdToken({ client_email, private_key, token_uri }, audience) {
  const assertion = await new SignJWT({ target_audience: audience })
    .setProtectedHeader({ alg: 'RS256' })
    .setIssuer(client_email)
    .setAudience(token_uri)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(await importPKCS8(private_key, 'RS256'))
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
  const { data } = await redaxios.post(token_uri, new URLSearchParams({ grant_type, assertion }))
  return data.id_token
}
