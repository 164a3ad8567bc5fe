import { mark, one, write } from '../lib/dom.js'
import { count } from '../lib/format.js'

/** @import { Action } from '../lib/keys.js' */
/** @import { List } from './list.js' */

/** @typedef {{query: string, type: string, state: string}} Filter the filter that every list has */

/**
 * @template {Filter} F
 * @typedef {List<any, any, any> & {filter: F, size: number, arrange(): void, move(step: 1 | -1): void}} Listed
 */

/**
 * ListPage runs what surrounds a list: the chips, the filter form, the note when nothing is shown, the bar for the
 * selection, and the keys. Until all records are known the server handles them: the links and the form work without the
 * script.
 * @template {Filter} F
 */
export class ListPage {
  #list
  #o
  #chips = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('.chip[data-group]')])
  #form = /** @type {HTMLFormElement} */ (one(document, '#filters'))
  #query = /** @type {HTMLInputElement} */ (one(document, '#q'))
  #type = /** @type {HTMLSelectElement} */ (one(document, '#type'))
  #bulk = one(document, '#bulk')

  /**
   * @param {Listed<F>} list
   * @param {object} options
   * @param {[string, string]} options.noun the noun for one record and for several
   * @param {(filter: F) => string} options.url
   * @param {(filter: F) => void} options.filtered updates everything else that shows the filter
   * @param {Partial<F>} options.cleared what a filter becomes that is cleared
   * @param {() => void} options.first moves the focus to the first row
   */
  constructor(list, options) {
    this.#list = list
    this.#o = options
    this.#listen()
  }

  /** @param {Partial<F>} change */
  filter(change) {
    const { filter: f } = this.#list
    Object.assign(f, change)
    history.replaceState(null, '', this.#o.url(f))
    for (const chip of this.#chips) {
      const key = chip.dataset.group ?? ''
      mark(chip, 'aria-current', key === f.state && 'true')
      mark(chip, 'href', this.#o.url({ ...f, state: key }))
    }
    if (this.#query.value.trim() !== f.query) this.#query.value = f.query
    this.#type.value = f.type
    this.#o.filtered(f)
    this.#list.arrange()
  }

  /**
   * Writes the counts.
   * @param {Record<string, number>} counts the counts by chip, whatever the filter
   * @param {string} summary
   */
  counted(counts, summary) {
    const { noun } = this.#o
    const { filter: f, size, shown } = this.#list
    for (const chip of this.#chips) {
      const key = chip.dataset.group ?? ''
      const n = counts[key] ?? 0
      write(one(chip, '.chip-count'), String(n))
      mark(chip, 'data-some', n > 0)
      chip.hidden = n === 0 && chip.dataset.always === undefined && key !== f.state
    }
    one(document, `#no-${noun[1]}`).hidden = size > 0
    one(document, '#chips').hidden = this.#form.hidden = size === 0
    one(document, '#no-match').hidden = size === 0 || shown.length > 0
    write(one(document, '#no-match-text'), `The filter hides ${size === 1 ? `the only ${noun[0]}` : `all ${size} ${noun[1]}`}.`)
    write(one(document, '#summary'), summary)
  }

  /**
   * Makes a link act in this page, unless a person opens it in another tab or window.
   * @param {HTMLElement} link
   * @param {() => void} act
   */
  follows(link, act) {
    link.addEventListener('click', (e) => {
      if (!this.#list.whole || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return
      e.preventDefault()
      act()
    })
  }

  /**
   * Makes a control of the form act in this page.
   * @param {HTMLSelectElement} select
   * @param {() => void} act
   */
  chooses(select, act) {
    select.addEventListener('change', () => (this.#list.whole ? act() : this.#form.submit()))
  }

  #listen() {
    const change = (/** @type {Partial<Filter>} */ c) => this.filter(/** @type {Partial<F>} */ (c))
    for (const chip of this.#chips) this.follows(chip, () => change({ state: chip.dataset.group ?? '' }))
    this.follows(one(document, '#clear-filter'), () => {
      this.filter(this.#o.cleared)
      this.#query.focus()
    })
    this.#form.addEventListener('submit', (e) => {
      if (!this.#list.whole) return
      e.preventDefault()
      this.#o.first()
    })
    this.#query.addEventListener('input', () => change({ query: this.#query.value.trim() }))
    this.#query.addEventListener('keydown', (e) => {
      if (e.key !== 'Escape') return
      e.preventDefault()
      if (this.#query.value) change({ query: '' })
      this.#query.blur()
    })
    this.chooses(this.#type, () => change({ type: this.#type.value }))
    one(this.#bulk, '[data-do="clear"]').addEventListener('click', () => this.#list.clear())
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.#list.arrange()
    })
  }

  /** @param {(picked: any[], bar: HTMLElement) => void} show updates the bar for the selected records */
  selects(show) {
    const [single, many] = this.#o.noun
    this.#list.addEventListener('select', () => {
      const { picked } = this.#list
      this.#bulk.hidden = picked.length === 0
      write(one(this.#bulk, '[data-f="count"]'), count(picked.length, `${single} selected`, `${many} selected`))
      show(picked, this.#bulk)
    })
  }

  /**
   * The keys that every list has.
   * @returns {Record<string, Action>}
   */
  get keys() {
    const list = this.#list
    return {
      j: () => list.move(1),
      k: () => list.move(-1),
      ArrowDown: this.arrow(() => list.move(1)),
      ArrowUp: this.arrow(() => list.move(-1)),
      x: this.onRow((row) => list.toggle(row.id, false)),
      X: this.onRow((row) => list.toggle(row.id, true)),
      '/': () => this.#query.select(),
      Escape: () => {
        if (list.picked.length === 0) return false
        list.clear()
        return true
      },
    }
  }

  /**
   * @param {(row: any) => void | boolean} action called with the row that has the focus; false leaves the key to the browser
   * @returns {Action}
   */
  onRow(action) {
    return () => {
      const row = this.#list.current
      if (!row) return false
      return action(row) !== false
    }
  }

  /**
   * @param {() => void | boolean} action the action of an arrow key; the browser handles the key while an element outside the list has the focus
   * @returns {Action}
   */
  arrow(action) {
    return () => {
      const at = document.activeElement
      if (at && at !== document.body && at.id !== 'main' && !this.#list.idAt(at)) return false
      return action()
    }
  }
}
