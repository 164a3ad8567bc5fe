import { linePieces } from './lines.js'

/** @import { Hit } from './hits.js' */
/** @import { Line } from './lines.js' */

/**
 * Finds the line of a hit among lines. One event may have brought many lines with the text, the first of which may be
 * missing here. So hits are counted from the last.
 * @param {{seq: number, text: string}[]} lines in order
 * @param {Hit} hit
 * @param {string} text in lower case
 * @returns {number} -1 if it is not among them
 */
export function lineOf(lines, { seq, back }, text) {
  let left = back
  for (let i = lines.length - 1; i >= 0; i--) {
    const line = /** @type {{seq: number, text: string}} */ (lines[i])
    if (line.seq === seq && line.text.toLowerCase().includes(text) && left-- === 0) return i
  }
  return -1
}

/**
 * Returns a hit's line with the lines around it.
 * @param {Line[]} lines
 * @param {Hit} hit
 * @param {string} text in lower case
 * @param {number} n how many on each side
 */
export function around(lines, hit, text, n) {
  const texts = lines.map((l) => ({ seq: l.seq, text: l.kind === 'out' || l.kind === 'err' ? linePieces(l).map((p) => p.text).join('') : '' }))
  let at = lineOf(texts, hit, text)
  // A long line is broken here, and its next part may begin in a later event.
  if (at < 0) at = texts.findIndex((l) => l.seq >= hit.seq && l.text.toLowerCase().includes(text))
  if (at < 0) at = lines.findLastIndex((l) => l.seq <= hit.seq)
  const from = Math.max(0, at - n)
  const shown = lines.slice(from, Math.max(at, 0) + n + 1)
  return { shown, at: at < 0 ? -1 : at - from, earlier: from > 0, later: from + shown.length < lines.length }
}
