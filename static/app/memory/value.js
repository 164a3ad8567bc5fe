/**
 * How values of memory are written. The same rules stand in ui/words/value.go, for the first render; ui/testdata/value.json
 * holds both.
 */
import { payloadBytes } from '../../client/payload.js'
import { at } from '../lib/base.js'
import { NONE, clean, shortId, when } from '../lib/format.js'
import { plain, pretty } from '../lib/text.js'

/** @import { MemoryEntry, Payload } from '../../client/types.js' */

/** Bytes shown of a value that is no text. */
export const MAX_HEX = 1024

/** @typedef {'empty' | 'binary' | 'json' | 'text'} Kind */

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

/**
 * @param {Uint8Array} b
 * @returns {Kind}
 */
export function valueKind(b) {
  if (b.length === 0) return 'empty'
  const text = textOf(b)
  if (text === undefined) return 'binary'
  return pretty(text).json ? 'json' : 'text'
}

/** @param {number} n */
const hex = (n) => n.toString(16).padStart(2, '0')

/** @param {Uint8Array} b a value as its page shows it */
export function shownValue(b) {
  const text = textOf(b)
  if (text === undefined) return hexDump(b.subarray(0, MAX_HEX))
  return plain(pretty(text).text)
}

/** @param {Uint8Array} b */
function hexDump(b) {
  const lines = []
  for (let at = 0; at < b.length; at += 16) {
    const row = [...b.subarray(at, at + 16)]
    const cells = Array.from({ length: 16 }, (_, i) => (i < row.length ? hex(row[i] ?? 0) : '  '))
    const ascii = row.map((c) => (c >= 0x20 && c < 0x7f ? String.fromCharCode(c) : '.')).join('')
    lines.push(`${at.toString(16).padStart(8, '0')}  ${cells.slice(0, 8).join(' ')}  ${cells.slice(8).join(' ')}  |${ascii}|`)
  }
  return lines.join('\n')
}

/** @param {Kind} kind */
export const kindWord = (kind) => ({ json: 'JSON', binary: 'Bytes', empty: 'Empty', text: 'Text' })[kind]

/**
 * @param {string | undefined} at
 * @param {number} now
 */
export function expiresText(at, now) {
  if (!at) return NONE
  return Date.parse(at) <= now ? 'now' : when(at, now)
}

/** @param {string} [writer] */
export const writerAgent = (writer) => (/^a[a-z2-7]{12}$/.test(writer ?? '') ? /** @type {string} */ (writer) : '')

/**
 * @param {string | undefined} writer
 * @param {string} [name] of the agent, if it is known
 */
export function writerWord(writer, name) {
  return clean(name ?? '') || (writerAgent(writer) ? shortId(writer ?? '') : clean(writer ?? '') || NONE)
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

/** @param {MemoryEntry} e what a change was */
export function versionWord(e) {
  if (e.deleted) return e.expires_at && e.writer === 'server' ? 'Expired' : 'Deleted'
  return e.previous === 0 ? 'Created' : 'Changed'
}

/**
 * What became of an entry.
 * @param {MemoryEntry | undefined} e its deletion
 * @param {string} [name]
 */
export function goneText(e, name) {
  if (!e) return 'There is no such entry.'
  if (versionWord(e) === 'Expired') return 'It expired. What it held is kept for a while, and can be restored.'
  return `It was deleted by ${writerWord(e.writer, name)}. What it held is kept for a while, and can be restored.`
}

/** @param {{value?: Payload}} e */
export const valueBytes = (e) => payloadBytes(e.value)

/** Milliseconds of the units of a time to live. */
export const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
