import { mark, one } from '../lib/dom.js'
import { flash, keepFocus } from './arrange.js'

/** How long a hidden page may take to show a change, in milliseconds. */
const HIDDEN_MS = 500

/**
 * @template E
 * @typedef {object} Row the row of a record in the page, or of one that will be there
 * @property {string} id
 * @property {HTMLElement} element
 * @property {HTMLElement} name the link that gets the focus when the row does
 * @property {E | undefined} entry undefined while the row shows what the server rendered
 * @property {boolean} picked
 */

/**
 * List is a list of records that change. It knows which are selected, which has the focus, and the rows of those in the
 * page. It collects changes and writes them once per frame. A subclass decides the order of the records and which of them
 * have a row.
 *
 * It dispatches `select` and `arrange` (its detail is the subclass's arrangement).
 * @template {{id: string}} T the records
 * @template E their entries; a record keeps its entry as long as it exists
 * @template {Row<E>} R
 */
export class List extends EventTarget {
  /** @type {Map<string, R>} */
  rows = new Map()
  /** @type {E[]} all entries that match the filter, from top to bottom, with or without a row */
  shown = []
  /** Whether all records are known. Until then the page is as the server rendered it. */
  whole = false
  #due = false
  /** @type {Set<string>} */
  #picked = new Set()
  /** @type {string | undefined} where a range begins */
  #anchor
  /** @type {E[]} to be revealed, once the first has a row */
  #fresh = []
  /** @type {string | undefined} gets the focus when it has a row */
  #wanted
  /** @type {(() => void)[]} moves of the focus that wait for the records */
  #waiting = []
  #placing = false
  #item
  #record
  #pickAll = one(document, '#pick-all')

  /**
   * @param {object} options
   * @param {HTMLElement[]} options.views the elements that contain the rows
   * @param {string} options.item the selector of a row
   * @param {(entry: E) => T} options.record
   */
  constructor({ views, item, record }) {
    super()
    this.#item = item
    this.#record = record
    this.#pickAll.addEventListener('click', () => {
      const on = this.#pickAll.getAttribute('aria-checked') !== 'true'
      for (const e of this.shown) this.#pick(this.#idOf(e), on)
      this.#selected()
    })
    for (const view of views) {
      view.addEventListener('click', (e) => {
        const target = /** @type {HTMLElement} */ (e.target)
        if (target.matches(`${item} .pick`)) this.toggle(this.idAt(target), e.shiftKey)
      })
    }
    document.addEventListener('focusin', () => {
      if (!this.#placing) this.#wanted = undefined // a person moved the focus
    })
    document.addEventListener('visibilitychange', () => {
      if (document.hidden && this.#due) this.#soon() // a hidden page has no animation frames
    })
    setInterval(() => {
      if (!document.hidden) this.tick()
    }, 1000)
  }

  // --- overridden by subclasses ---

  /**
   * @param {string} _id
   * @returns {T | undefined} the newest record of an id
   */
  get(_id) {
    return undefined
  }

  /** Writes the page: called in an animation frame, or when something can't wait for one. */
  frame() {}

  /** Called once a second. */
  tick() {}

  /**
   * Gives an entry a row, if it can have one and has none yet.
   * @param {E} _entry
   */
  giveRow(_entry) {}

  // --- frames ---

  /** Schedules a write of the page in the next frame. */
  schedule() {
    if (this.#due || !this.whole) return
    this.#due = true
    if (document.hidden) this.#soon() // its title is still visible
    else requestAnimationFrame(() => this.now())
  }

  #soon() {
    setTimeout(() => this.now(), HIDDEN_MS)
  }

  /** Writes the page now if a write of it is scheduled. What is called in an animation frame need not wait for the next. */
  now() {
    if (this.#due) this.write()
  }

  /** Writes the page now. */
  write() {
    this.#due = false
    if (this.whole) this.frame()
    this.#reveal()
    if (this.#wanted !== undefined) this.#focusRow(this.#wanted)
    if (this.whole) for (const move of this.#waiting.splice(0)) move()
  }

  /**
   * Sets the entries of the list, in order.
   * @param {E[]} shown
   */
  setShown(shown) {
    this.shown = shown
    if (this.#wanted !== undefined && !this.at) this.#wanted = undefined
    this.#drop()
    this.#selected()
  }

  /** @param {() => void} place moves rows; the focus stays */
  place(place) {
    this.#placing = true
    keepFocus(place)
    this.#placing = false
  }

  // --- selection ---

  /** The selected records, from top to bottom. */
  get picked() {
    return this.#picked.size === 0 ? [] : this.shown.map(this.#record).filter((r) => this.#picked.has(r.id))
  }

  /** @param {string} id */
  isPicked(id) {
    return this.#picked.has(id)
  }

  /**
   * @param {string} id
   * @param {boolean} range toggle all from the last toggled one to this
   */
  toggle(id, range) {
    const on = !this.#picked.has(id)
    const index = (/** @type {string | undefined} */ x) => this.shown.findIndex((e) => this.#idOf(e) === x)
    const from = range ? index(this.#anchor) : -1
    const to = index(id)
    if (from >= 0 && to >= 0) for (const e of this.shown.slice(Math.min(from, to), Math.max(from, to) + 1)) this.#pick(this.#idOf(e), on)
    else this.#pick(id, on)
    this.#anchor = id
    this.#selected()
  }

  clear() {
    for (const id of [...this.#picked]) this.#pick(id, false)
    this.#selected()
  }

  /**
   * @param {string} id
   * @param {boolean} on
   */
  #pick(id, on) {
    if (on && !this.get(id)) return
    if (on) this.#picked.add(id)
    else this.#picked.delete(id)
    const row = this.rows.get(id)
    if (row) row.picked = on
  }

  /** Removes records that are no longer shown from the selection. */
  #drop() {
    if (this.#picked.size === 0) return
    const shown = new Set(this.shown.map((e) => this.#idOf(e)))
    for (const id of this.#picked) if (!shown.has(id)) this.#pick(id, false)
  }

  #selected() {
    const n = this.#picked.size
    mark(this.#pickAll, 'aria-checked', n === 0 ? 'false' : n === this.shown.length ? 'true' : 'mixed')
    this.dispatchEvent(new Event('select'))
  }

  // --- the row that has the focus ---

  /** @returns {R | undefined} */
  get current() {
    return this.rows.get(this.idAt(document.activeElement))
  }

  /** The records that an action applies to: the selected ones, or the one that has the focus. */
  get meant() {
    if (this.#picked.size > 0) return this.picked
    const entry = this.current?.entry
    return entry ? [this.#record(entry)] : []
  }

  /**
   * The entry that has the focus, or will get it as soon as it has a row.
   * @returns {E | undefined}
   */
  get at() {
    return this.#wanted === undefined ? this.current?.entry : this.shown.find((e) => this.#idOf(e) === this.#wanted)
  }

  /**
   * Moves the focus, now or when the records are known.
   * @param {() => void} move
   */
  moving(move) {
    if (this.whole) move()
    else this.#waiting.push(move)
  }

  /** @param {E} [entry] gets the focus, now or when it has a row */
  focus(entry) {
    if (entry === undefined) return
    this.giveRow(entry)
    this.#wanted = this.#idOf(entry)
    this.#focusRow(this.#wanted)
  }

  /** @param {string} id */
  #focusRow(id) {
    const row = this.rows.get(id)
    if (!row?.element.isConnected) return
    this.#wanted = undefined
    row.name.focus()
    row.element.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }

  /**
   * Shows new records and moves the focus to the first. It returns false if the filter hides them.
   * @param {string[]} ids
   */
  reveal(ids) {
    this.#due = false
    this.frame()
    const fresh = new Set(ids)
    this.#fresh = this.shown.filter((e) => fresh.has(this.#idOf(e)))
    const [first] = this.#fresh
    if (first) this.giveRow(first)
    this.#reveal()
    return first !== undefined
  }

  /** Shows the records of reveal, once the first has a row. */
  #reveal() {
    const rows = this.#fresh.map((e) => this.rows.get(this.#idOf(e)))
    if (!rows[0]?.element.isConnected) return
    const [first] = this.#fresh
    this.#fresh = []
    this.focus(first)
    for (const row of rows) if (row) flash(row.element)
  }

  /** @param {E} entry */
  #idOf(entry) {
    return this.#record(entry).id
  }

  /** @param {Element | null} el within a row */
  idAt(el) {
    return /** @type {HTMLElement | null | undefined} */ (el?.closest(this.#item))?.dataset.id ?? ''
  }
}
