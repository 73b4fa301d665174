/**
 * All that lib/ takes from its surroundings beyond the language itself (ES2022). A new name is a new demand on
 * every runtime: check each of them before it comes in here.
 */
export const ambientNames = [
  'AbortController',
  'AbortSignal',
  'BufferSource',
  'CryptoKey',
  'Headers',
  'ReadableStream',
  'RequestInit',
  'Response',
  'TextDecoder',
  'TextEncoder',
  'URL',
  'URLSearchParams',
  'atob',
  'btoa',
  'clearTimeout',
  'crypto.subtle.digest',
  'crypto.subtle.importKey',
  'crypto.subtle.sign',
  'globalThis.fetch',
  'setTimeout'
]
