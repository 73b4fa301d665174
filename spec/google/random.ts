export function hex(bytes: number): string {
  return Array.from(random(bytes), byte => byte.toString(16).padStart(2, '0')).join('')
}

export function digits(length: number): string {
  return '1' + Array.from(random(length - 1), byte => byte % 10).join('')
}

export function letters(length: number): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'
  return Array.from(random(length), byte => alphabet[byte % alphabet.length]).join('')
}

function random(bytes: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(bytes))
}
