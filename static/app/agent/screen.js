/**
 * Computes what a terminal shows of one line of output that is overwritten and erased by carriage returns, backspaces and
 * the control sequences that move the cursor within its line, as progress bars do. server/screen does the same for the
 * first render; a test checks both against ui/testdata/ansi.json.
 */

import { ESCAPES, printable } from '../lib/format.js'

/** @import { Piece, Style } from './ansi.js' */

const TAB = 8

/** How many columns the cursor can be moved to. Text may continue beyond them. */
const MAX_MOVE = 512

/** How many characters of an unfinished control sequence are kept. */
const MAX_PENDING = 256

/** The limit on the combining characters of one cell, in UTF-8 bytes. */
const MAX_MARKS = 32

/** The characters and sequences that move the cursor, so that a line shows something other than its text. */
const MOVES = /[\r\b]|\x1b\[[0-9;]*[CDGK`]/

/** @param {string} s output; the result says whether it moves the cursor */
export const moves = (s) => MOVES.test(s)

/**
 * @typedef {{text: string, style: string, sgr: string}} Cell one column; the second column of a wide character has no text
 */

const PLAIN = { style: '', sgr: '\x1b[0m' }

const bytes = new TextEncoder()

/** ScreenLine is one line of a terminal of unlimited width. */
export class ScreenLine {
  /** @type {Cell[]} */
  #cells = []
  #col = 0
  #style
  #start
  #pending = ''

  /** @param {Style} style the style at its beginning; it is changed to the style at its end */
  constructor(style) {
    this.#style = style
    this.#start = style.class
  }

  get columns() {
    return this.#cells.length
  }

  /** @param {string} s more output of the line, without a newline; it may begin and end anywhere */
  write(s) {
    s = this.#pending + s
    this.#pending = ''
    let from = 0
    for (const m of s.matchAll(ESCAPES)) {
      this.#print(s.slice(from, m.index))
      from = m.index + m[0].length
      if (from === s.length && !finished(m[0])) this.#pending = bounded(m[0])
      else this.#sequence(m[0])
    }
    this.#print(s.slice(from))
  }

  /** @param {string} seq */
  #sequence(seq) {
    const m = /^\x1b\[([0-?]*)([ -/]*)([@-~])$/.exec(seq)
    if (!m) return
    const [, params = '', between = '', final = ''] = m
    if (final === 'm') return void (between === '' && this.#style.apply(params))
    if (between !== '' || !/^[0-9;]*$/.test(params)) return // a private sequence, or one with intermediate bytes
    const first = params.split(';')[0] ?? ''
    const n = first.length > 6 ? 1 << 20 : Number(first)
    if (final === 'G' || final === '`') this.#move(Math.max(n, 1) - 1)
    else if (final === 'C') this.#move(this.#col + Math.max(n, 1))
    else if (final === 'D') this.#move(this.#col - Math.max(n, 1))
    else if (final === 'K') this.#erase(n)
  }

  /** @param {number} col the column, which is limited to MAX_MOVE or the length of the text */
  #move(col) {
    this.#col = Math.max(0, Math.min(col, Math.max(MAX_MOVE, this.#cells.length)))
  }

  /** @param {number} what 0: to the end of the line; 1: from its beginning; 2: all of it */
  #erase(what) {
    if (what === 0) {
      this.#split(this.#col)
      this.#cells.length = Math.min(this.#col, this.#cells.length)
    } else if (what === 1) {
      const to = Math.min(this.#col + 1, this.#cells.length)
      this.#split(to)
      for (let i = 0; i < to; i++) this.#cells[i] = { text: ' ', ...PLAIN }
    } else if (what === 2) this.#cells = []
  }

  /** @param {number} col the column at which a wide character or a tab that spans it is split into spaces */
  #split(col) {
    const blank = (/** @type {number} */ i) => this.#cells[i]?.text === ''
    if (col <= 0 || !blank(col)) return
    let from = col
    let to = col
    while (from > 0 && blank(from)) from--
    while (blank(to)) to++
    for (let i = from; i < to; i++) this.#cells[i] = { ...PLAIN, ...this.#cells[i], text: ' ' }
  }

  /** @param {string} s writes text at the cursor */
  #print(s) {
    for (const c of s) {
      if (c === '\r') this.#col = 0
      else if (c === '\b') this.#move(this.#col - 1)
      else if (c === '\t') this.#tab()
      else if (printable(c) !== '') this.#put(c)
    }
  }

  /** Moves to the next tab stop. After the end of the text the tab itself is kept, so that a copy has what was printed. */
  #tab() {
    const next = (Math.floor(this.#col / TAB) + 1) * TAB
    if (this.#col < this.#cells.length) this.#move(next)
    else this.#set('\t', next - this.#col)
  }

  /** @param {string} c */
  #put(c) {
    const w = width(c)
    if (w > 0) return this.#set(c, w)
    if (this.#col === 0 || this.#col > this.#cells.length) return
    let at = this.#col - 1
    while (at > 0 && this.#cells[at]?.text === '') at--
    const cell = this.#cells[at]
    if (cell && bytes.encode(cell.text).length < MAX_MARKS) cell.text += c
  }

  /**
   * Writes one character at the cursor.
   * @param {string} text
   * @param {number} w
   */
  #set(text, w) {
    while (this.#cells.length < this.#col) this.#cells.push({ text: ' ', ...PLAIN })
    this.#split(this.#col)
    this.#split(this.#col + w)
    const look = { style: this.#style.class, sgr: this.#style.sgr }
    for (let i = 0; i < w; i++) this.#cells[this.#col++] = { text: i === 0 ? text : '', ...look }
  }

  /** The text of the line, by style. */
  pieces() {
    /** @type {Piece[]} */
    const out = []
    for (const { text, style } of this.#cells) {
      const last = out.at(-1)
      if (last && last.class === style) last.text += text
      else if (text !== '') out.push({ class: style, text })
    }
    return out
  }

  /**
   * Output that turns an empty line with the same start style into this one. It may be kept instead of the original, and
   * more output may follow it.
   */
  get state() {
    let out = ''
    let style = this.#start
    for (const c of this.#cells) {
      if (c.text === '') continue
      if (c.style !== style) out += c.sgr
      style = c.style
      out += c.text
    }
    if (this.#style.class !== style) out += this.#style.sgr
    if (this.#col !== this.#cells.length) out += `\x1b[${this.#col + 1}G`
    return out + this.#pending
  }
}

/** @param {string} seq at the end of what came */
function finished(seq) {
  if (seq.length === 1) return false
  if (seq[1] === '[') return seq.length > 2 && /[@-~]$/.test(seq)
  if (/^[\]PX^_]/.test(seq.slice(1))) return seq.endsWith('\x07') || (seq.length > 3 && seq.endsWith('\x1b\\'))
  return /[0-~]$/.test(seq)
}

/**
 * Shortens an unfinished sequence to the part that is needed to continue it. Of a string, whose content is not shown, that
 * is its beginning and the escape that may end it.
 * @param {string} seq
 */
function bounded(seq) {
  if (seq.length <= MAX_PENDING) return seq
  if (!/^[\]PX^_]/.test(seq.slice(1))) return seq.slice(0, MAX_PENDING)
  return seq.slice(0, 2) + (seq.endsWith('\x1b') ? '\x1b' : '')
}

/** Characters that take two columns: East Asian ones and emoji. server/screen/width.go has the same list. */
const WIDE = [
  [0x1100, 0x115f], [0x231a, 0x231b], [0x23e9, 0x23ec], [0x23f0, 0x23f0], [0x23f3, 0x23f3], [0x25fd, 0x25fe],
  [0x2614, 0x2615], [0x2648, 0x2653], [0x267f, 0x267f], [0x2693, 0x2693], [0x26a1, 0x26a1], [0x26aa, 0x26ab],
  [0x26bd, 0x26be], [0x26c4, 0x26c5], [0x26ce, 0x26ce], [0x26d4, 0x26d4], [0x26ea, 0x26ea], [0x26f2, 0x26f3],
  [0x26f5, 0x26f5], [0x26fa, 0x26fa], [0x26fd, 0x26fd], [0x2705, 0x2705], [0x270a, 0x270b], [0x2728, 0x2728],
  [0x274c, 0x274c], [0x274e, 0x274e], [0x2753, 0x2755], [0x2757, 0x2757], [0x2795, 0x2797], [0x27b0, 0x27b0],
  [0x27bf, 0x27bf], [0x2b1b, 0x2b1c], [0x2b50, 0x2b50], [0x2b55, 0x2b55], [0x2e80, 0x303e], [0x3041, 0x33ff],
  [0x3400, 0x4dbf], [0x4e00, 0x9fff], [0xa000, 0xa4cf], [0xa960, 0xa97f], [0xac00, 0xd7a3], [0xf900, 0xfaff],
  [0xfe30, 0xfe6f], [0xff00, 0xff60], [0xffe0, 0xffe6], [0x1f004, 0x1f004], [0x1f0cf, 0x1f0cf], [0x1f18e, 0x1f18e],
  [0x1f191, 0x1f19a], [0x1f200, 0x1f2ff], [0x1f300, 0x1f64f], [0x1f680, 0x1f6ff], [0x1f7e0, 0x1f7eb],
  [0x1f90c, 0x1f9ff], [0x1fa70, 0x1faff], [0x20000, 0x3fffd],
]

const JOINS = /[\p{Mn}\p{Me}\u200b-\u200f\u2060-\u2064\ufeff\u{1f3fb}-\u{1f3ff}]/u

/** @param {string} c a character; the result is how many columns it takes, 0 if it combines with the one before it */
function width(c) {
  const r = c.codePointAt(0) ?? 0
  if (r < 0x300) return 1
  if (JOINS.test(c)) return 0
  for (const [from = 0, to = 0] of WIDE) {
    if (r < from) return 1
    if (r <= to) return 2
  }
  return 1
}
