// node endpoint.js COUNT
// Google's token endpoint, in a process of its own. It checks nothing, and its tokens, for so many audiences,
// were signed before anybody asks: it costs next to nothing. GET tells the exchanges since the last GET.

import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { generateKeyPair, SignJWT } from 'jose'
import { audienceOf } from './audience.js'

const LIFE = 3600

const idTokens = await signAll(Number(process.argv[2]))
const access_token = 'ya29.'.padEnd(200, 'x')
const accessToken = JSON.stringify({ access_token, expires_in: LIFE, token_type: 'Bearer' })
let exchanges = 0

const server = createServer(async (request, response) => {
  if (request.method === 'GET') {
    response.end(`${exchanges}`)
    exchanges = 0
    return
  }
  exchanges++
  const form = new URLSearchParams(await text(request))
  const [, payload] = form.get('assertion').split('.')
  const { target_audience, scope } = JSON.parse(Buffer.from(payload, 'base64url'))
  const answer = target_audience ? idTokens.get(target_audience) : scope && accessToken
  response.writeHead(answer ? 200 : 400, { 'content-type': 'application/json; charset=utf-8' }).end(answer)
})
server.listen(0, '127.0.0.1', () => process.send(`http://127.0.0.1:${server.address().port}/token`))
process.on('disconnect', () => process.exit()) // with the bench, however that ends

async function signAll(count) {
  const { privateKey } = await generateKeyPair('RS256')
  const header = { alg: 'RS256', kid: 'k'.repeat(40), typ: 'JWT' }
  const iat = Math.floor(Date.now() / 1000)
  const sub = '1'.repeat(21)
  const shared = { azp: sub, exp: iat + LIFE, iat, iss: 'https://accounts.google.com', sub }
  return new Map(await Promise.all(Array.from({ length: count }, async (_, number) => {
    const aud = audienceOf(number)
    const id_token = await new SignJWT({ aud, ...shared }).setProtectedHeader(header).sign(privateKey)
    return [aud, JSON.stringify({ id_token })]
  })))
}
