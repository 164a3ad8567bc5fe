import { one } from '../lib/dom.js'
import { parse } from '../lib/morph.js'
import { flash } from '../list/arrange.js'

/** @import { Result } from '../../client/types.js' */

/** A list follows new results while it is scrolled to within this many pixels of its end. */
const NEAR = 24

/** The results of an orchestration in the order of their completion. */
export class ResultList {
  #el
  #list
  /** The ordinal of the last result. */
  after

  /** @param {HTMLElement} el */
  constructor(el) {
    this.#el = el
    this.#list = one(el, '#result-list')
    this.after = Number(el.dataset.after)
    this.#list.scrollTop = this.#list.scrollHeight
  }

  /** @param {Result} r */
  add({ ordinal, html = '' }) {
    if (ordinal <= this.after) return
    this.after = ordinal
    const list = this.#list
    const along = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR
    for (const el of parse(html)) {
      list.append(el)
      flash(el)
    }
    one(this.#el, '#no-results').hidden = true
    if (along) list.scrollTop = list.scrollHeight
  }
}
