import { later } from '../lib/later.js'

/** @import { Skein } from '../../client/index.js' */

/** How long changes are gathered before the graph is asked for, in milliseconds. */
const PAUSE = 200

/**
 * Graph keeps the graph of tasks that depend on each other up to date. The server renders it whole; the tasks in it are watched for what
 * changes.
 */
export class Graph {
  #skein
  #el
  #ends
  #want
  /** Asks for the graph, soon: several of its tasks may change at once. */
  changed
  #ids = ''
  #turn = new AbortController()

  /**
   * @param {Skein} skein
   * @param {HTMLElement} el
   * @param {() => void} want asks for the graph
   * @param {AbortSignal} ends
   */
  constructor(skein, el, want, ends) {
    this.#skein = skein
    this.#el = el
    this.#want = want
    this.#ends = ends
    this.changed = later(PAUSE, () => this.#want())
    this.shown()
    this.#reveal()
  }

  /** Watches the tasks that the graph has now. */
  shown() {
    const ids = this.#el.dataset.ids ?? ''
    if (ids === this.#ids) return
    this.#ids = ids
    this.#turn.abort()
    this.#turn = new AbortController()
    if (ids) void this.#watch(ids.split(' '), AbortSignal.any([this.#ends, this.#turn.signal]))
  }

  /**
   * @param {string[]} ids
   * @param {AbortSignal} signal
   */
  async #watch(ids, signal) {
    try {
      for await (const u of this.#skein.tasks.watch({ filter: { ids }, signal })) if (!u.more) this.changed()
    } catch {
      // it ends with the page, or with another set of tasks; the page itself says why it is no longer live
    }
  }

  /** Shows the task whose page it is, where the drawing is larger than its place. */
  #reveal() {
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (this.#el.querySelectorAll('.graph'))) {
      const own = part.querySelector('[aria-current]')?.getBoundingClientRect()
      const room = part.getBoundingClientRect()
      if (!own || room.width === 0) continue
      if (own.right > room.right) part.scrollLeft += own.left + own.width / 2 - room.left - room.width / 2
      if (own.bottom > room.bottom) part.scrollTop += own.top + own.height / 2 - room.top - room.height / 2
    }
  }
}
