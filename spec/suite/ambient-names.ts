/**
 * All that lib/ takes from its surroundings beyond the language itself (ES2022).
 * A new name is a new demand on every runtime: look at each of them before it comes in here.
 */
export const ambientNames = [
  'AbortController',
  'AbortSignal',
  'CryptoKey',
  'Headers',
  'Request',
  'RequestInit',
  'Response',
  'TextDecoder',
  'TextEncoder',
  'URL',
  'URLSearchParams',
  'atob',
  'btoa',
  'clearTimeout',
  'crypto',
  'crypto.getRandomValues',
  'crypto.subtle',
  'globalThis.fetch',
  'setTimeout',
  'subtle.decrypt',
  'subtle.deriveBits',
  'subtle.deriveKey',
  'subtle.digest',
  'subtle.encrypt',
  'subtle.importKey',
  'subtle.sign'
]
