import { field, one, write } from '../lib/dom.js'
import { shownPayload } from './taskformat.js'
import { writeBar } from './taskrow.js'

/** @import { Payload } from '../../client/types.js' */

/** A payload on a page: the component ui/task.templ calls payloadPanel. */
export class Panel {
  #el
  #f
  /** @type {Payload | undefined | 'pending' | 'rendered'} rendered: by the server */
  #shown = 'rendered'
  /** Copies what is shown. */
  oncopy = () => {}

  /** @param {HTMLElement} el */
  constructor(el) {
    this.#el = el
    const f = (/** @type {string} */ name) => field(el, name)
    this.#f = {
      note: f('note'), copy: f('copy'), download: f('download'), payload: f('payload'), binary: f('binary'), nothing: f('nothing'), pending: f('pending'),
      bar: one(f('pending'), '[data-f="bar"]'), text: one(f('pending'), '[data-f="text"]'),
    }
    this.#f.copy.addEventListener('click', () => this.oncopy())
  }

  /** @param {boolean} on */
  set hidden(on) {
    this.#el.hidden = on
  }

  /** @param {Payload} [p] */
  show(p) {
    if (p === this.#shown) return
    this.#shown = p
    const { text, note, size } = shownPayload(p)
    this.#write(text, note, size)
    this.#f.nothing.hidden = size > 0
    this.#f.pending.hidden = true
  }

  /**
   * It is still to come.
   * @param {string} text how that stands
   * @param {number} part done
   */
  pending(text, part) {
    const f = this.#f
    if (this.#shown !== 'pending') {
      this.#shown = 'pending'
      this.#write('', '', 0)
      f.nothing.hidden = true
      f.pending.hidden = false
    }
    write(f.text, text)
    writeBar(f.bar, part)
  }

  /**
   * @param {string} text
   * @param {string} note
   * @param {number} size
   */
  #write(text, note, size) {
    const f = this.#f
    write(f.note, note)
    write(f.payload, text)
    f.payload.hidden = f.copy.hidden = text === ''
    f.binary.hidden = text !== '' || size === 0
    f.download.hidden = size === 0
  }
}
