import { still } from '../fleet/still.js'
import { at } from '../lib/base.js'
import { clone, field, mark, write } from '../lib/dom.js'
import { clean } from '../lib/format.js'
import { morph, parse } from '../lib/morph.js'
import { draw } from './draw.js'

/** @import { Agent, Picture, PictureChange } from '../../client/types.js' */
/** @import { GlanceOptions } from '../../client/glance.js' */
/** @import { Frames } from './draw.js' */

/** @typedef {Pick<GlanceOptions, 'rows' | 'cols' | 'wait'>} Looks */

/** The most that the server gives: what a cell of a conversation asks for in place of a row's width: its lines are wrapped. */
const LONG = 240

/**
 * Cell is an agent on the wall. What stands around the picture is rendered by the server; the picture has a stream of its own, which is open
 * while the cell is in sight.
 */
export class Cell {
  #glance
  #frames
  /** @type {AbortController | undefined} */
  #open
  #over = false // the last picture has come
  #still = '' // what the head was rendered from
  #asked = ''

  /** @type {Agent | undefined} */
  agent

  /**
   * @param {string} id
   * @param {HTMLElement | undefined} element undefined: a blank one is made
   * @param {(id: string, options: GlanceOptions) => Promise<void>} glance
   * @param {Frames} frames
   */
  constructor(id, element, glance, frames) {
    this.id = id
    this.element = element ?? blank(id)
    this.#glance = glance
    this.#frames = frames
  }

  get name() {
    return field(this.element, 'name')
  }

  /** The field for the answer, or the link to where the agent is answered, while it asks. */
  get answer() {
    return /** @type {HTMLElement | null} */ (this.element.querySelector('[data-f="answer-text"], [data-f="answer-there"]'))
  }

  /**
   * Takes a newer record.
   * @param {Agent} a
   * @returns {boolean} whether the head must be rendered again
   */
  put(a) {
    if (!this.agent && this.element.dataset.blank === undefined) this.#still = still(a) // as the server rendered it; a change in between comes with the next record
    this.agent = a
    if (this.element.dataset.blank !== undefined) {
      write(this.name, clean(a.name))
      mark(this.name, 'href', at(`/agents/${encodeURIComponent(a.id)}`))
      mark(this.element, 'data-converses', a.kind === 'acp' || a.kind === 'openai')
      mark(field(this.element, 'body'), 'aria-label', `What ${clean(a.name)} shows`)
    }
    write(field(this.element, 'does'), clean(a.summary ?? ''))
    const now = still(a)
    if (now === this.#still || now === this.#asked) return false
    this.#asked = now
    return true
  }

  /**
   * Takes the head as the server rendered it.
   * @param {string | undefined} html undefined: the agent is gone, or the connection
   */
  show(html) {
    const [to] = html ? parse(html) : []
    if (to) {
      mark(this.element, 'data-blank', false)
      morph(this.element, to)
      this.#still = this.#asked
    }
    this.#asked = ''
  }

  /** Opens the stream with the pictures. @param {Looks} looks */
  open(looks) {
    if (this.#open || this.#over) return
    this.#open = new AbortController()
    void this.#look(looks, this.#open.signal)
  }

  close() {
    this.#open?.abort()
    this.#open = undefined
  }

  /** @param {Looks} looks @param {AbortSignal} signal */
  async #look(looks, signal) {
    const rows = field(this.element, 'rows')
    const cols = this.element.hasAttribute('data-converses') ? LONG : looks.cols
    const onpicture = (/** @type {Picture} */ picture, /** @type {PictureChange} */ change) => this.#frames.next(() => {
      if (!signal.aborted) draw(rows, picture, change)
    })
    try {
      await this.#glance(this.id, { ...looks, cols, onpicture, signal })
      this.#over = true
    } catch (e) {
      if (!signal.aborted) rows.textContent = `What it shows is not known: ${/** @type {Error} */ (e).message}`
    }
  }
}

/** @param {string} id */
function blank(id) {
  const el = clone('cell')
  el.dataset.id = el.dataset.key = id
  el.dataset.blank = ''
  return el
}
