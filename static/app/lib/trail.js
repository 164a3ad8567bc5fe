/**
 * The history of this tab's connections, over all its pages. It is kept in the tab's session storage, since each page has
 * its own connection.
 */

/**
 * @typedef {{time: number, page: string, what: string, detail: Record<string, any>}} Happening time is in milliseconds
 * since 1970
 */

/** How many events are kept, and the longest text in one. */
const MAX_KEPT = 50
const MAX_TEXT = 300
const KEY = 'skein.trail'

/** Events of the client's log that another event repeats, or that say nothing about the path. */
const PASSED_OVER = new Set(['connect', 'door open', 'pause', 'visible', 'resync failed'])

class Trail extends EventTarget {
  /** @type {Happening[]} oldest first */
  #all = read()

  /** All events, newest first. */
  get all() {
    return this.#all.toReversed()
  }

  /**
   * Adds an event of the client's log.
   * @param {string} what
   * @param {object} detail
   */
  add(what, detail) {
    if (PASSED_OVER.has(what) || / lane /.test(what)) return
    this.#all = [...this.#all, { time: Date.now(), page: location.pathname, what, detail: short(detail) }].slice(-MAX_KEPT)
    try {
      sessionStorage.setItem(KEY, JSON.stringify(this.#all))
    } catch {
      // the history is then kept for this page only
    }
    this.dispatchEvent(new Event('change'))
  }
}

/** @returns {Happening[]} */
function read() {
  try {
    const all = JSON.parse(sessionStorage.getItem(KEY) ?? '[]')
    return Array.isArray(all) ? all.slice(-MAX_KEPT) : []
  } catch {
    return []
  }
}

/** @param {object} detail */
const short = (detail) => Object.fromEntries(Object.entries(detail).map(([k, v]) => [k, typeof v === 'string' ? v.slice(0, MAX_TEXT) : v]))

export const trail = new Trail()
