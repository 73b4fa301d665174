// How the program ends.

/** The exit codes; the help text says the same. */
export const EXIT = {
  ok: 0, fault: 1, usage: 2, credentials: 3, refused: 4, unavailable: 5, notLetIn: 6, otherAnswer: 7
}

/** What the user can do something about. Its message shows no secret. */
export class Failure extends Error {
  constructor(exitCode, message) {
    super(message)
    this.exitCode = exitCode
  }
}

export function exitCodeOf({ name, code, exitCode }) {
  return exitCode ?? (name === 'IdTokenError' ? BY_CODE[code] : EXIT.fault)
}

/** The library and this program keep secrets out of their messages; others quote what they were given. */
export function messageOf(error) {
  const { name, code, message } = error
  if (name === 'IdTokenError') return `${code}: ${message}`
  return error instanceof Failure ? message : `an unexpected ${nameOf(error)}`
}

/** A foreign error by its code, such as `ECONNREFUSED`, or else its name. */
export function nameOf({ name, code, cause }) {
  return [code, cause?.code, name].find((word) => typeof word === 'string')
}

const BY_CODE = {
  invalid_credentials: EXIT.credentials,
  unsupported_credentials: EXIT.credentials,
  invalid_key: EXIT.credentials,
  rejected: EXIT.refused,
  invalid_response: EXIT.refused,
  timeout: EXIT.unavailable,
  unavailable: EXIT.unavailable
}
