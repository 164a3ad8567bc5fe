// How many columns characters take, and which code points are one character: as the server has it (server/vt/width.go), so that
// the screen that it keeps is the one that shows. @xterm/addon-unicode-graphemes 0.4.0 would take every code point beyond U+FFFF,
// and so every emoji, for one column, and join none of them.

import { WIDE } from './wide.js'

/** Code points where the width changes: even places begin a wide range, odd ones end it. */
const bounds = Uint32Array.from(WIDE.split(' ').flatMap((range) => range.split('-').map((n, i) => parseInt(n, 16) + i)))

/** @param {number} code a code point */
function width(code) {
  if (code < bounds[0]) return 1
  let low = 0
  let high = bounds.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (bounds[middle] <= code) low = middle + 1
    else high = middle
  }
  return low % 2 ? 2 : 1
}

const JOINER = 0x200d
const EMOJI_STYLE = 0xfe0f // makes the character before it an emoji, of two columns
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
const pictographic = /\p{Extended_Pictographic}/u
const regional = (/** @type {number} */ code) => code >= 0x1f1e6 && code <= 0x1f1ff

// What xterm keeps of the character before, 24 bits: the last code point and two flags.
const CODE = 0x1fffff
const PAIR = 1 << 21 // it has two regional indicators
const PICTURE = 1 << 22 // it is a picture, to which another can be joined

/** @type {Map<number, boolean>} */
const known = new Map()

/**
 * Whether a code point belongs to the character before it (UAX 29, extended grapheme clusters).
 * @param {number} before what was kept
 * @param {number} code
 */
function belongs(before, code) {
  const last = before & CODE
  if (last === 0 || code < 0x300) return false
  if (last === JOINER && before & PICTURE) return pictographic.test(String.fromCodePoint(code))
  if (regional(code) && before & PAIR) return false
  const key = last * 0x200000 + code
  let is = known.get(key)
  if (is === undefined) {
    if (known.size > 5000) known.clear()
    is = [...segmenter.segment(String.fromCodePoint(last, code))].length === 1
    known.set(key, is)
  }
  return is
}

/** Columns of characters, in xterm's way: bits for what is kept of a character, for its width, and for whether it was joined to the one before. */
const provider = {
  version: 'skein',
  wcwidth: width,
  charProperties(/** @type {number} */ code, /** @type {number} */ preceding) {
    const before = preceding >> 3
    let columns = width(code)
    let keep = code
    const joined = belongs(before, code)
    if (joined) {
      const region = regional(code)
      columns = region || code === EMOJI_STYLE ? 2 : Math.max((preceding >> 1) & 3, columns)
      keep |= (before & PICTURE) | (region ? PAIR : 0)
    }
    if (columns === 2 && pictographic.test(String.fromCodePoint(code))) keep |= PICTURE
    return (keep << 3) | (columns << 1) | (joined ? 1 : 0)
  },
}

/**
 * Makes a terminal count columns as the server does.
 * @param {import('@xterm/xterm').Terminal} terminal
 */
export function countAsTheServer(terminal) {
  terminal.unicode.register(/** @type {any} */ (provider))
  terminal.unicode.activeVersion = provider.version
}
