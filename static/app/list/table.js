import { flash } from './arrange.js'

/** @import { Action } from '../lib/keys.js' */

/**
 * @typedef {object} Item what a row shows
 * @property {string} key
 * @property {(el: HTMLElement) => void} fill fills the row
 * @property {() => HTMLElement} make makes a blank row
 * @property {boolean} fresh whether it is new or differs from what the row shows
 */

/** Table is a short table with one row for each item, by key. It starts with the rows that the server rendered. */
export class Table {
  #list
  #home
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map()

  /**
   * @param {HTMLElement} list the table
   * @param {HTMLElement} home the parent of its rows
   * @param {string} key the name of the data attribute that has the key
   */
  constructor(list, home, key) {
    this.#list = list
    this.#home = home
    for (const el of /** @type {Iterable<HTMLElement>} */ (home.children)) this.#rows.set(el.dataset[key] ?? '', el)
  }

  get size() {
    return this.#rows.size
  }

  /** The keys of its rows, from top to bottom until {@link Table.put} is called, then in no order. */
  get keys() {
    return this.#rows.keys()
  }

  /** @param {string} key */
  get(key) {
    return this.#rows.get(key)
  }

  /**
   * Shows exactly these items, in their order.
   * @param {Item[]} items
   */
  show(items) {
    const keys = new Set(items.map((i) => i.key))
    for (const key of [...this.#rows.keys()]) if (!keys.has(key)) this.drop(key)
    items.forEach((item, i) => this.put(item, i))
  }

  /**
   * @param {Item} item
   * @param {number} at the index of its row, from 0
   */
  put({ key, make, fill, fresh }, at) {
    let el = this.#rows.get(key)
    if (!el) this.#rows.set(key, (el = make()))
    if (this.#home.children[at] !== el) this.#home.insertBefore(el, this.#home.children[at] ?? null)
    fill(el)
    if (fresh) flash(el)
  }

  /**
   * Removes a row. If it had the focus, a neighbour gets the focus.
   * @param {string} key
   */
  drop(key) {
    const el = this.#rows.get(key)
    if (!el) return
    const neighbour = el.contains(document.activeElement) && (el.nextElementSibling ?? el.previousElementSibling)
    el.remove()
    this.#rows.delete(key)
    if (neighbour) focus(neighbour)
  }

  clear() {
    this.#home.replaceChildren()
    this.#rows.clear()
  }

  /** Moves the focus to the first row. */
  first() {
    if (this.#home.firstElementChild) focus(this.#home.firstElementChild)
  }

  /** The key of the row that an element is in; undefined if it is in none. @param {Element | null} el */
  keyAt(el) {
    for (const [key, row] of this.#rows) if (row.contains(el)) return key
    return undefined
  }

  /**
   * The keys that move the focus between the rows.
   * @returns {Record<string, Action>}
   */
  get steps() {
    const step = (/** @type {1 | -1} */ by) => () => {
      const links = /** @type {HTMLElement[]} */ ([...this.#list.querySelectorAll('.row .name')])
      const here = links.findIndex((l) => l.closest('.row')?.contains(document.activeElement))
      const next = links[here < 0 ? (by > 0 ? 0 : links.length - 1) : here + by]
      if (!next) return false
      next.focus()
      next.scrollIntoView({ block: 'nearest' })
      return true
    }
    return { j: step(1), k: step(-1), ArrowDown: step(1), ArrowUp: step(-1) }
  }

  /**
   * Runs the table's filter box: Escape empties it, and the down arrow moves to the first row.
   * @param {HTMLInputElement} box
   * @param {() => void} filter
   */
  filteredBy(box, filter) {
    box.addEventListener('input', filter)
    box.addEventListener('keydown', (e) => {
      if (e.key === 'Escape' && box.value) {
        box.value = ''
        filter()
      } else if (e.key === 'ArrowDown' || (e.key === 'Enter' && !e.isComposing)) this.first()
      else return
      e.preventDefault()
    })
  }
}

/** @param {Element} row */
const focus = (row) => /** @type {HTMLElement | null} */ (row.querySelector('.name'))?.focus()
