import { arrange } from './arrange.js'

/** @import { Row } from './list.js' */

/** How far beyond the window's edges rows are in the page, in pixels. */
const MARGIN = 400

/** The edges move in steps of this many pixels, so that a little scrolling changes nothing. */
const STEP = 200

/** A row's height until one was measured. */
const GUESS = 41

/**
 * The part of the page that has rows.
 * @returns {{top: number, bottom: number}} in pixels from the window's upper edge
 */
export const sight = () => ({ top: -MARGIN, bottom: innerHeight + MARGIN })

/** The whole page. */
export const everything = { top: -Infinity, bottom: Infinity }

/**
 * Which rows are in the page: those between two heights, and those that are kept wherever they are. A number stands for
 * the height of those left out at its place.
 * @template T
 * @param {T[]} all from top to bottom
 * @param {(one: T) => number} height
 * @param {{top: number, bottom: number}} between in pixels from the first one's upper edge
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
 * A group of a list. All its entries have a place in it; only those near the window have a row, and spaces stand for the
 * others: a browser that holds and watches two thousand rows is busy with them even when none of them changes.
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
  #spaced = false // a space got another height
  #top = 0 // where the first row begins, in pixels from the window's upper edge
  #usual = GUESS // the mean of the most rows that were measured at once; were it always the last mean, places would drift
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
   * Takes the rows that the server rendered, and leaves room for those that it did not.
   * @param {R[]} rows
   * @param {number} total
   */
  adopt(rows, total) {
    this.#rows = rows
    this.measure(true)
    if (total > rows.length) this.#el.append(this.#space(0, (total - rows.length) * this.#usual))
  }

  /**
   * Reads the page; nothing must have been written to it in this frame.
   * @param {boolean} heights also those of the rows
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

  /** The window has another width: heights are others. */
  resized() {
    this.#heights = new WeakMap()
    this.#measured = 0
  }

  /** @param {E[]} entries from top to bottom */
  set entries(entries) {
    this.#entries = entries
  }

  /**
   * Writes the rows that belong into a part of the page, and no others.
   * @param {{top: number, bottom: number}} part in pixels from the window's upper edge
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
