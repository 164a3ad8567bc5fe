import { field, mark, write } from '../lib/dom.js'
import { count } from '../lib/format.js'
import { Windowed } from '../list/window.js'
import { removable } from './removable.js'
import { Row } from './row.js'

/** @import { Agent } from '../../client/types.js' */
/** @import { Entry, Key } from './order.js' */

/** Part is a group of the list with its head, as ui/fleet/fleet.templ has it. */
export class Part {
  #el
  #fold
  #unfolded = false
  /** @type {Entry[]} */
  #entries = []

  /** The place of its head in the table, from 1. */
  head = 0
  /** @type {Entry[]} those that are shown; the others are folded */
  open = []

  /** @param {HTMLElement} el */
  constructor(el) {
    this.#el = el
    this.#fold = Number(el.dataset.fold)
    this.key = /** @type {Key} */ (el.dataset.group)
    /** @type {Windowed<Entry, Row>} */
    this.rows = new Windowed(el)
  }

  /** Takes over the rows that the server rendered. */
  adopt() {
    const elements = /** @type {HTMLElement[]} */ ([...this.#el.querySelectorAll('.agent')])
    const rows = elements.map((row) => new Row(row.dataset.id ?? '', row))
    this.rows.adopt(rows, Number(this.#el.dataset.open))
    return rows
  }

  /**
   * @param {Entry[]} entries
   * @param {number} head the place of its head
   * @param {boolean} folds whether it may fold some
   * @returns {number} the place of the head below
   */
  show(entries, head, folds) {
    const most = folds && this.#fold > 0 && !this.#unfolded ? this.#fold : entries.length
    this.#entries = entries
    this.open = this.rows.entries = entries.slice(0, most)
    this.head = head
    this.#el.hidden = entries.length === 0
    mark(/** @type {Element} */ (this.#el.firstElementChild), 'aria-rowindex', String(head))
    write(field(this.#el, 'group-count'), String(entries.length))
    this.#buttons(folds)
    return entries.length > 0 ? head + 1 + this.open.length : head
  }

  /** @param {boolean} folds */
  #buttons(folds) {
    const { fold, dismiss, remove } = this.#acts
    const folded = this.#entries.length - this.open.length
    if (fold) {
      fold.hidden = !folds || this.#entries.length <= this.#fold
      write(fold, folded > 0 ? `Show ${folded} more` : 'Show fewer')
      mark(fold, 'aria-expanded', String(folded === 0))
    }
    if (dismiss) dismiss.hidden = this.#over.length < 2
    if (remove) {
      const n = this.#over.length
      remove.hidden = n === 0
      write(remove, `Remove ${count(n, 'ended agent', 'ended agents')}`)
    }
  }

  get #acts() {
    const button = (/** @type {string} */ name) => /** @type {HTMLElement | null} */ (this.#el.querySelector(`[data-f="${name}"]`))
    return { fold: button('fold'), dismiss: button('dismiss-all'), remove: button('remove-all') }
  }

  /** Those that have ended, and left no process behind. */
  get #over() {
    return removable(this.#entries.map((e) => e.agent))
  }

  /** @param {{arrange: () => void, dismiss: (agents: Agent[]) => void, remove: (agents: Agent[]) => void}} acts */
  listen({ arrange, dismiss, remove }) {
    const buttons = this.#acts
    buttons.fold?.addEventListener('click', () => {
      this.#unfolded = !this.#unfolded
      arrange()
    })
    buttons.dismiss?.addEventListener('click', () => dismiss(this.#over))
    buttons.remove?.addEventListener('click', () => remove(this.#over))
  }
}
