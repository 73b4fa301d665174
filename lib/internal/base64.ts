/** Bytes as base64url without padding (RFC 4648 section 5, RFC 7515 section 2). */
export function toBase64url(bytes: ArrayBuffer | Uint8Array): string {
  let binary = ''
  // One by one: engines differ in how many arguments a call may have, and fail with a RangeError.
  for (const byte of new Uint8Array(bytes)) binary += String.fromCharCode(byte)
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')
}

/**
 * The bytes of base64 or base64url. Line breaks, also such as an environment variable escaped, quotes, padding and
 * whatever else is no part of it are passed over; so is the last character where it alone makes no byte.
 */
export function fromBase64(text: string): Uint8Array {
  const base64 = text.replace(/\\[nrt]|[^\w+/-]/g, '').replace(/-/g, '+').replace(/_/g, '/')
  const binary = atob(base64.length % 4 === 1 ? base64.slice(0, -1) : base64)
  const bytes = new Uint8Array(binary.length)
  // A loop: Uint8Array.from with a function takes ten times as long in V8.
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

/** Base64 or base64url of UTF-8 as text. */
export const textFromBase64 = (text: string): string => new TextDecoder().decode(fromBase64(text))
