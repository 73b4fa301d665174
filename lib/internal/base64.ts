/** Bytes, or text as UTF-8, as base64url without padding (RFC 4648 section 5, RFC 7515 section 2). */
export function toBase64url(data: Uint8Array | string): string {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  let binary = ''
  // In pieces, because every runtime has a limit to the arguments of a call.
  for (let i = 0; i < bytes.length; i += 4096) {
    binary += String.fromCharCode.apply(null, bytes.subarray(i, i + 4096) as unknown as number[])
  }
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')
}

/** The bytes of base64 or base64url, padded or not, in lines or not; `undefined` when it is neither. */
export function fromBase64(text: string): Uint8Array | undefined {
  try {
    const binary = atob(text.replace(/[\s=]/g, '').replace(/-/g, '+').replace(/_/g, '/'))
    const bytes = new Uint8Array(binary.length)
    // A loop: Uint8Array.from with a function takes ten times as long in V8.
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
    return bytes
  } catch {
    return undefined
  }
}

/** Base64 or base64url of UTF-8 as text; `undefined` when it is neither. */
export function textFromBase64(text: string): string | undefined {
  const bytes = fromBase64(text)
  return bytes && new TextDecoder().decode(bytes)
}
