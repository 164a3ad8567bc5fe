/** Entries of memory: their values, their addresses, their order. How they are written is the server's. */
import { payloadBytes } from '../../client/payload.js'
import { at } from '../lib/base.js'

/** @import { Payload } from '../../client/types.js' */

/**
 * @param {Uint8Array} b
 * @returns {string | undefined} undefined: it is no text
 */
export function textOf(b) {
  if (b.includes(0)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(b)
  } catch {
    return undefined
  }
}

/** @param {string} namespace */
export const spaceURL = (namespace) => at(`/memory/${encodeURIComponent(namespace)}`)

/**
 * @param {string} namespace
 * @param {string} key
 */
export function entryURL(namespace, key) {
  if (key === '.' || key === '..') return `${spaceURL(namespace)}/entry?key=${key}` // browsers take them for folders
  return `${spaceURL(namespace)}/${encodeURIComponent(key)}`
}

/**
 * Orders keys as the server does: by their bytes in UTF-8, which is by code points.
 * @param {string} a
 * @param {string} b
 */
export function compareKeys(a, b) {
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    const high = (/** @type {number} */ c) => c >= 0xd800 && c <= 0xdfff // of a code point beyond U+FFFF
    if (high(x) !== high(y)) return high(x) ? 1 : -1
    return x - y
  }
  return a.length - b.length
}

/** @param {{value?: Payload}} e */
export const valueBytes = (e) => payloadBytes(e.value)

/** Milliseconds of the units of a time to live. */
export const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
