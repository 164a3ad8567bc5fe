import { one, write } from '../lib/dom.js'
import { around } from './around.js'
import { lineNode } from './linenode.js'
import { Lines } from './lines.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Hit } from './hits.js' */

/** How many lines are shown before a match, and after it. */
const AROUND = 100

/** Excerpt shows the lines around a match that the page has not loaded, instead of the lines that it follows. */
export class Excerpt {
  #skein
  #id
  #turn = 0
  #el = {
    root: one(document, '#excerpt'),
    lines: one(document, '#excerpt-lines'),
    list: one(document, '#excerpt-list'),
    before: one(document, '#excerpt-before'),
    after: one(document, '#excerpt-after'),
    live: one(document, '#lines'),
  }

  /**
   * @param {Skein} skein
   * @param {string} id
   */
  constructor(skein, id) {
    this.#skein = skein
    this.#id = id
  }

  get list() {
    return this.#el.list
  }

  get open() {
    return !this.#el.root.hidden
  }

  /** Goes back to the lines that the page follows. */
  close() {
    this.#turn++
    if (!this.open) return
    const { root, list, live } = this.#el
    const focus = root.contains(document.activeElement)
    root.hidden = true
    live.inert = false
    list.replaceChildren()
    if (focus) live.focus()
  }

  /**
   * Loads and shows a match with the lines around it.
   * @param {Hit} hit
   * @param {string} text
   * @returns {Promise<HTMLElement | undefined>} its line; undefined if another match was asked for meanwhile
   */
  async show(hit, text) {
    const turn = ++this.#turn
    const [before, after] = await Promise.all([
      this.#skein.readEvents(this.#id, { before: hit.seq, newest: true, limit: AROUND }),
      this.#skein.readEvents(this.#id, { after: hit.seq - 1, limit: AROUND + 1 }),
    ])
    if (turn !== this.#turn) return undefined
    const lines = new Lines()
    for (const e of [...before.events, ...after.events]) lines.add(e)
    const { shown, at, earlier, later } = around(lines.take(), hit, text, AROUND)
    const { root, list, live } = this.#el
    list.replaceChildren(...shown.map(lineNode))
    write(this.#el.before, before.more || earlier ? 'Earlier lines are not shown here.' : 'The output begins here.')
    write(this.#el.after, after.more || later ? 'Later lines are not shown here.' : 'There is no later output yet.')
    root.hidden = false
    live.inert = true
    return /** @type {HTMLElement | undefined} */ (list.children[at])
  }

  /**
   * Sets or removes a class of the lines, for example the one that wraps them.
   * @param {string} name
   * @param {boolean} on
   */
  toggle(name, on) {
    this.#el.lines.classList.toggle(name, on)
  }
}
