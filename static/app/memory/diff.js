/** Comparisons of texts, line by line. The same rules stand in ui/words/diff.go; ui/testdata/diff.json holds both. */
import { count } from '../lib/format.js'
import { shownValue, textOf } from './value.js'

/** @typedef {{op: ' ' | '-' | '+' | '…', text: string}} DiffLine */

/** Of the table of a comparison; beyond, everything between the ends counts as changed. */
const MAX_CELLS = 1_000_000
/** Lines that both have, around what changed. */
const CONTEXT = 3
const MAX_LINES = 200

/**
 * @param {string} before
 * @param {string} after
 * @returns {DiffLine[]}
 */
export function diff(before, after) {
  const a = linesOf(before)
  const b = linesOf(after)
  /** @type {DiffLine[]} */
  const out = []
  const put = (/** @type {DiffLine['op']} */ op, /** @type {string[]} */ lines) => {
    for (const text of lines) out.push({ op, text })
  }
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  put(' ', a.slice(0, head))
  const midA = a.slice(head, a.length - tail)
  const midB = b.slice(head, b.length - tail)
  if (midA.length * midB.length > MAX_CELLS) {
    put('-', midA)
    put('+', midB)
  } else out.push(...between(midA, midB))
  put(' ', a.slice(a.length - tail))
  return out
}

/** @param {string} s nothing has no line */
const linesOf = (s) => (s === '' ? [] : s.split('\n'))

/**
 * Compares by the longest common subsequence.
 * @param {string[]} a
 * @param {string[]} b
 * @returns {DiffLine[]}
 */
function between(a, b) {
  const width = b.length + 1
  const common = new Int32Array((a.length + 1) * width) // of a from i on and b from j on
  const at = (/** @type {number} */ i, /** @type {number} */ j) => common[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  /** @type {DiffLine[]} */
  const out = []
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ op: ' ', text: a[i++] ?? '' })
      j++
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) out.push({ op: '-', text: a[i++] ?? '' })
    else out.push({ op: '+', text: b[j++] ?? '' })
  }
  return out
}

/**
 * Leaves out what both have, but for some lines around what changed, and what is too much.
 * @param {DiffLine[]} all
 * @returns {DiffLine[]}
 */
export function shorten(all) {
  const near = new Set()
  for (const [i, l] of all.entries()) {
    if (l.op === ' ') continue
    for (let k = i - CONTEXT; k <= i + CONTEXT; k++) near.add(k)
  }
  /** @type {DiffLine[]} */
  const out = []
  for (let i = 0; i < all.length; ) {
    if (out.length === MAX_LINES) return [...out, { op: '…', text: count(all.length - i, 'more line', 'more lines') }]
    const line = all[i]
    if (near.has(i) && line) {
      out.push(line)
      i++
      continue
    }
    const from = i
    while (i < all.length && !near.has(i)) i++
    out.push({ op: '…', text: count(i - from, 'line', 'lines') })
  }
  return out
}

const THEIRS = '<<<<<<< theirs'
const BETWEEN = '======='
const YOURS = '>>>>>>> yours'

/**
 * Two versions as one text: what both have once, and what differs between markers.
 * @param {string} theirs
 * @param {string} yours
 */
export function merge(theirs, yours) {
  /** @type {string[]} */
  const out = []
  /** @type {string[]} */
  let mine = []
  /** @type {string[]} */
  let other = []
  const flush = () => {
    if (other.length + mine.length > 0) out.push(THEIRS, ...other, BETWEEN, ...mine, YOURS)
    other = []
    mine = []
  }
  for (const { op, text } of diff(theirs, yours)) {
    if (op === '-') other.push(text)
    else if (op === '+') mine.push(text)
    else {
      flush()
      out.push(text)
    }
  }
  flush()
  return out.join('\n')
}

/** @param {string} text whether it still has a marker */
export const unmerged = (text) => text.split('\n').some((l) => l === THEIRS || l === YOURS)

/**
 * Compares two values as they are shown.
 * @param {Uint8Array} before
 * @param {Uint8Array} after
 * @returns {DiffLine[]}
 */
export function changes(before, after) {
  if (textOf(before) === undefined || textOf(after) === undefined) return [{ op: '…', text: 'the bytes differ' }]
  return shorten(diff(shownValue(before), shownValue(after)))
}

/**
 * @param {HTMLElement} box
 * @param {DiffLine[]} lines
 */
export function showDiff(box, lines) {
  box.replaceChildren(
    ...lines.map(({ op, text }) => {
      const line = document.createElement('div')
      line.className = 'dl'
      line.dataset.op = op
      const word = op === '-' ? 'Removed: ' : op === '+' ? 'Added: ' : ''
      if (word) {
        const sr = document.createElement('span')
        sr.className = 'sr'
        sr.textContent = word
        line.append(sr)
      }
      const span = document.createElement('span')
      span.className = 'dl-text'
      span.textContent = text
      line.append(span)
      return line
    }),
  )
}
