import { arrange } from './arrange.js'

/** @import { Row } from './list.js' */

/** How far beyond the edges of the window rows are rendered, in pixels. */
const MARGIN = 400

/** The rendered part moves in steps of this many pixels, so that a little scrolling changes nothing. */
const STEP = 200

/** The assumed height of a row until one was measured, in pixels. */
const GUESS = 41

/**
 * The part of the page that has rows.
 * @returns {{top: number, bottom: number}} in pixels from the upper edge of the window
 */
export const sight = () => ({ top: -MARGIN, bottom: innerHeight + MARGIN })

/** The whole page. */
export const everything = { top: -Infinity, bottom: Infinity }

/**
 * Chooses the entries that get a row: those between two heights, and those that are always kept. A number in the result is
 * the height of the entries that are left out at that place.
 * @template T
 * @param {T[]} all from top to bottom
 * @param {(one: T) => number} height
 * @param {{top: number, bottom: number}} between in pixels from the upper edge of the first entry
 * @param {(one: T) => boolean} kept
 * @returns {({one: T, index: number} | number)[]}
 */
export function choose(all, height, { top, bottom }, kept) {
  /** @type {({one: T, index: number} | number)[]} */
  const chosen = []
  let y = 0
  let gap = 0
  for (const [index, one] of all.entries()) {
    const h = height(one)
    if ((y + h > top && y < bottom) || kept(one)) {
      if (gap > 0) chosen.push(gap)
      gap = 0
      chosen.push({ one, index })
    } else gap += h
    y += h
  }
  if (gap > 0) chosen.push(gap)
  return chosen
}

/**
 * Windowed is a group of a list. All its entries have a place in it, but only those near the window have a row; spacers
 * take the place of the others, since two thousand rows keep a browser busy even when none of them changes.
 * @template {object} E
 * @template {Row<E>} R
 */
export class Windowed {
  #el
  #head
  /** @type {E[]} */
  #entries = []
  /** @type {R[]} those in the page, from top to bottom */
  #rows = []
  /** @type {HTMLElement[]} */
  #spaces = []
  #spaced = false // whether a spacer changed its height
  #top = 0 // where the first row begins, in pixels from the upper edge of the window
  #usual = GUESS // the mean height of the largest set of rows measured at once; with the latest mean, positions would drift
  #measured = 0
  /** @type {WeakMap<E, number>} */
  #heights = new WeakMap()

  /** Whether the last {@link Windowed.place} moved anything. */
  changed = false

  /** @param {HTMLElement} el its first child is the group's head */
  constructor(el) {
    this.#el = el
    this.#head = /** @type {HTMLElement} */ (el.firstElementChild)
  }

  /**
   * Takes over the rows that the server rendered and leaves space for those that it did not.
   * @param {R[]} rows
   * @param {number} total
   */
  adopt(rows, total) {
    this.#rows = rows
    this.measure(true)
    if (total > rows.length) this.#el.append(this.#space(0, (total - rows.length) * this.#usual))
  }

  /**
   * Measures the page. It must be called before anything is written in the frame.
   * @param {boolean} heights whether to measure the rows, too
   */
  measure(heights) {
    this.#top = this.#el.getBoundingClientRect().top + this.#head.offsetHeight
    const first = this.#rows[0]
    if (!first || !(heights || this.changed)) return
    const margin = parseFloat(getComputedStyle(first.element).marginBottom) || 0
    let sum = 0
    for (const row of this.#rows) {
      const height = row.element.getBoundingClientRect().height + margin
      if (row.entry) this.#heights.set(row.entry, height)
      sum += height
    }
    if (sum === 0 || this.#rows.length <= this.#measured) return
    this.#measured = this.#rows.length
    this.#usual = sum / this.#measured
  }

  /** Forgets the heights, since the width of the window changed. */
  resized() {
    this.#heights = new WeakMap()
    this.#measured = 0
  }

  /** The entries, from top to bottom. */
  get entries() {
    return this.#entries
  }

  set entries(entries) {
    this.#entries = entries
  }

  /**
   * Renders exactly the rows that belong into a part of the page.
   * @param {{top: number, bottom: number}} part in pixels from the upper edge of the window
   * @param {(entry: E) => boolean} kept
   * @param {(entry: E, index: number) => R} rowOf
   * @returns {R[]}
   */
  place(part, kept, rowOf) {
    const between = { top: Math.floor((part.top - this.#top) / STEP) * STEP, bottom: Math.ceil((part.bottom - this.#top) / STEP) * STEP }
    const height = (/** @type {E} */ e) => this.#heights.get(e) ?? this.#usual
    this.#rows = []
    let spaces = 0
    const elements = choose(this.#entries, height, between, kept).map((c) => {
      if (typeof c === 'number') return this.#space(spaces++, c)
      const row = rowOf(c.one, c.index)
      this.#rows.push(row)
      return row.element
    })
    this.changed = arrange(this.#el, elements, this.#head) || this.#spaced
    this.#spaced = false
    return this.#rows
  }

  /**
   * @param {number} index
   * @param {number} height
   */
  #space(index, height) {
    let el = this.#spaces[index]
    if (!el) {
      el = document.createElement('div')
      el.className = 'space'
      el.ariaHidden = 'true'
      this.#spaces[index] = el
    }
    const text = `${height}px`
    if (el.style.height !== text) {
      el.style.height = text
      this.#spaced = true
    }
    return el
  }
}
