import { clone, field, mark, one, write } from '../lib/dom.js'
import { resultText, tally, taskURL } from './taskformat.js'
import { writeStatus } from './taskrow.js'

/** @import { Result, Task } from '../../client/types.js' */

/** Within this many pixels of its end a list goes along with what comes. */
const NEAR = 24

/** The results of an orchestration in the order of their completion. */
export class ResultList {
  #el
  #list
  /** The ordinal of the last one. */
  after

  /** @param {HTMLElement} el */
  constructor(el) {
    this.#el = el
    this.#list = one(el, '#result-list')
    this.after = Number(el.dataset.after)
    this.#list.scrollTop = this.#list.scrollHeight
  }

  /** @param {Result} r */
  add(r) {
    if (r.ordinal <= this.after) return
    this.after = r.ordinal
    const list = this.#list
    const along = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR
    const el = clone('result-item')
    mark(el, 'data-ordinal', String(r.ordinal))
    mark(el, 'data-state', r.state)
    mark(el, 'data-fresh', true)
    write(field(el, 'ordinal'), String(r.ordinal))
    write(field(el, 'index'), `Input ${r.index + 1}`)
    mark(field(el, 'index'), 'href', taskURL(r.task))
    writeStatus(el, { state: r.state })
    write(field(el, 'text'), resultText(r))
    list.append(el)
    one(this.#el, '#no-results').hidden = true
    if (along) list.scrollTop = list.scrollHeight
  }

  /** @param {Task} t the orchestration */
  tally({ orchestration: o }) {
    if (!o) return
    const text = tally(o)
    write(field(this.#el, 'tally'), text)
    mark(field(this.#el, 'tally-bar'), 'aria-label', text)
    const part = (/** @type {number} */ n) => ((100 * n) / Math.max(o.children, 1)).toFixed(2)
    mark(field(this.#el, 'good'), 'width', part(o.completed))
    mark(field(this.#el, 'bad'), 'x', part(o.completed))
    mark(field(this.#el, 'bad'), 'width', part(o.failed))
  }
}
