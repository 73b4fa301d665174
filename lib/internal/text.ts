/** Whether it is a text of that form. A RegExp alone takes what becomes one, too, such as a list of one text. */
export function isText(value: unknown, form: RegExp = /[^]/): value is string {
  return typeof value === 'string' && form.test(value)
}

/** What a header takes as it is. All else, the errors of headers would quote. */
export const VISIBLE: RegExp = /^[!-~]+$/

/** The URL that a text is, if it is one: `new URL` would quote it in its error. */
export function parseUrl(text: string, base?: string): URL | undefined {
  try {
    return new URL(text, base) // and no URL.canParse, which Workers lack under old compatibility dates
  } catch {}
}
