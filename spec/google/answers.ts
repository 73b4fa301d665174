/** A JSON answer as Google's front ends send it. */
export function json(status: number, body: unknown, headers: HeadersInit = {}): Response {
  const all = new Headers(headers)
  all.set('content-type', 'application/json; charset=utf-8')
  return new Response(JSON.stringify(body), { status, headers: all })
}

export function html(status: number, body: string, headers: HeadersInit = {}): Response {
  const all = new Headers(headers)
  all.set('content-type', 'text/html; charset=UTF-8')
  return new Response(body, { status, headers: all })
}

/** The page of Google's front end, where nobody behind it answered. */
export function errorPage(status: 403 | 404 | 500 | 502 | 503, path = '/', more = ''): Response {
  const [title, text] = PAGES[status]
  return html(status, `<!DOCTYPE html>
<html lang=en>
  <meta charset=utf-8>
  <meta name=viewport content="initial-scale=1, minimum-scale=1, width=device-width">
  <title>Error ${status} (${title})!!1</title>
  <a href=//www.google.com/><span id=logo aria-label=Google></span></a>
  <p><b>${status}.</b> <ins>That's an error.</ins>
  <p>${text.replace('PATH', () => escaped(path))}${more}  <ins>That's all we know.</ins>
`)
}

/** The page for who sends too much. */
export function sorryPage(status: 429 | 503 = 429): Response {
  return html(status, `<html><head><meta http-equiv="content-type" content="text/html; charset=utf-8"/>\
<title>Sorry...</title></head><body><h1>We're sorry...</h1><p>... but your computer or network may be \
sending automated queries. To protect our users, we can't process your request right now.</p></body></html>`)
}

/** Cloud Run's pages for a token that it doesn't take, and for a caller who may not. */
export function runPage(status: 401 | 403, path: string): Response {
  const [title, heading, text] = RUN_PAGES[status]
  const headers: HeadersInit = status === 401 ? { 'www-authenticate': INVALID_TOKEN } : {}
  return html(status, '\n<html><head>\n<meta http-equiv="content-type" content="text/html;charset=utf-8">\n' +
    `<title>${title}</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>Error: ${heading}</h1>\n` +
    `<h2>${text.replace('PATH', () => escaped(path))}</h2>\n<h2></h2>\n</body></html>\n`, headers)
}

const RETRY = 'The server encountered a temporary error and could not complete your request.' +
  '<p>Please try again in 30 seconds.'

const PAGES = {
  403: ['Forbidden', 'Your client does not have permission to get URL <code>PATH</code> from this server.'],
  404: ['Not Found', 'The requested URL <code>PATH</code> was not found on this server.'],
  500: ['Server Error', 'The server encountered an error and could not complete your request.' +
    '<p>If the problem persists, please report your problem and mention this error message.'],
  502: ['Server Error', RETRY],
  503: ['Service Unavailable', RETRY]
} as const

const INVALID_TOKEN =
  'Bearer error="invalid_token" error_description="The access token could not be verified"'

const RUN_PAGES = {
  401: ['401 Unauthorized', 'Unauthorized',
    'Your client does not have permission to the requested URL <code>PATH</code>.'],
  403: ['403 Forbidden', 'Forbidden',
    'Your client does not have permission to get URL <code>PATH</code> from this server.']
} as const

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)
}
