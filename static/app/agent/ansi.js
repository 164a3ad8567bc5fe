/**
 * Turns the colours of output into classes, because the content security policy forbids inline styles and an arbitrary
 * colour is not readable on both a light and a dark page. server/screen has the same rules; a test checks both against
 * ui/testdata/ansi.json.
 */

import { ESCAPES, printable } from '../lib/format.js'
import { ScreenLine, moves } from './screen.js'

/** @typedef {{class: string, text: string}} Piece text with one style */

/** The order of the classes. */
const FLAGS = /** @type {const} */ (['a-b', 'a-d', 'a-i', 'a-u', 'a-s', 'a-v'])

/** Style is the state of Select Graphic Rendition between two pieces of text. */
export class Style {
  /** @type {Set<string>} */
  #flags = new Set()
  /** @type {number | undefined} */
  #fg
  /** @type {number | undefined} */
  #bg

  /** @param {string} [classes] */
  constructor(classes = '') {
    for (const c of classes.split(' ')) {
      if (c.startsWith('a-')) this.#flags.add(c)
      else if (c[0] === 'f') this.#fg = Number(c.slice(1))
      else if (c[0] === 'g') this.#bg = Number(c.slice(1))
    }
  }

  get class() {
    /** @type {string[]} */
    const out = FLAGS.filter((f) => this.#flags.has(f))
    if (this.#fg !== undefined) out.push(`f${this.#fg}`)
    if (this.#bg !== undefined) out.push(`g${this.#bg}`)
    return out.join(' ')
  }

  /** The sequence that sets this style, whatever the style before. */
  get sgr() {
    const on = { 'a-b': 1, 'a-d': 2, 'a-i': 3, 'a-u': 4, 'a-s': 9, 'a-v': 7 }
    const out = ['0', ...FLAGS.filter((f) => this.#flags.has(f)).map((f) => String(on[f]))]
    if (this.#fg !== undefined) out.push(String(this.#fg < 8 ? 30 + this.#fg : 82 + this.#fg))
    if (this.#bg !== undefined) out.push(String(this.#bg < 8 ? 40 + this.#bg : 92 + this.#bg))
    return `\x1b[${out.join(';')}m`
  }

  /** @param {string} params what stands between "ESC [" and "m" */
  apply(params) {
    if (/^[<-?]/.test(params)) return // private: not Select Graphic Rendition
    const nums = params.split(';').map((f) => Number(/^\d+/.exec(f)?.[0] ?? 0))
    for (let i = 0; i < nums.length; i++) {
      const n = nums[i] ?? 0
      if (n === 38 || n === 48) {
        const [colour, used] = extended(nums.slice(i + 1))
        i += used
        if (colour !== undefined && n === 38) this.#fg = colour
        else if (colour !== undefined) this.#bg = colour
      } else this.#set(n)
    }
  }

  /** @param {number} n */
  #set(n) {
    const on = { 1: 'a-b', 2: 'a-d', 3: 'a-i', 4: 'a-u', 7: 'a-v', 9: 'a-s' }[n]
    const off = { 22: ['a-b', 'a-d'], 23: ['a-i'], 24: ['a-u'], 27: ['a-v'], 29: ['a-s'] }[n]
    if (on) this.#flags.add(on)
    else if (off) for (const f of off) this.#flags.delete(f)
    else if (n === 0) {
      this.#flags.clear()
      this.#fg = this.#bg = undefined
    } else if (n >= 30 && n <= 37) this.#fg = n - 30
    else if (n >= 90 && n <= 97) this.#fg = n - 90 + 8
    else if (n === 39) this.#fg = undefined
    else if (n >= 40 && n <= 47) this.#bg = n - 40
    else if (n >= 100 && n <= 107) this.#bg = n - 100 + 8
    else if (n === 49) this.#bg = undefined
  }
}

/**
 * Splits a line by style. `style` is the style at its beginning, and is changed to that at its end.
 * @param {string} line
 * @param {Style} style
 * @returns {Piece[]}
 */
export function pieces(line, style) {
  if (moves(line.replace(/\r+$/, ''))) {
    const l = new ScreenLine(style)
    l.write(line)
    return l.pieces()
  }
  /** @type {Piece[]} */
  const out = []
  const add = (/** @type {string} */ raw) => {
    const text = printable(raw)
    if (!text) return
    const last = out.at(-1)
    if (last && last.class === style.class) last.text += text
    else out.push({ class: style.class, text })
  }
  let from = 0
  for (const m of line.matchAll(ESCAPES)) {
    add(line.slice(from, m.index))
    from = m.index + m[0].length
    if (m[0].startsWith('\x1b[') && m[0].endsWith('m')) style.apply(m[0].slice(2, -1))
  }
  add(line.slice(from))
  return out
}

/**
 * Parses what follows 38 or 48: "5;n" or "2;r;g;b".
 * @param {number[]} nums
 * @returns {[colour: number | undefined, used: number]}
 */
function extended(nums) {
  const [kind, a = 0, b = 0, c = 0] = nums
  if (nums.length >= 2 && kind === 5) return [indexed(a), 2]
  if (nums.length >= 4 && kind === 2) return [nearest(a, b, c), 4]
  return [undefined, nums.length]
}

/** @param {number} n */
function indexed(n) {
  if (n > 255) return undefined
  if (n < 16) return n
  if (n < 232) {
    const level = [0, 95, 135, 175, 215, 255]
    const at = (/** @type {number} */ i) => level[Math.floor(i) % 6] ?? 0
    return nearest(at((n - 16) / 36), at((n - 16) / 6), at(n - 16))
  }
  const grey = 8 + (n - 232) * 10
  return nearest(grey, grey, grey)
}

/** xterm's default values of the sixteen colours. */
const SIXTEEN = [
  [0, 0, 0], [205, 0, 0], [0, 205, 0], [205, 205, 0], [0, 0, 238], [205, 0, 205], [0, 205, 205], [229, 229, 229],
  [127, 127, 127], [255, 0, 0], [0, 255, 0], [255, 255, 0], [92, 92, 255], [255, 0, 255], [0, 255, 255], [255, 255, 255],
]

/**
 * @param {number} r
 * @param {number} g
 * @param {number} b
 */
function nearest(r, g, b) {
  let best = Infinity
  let at = 0
  SIXTEEN.forEach(([cr = 0, cg = 0, cb = 0], i) => {
    const d = 2 * (cr - Math.min(r, 255)) ** 2 + 4 * (cg - Math.min(g, 255)) ** 2 + 3 * (cb - Math.min(b, 255)) ** 2
    if (d < best) [best, at] = [d, i]
  })
  return at
}
