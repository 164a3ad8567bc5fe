import { at } from '../lib/base.js'
import { clone, field, mark, one, shape, write } from '../lib/dom.js'
import { alive, clean, cpuCell, exitText, memCell, need, shortId, state, stateWord } from '../lib/format.js'
import { morph, parse } from '../lib/morph.js'
import { tick } from '../lib/ticks.js'
import { still } from './still.js'

/** @import { Agent } from '../../client/types.js' */
/** @import { Entry } from './order.js' */

/**
 * Row is one agent in the list, as the server renders it (Row in ui/fleet/fleet.templ). The script writes the values that
 * change all the time and, until the server's HTML has arrived, those that identify the agent.
 */
export class Row {
  /** @type {Entry | undefined} the entry that it shows; undefined while it shows what the server rendered with the page */
  entry
  /** @type {Agent | undefined} what was written of it */
  #written
  #blank
  // The {@link still} of the record, of the record that the HTML in the page was rendered from, and of the one that was
  // requested ('' if none).
  #still = ''
  #made = ''
  #asked = ''
  /** @type {HTMLElement | undefined} */
  #peek
  #due = false // whether the current record was not requested yet

  /**
   * @param {string} id
   * @param {HTMLElement} [element] the element that the server rendered
   */
  constructor(id, element) {
    this.id = id
    this.#blank = !element
    this.element = element ?? clone('agent-row')
    this.name = /** @type {HTMLAnchorElement} */ (field(this.element, 'name'))
    this.pick = field(this.element, 'pick')
  }

  /** The record that is shown, or will be after this frame. */
  get agent() {
    return this.entry?.agent
  }

  /** Writes the changed values that the server does not render. */
  update() {
    const a = this.agent
    if (!a || a === this.#written) return
    this.#written = a
    this.#still = still(a)
    if (!this.#made && !this.#blank && this.element.dataset.rev === String(a.rev)) this.#made = this.#still
    this.#due = this.#still !== this.#made
    if (this.#blank) this.#outline(a)
    this.#hot(a)
  }

  /**
   * @param {Agent} a
   * @param {HTMLElement} [element]
   */
  #hot(a, element = this.element) {
    write(field(element, 'cpu'), cpuCell(a))
    write(field(element, 'mem'), memCell(a))
    write(field(element, 'does'), clean(a.summary ?? ''))
    write(field(element, 'line'), clean(a.last_line ?? ''))
  }

  /** @param {Agent} a */
  #outline(a) {
    const { element } = this
    const s = state(a)
    mark(element, 'data-id', a.id)
    mark(element, 'data-alive', alive(a))
    mark(element, 'data-state', s)
    mark(element, 'data-need', need(a))
    mark(this.pick, 'aria-label', `Select ${clean(a.name)}`)
    write(this.name, clean(a.name))
    mark(this.name, 'href', at(`/agents/${encodeURIComponent(a.id)}`))
    write(field(element, 'type'), a.type)
    write(field(element, 'id'), shortId(a.id))
    mark(field(element, 'status'), 'data-state', s)
    shape(field(element, 'glyph'), `s-${s}`)
    write(field(element, 'state-word'), stateWord(s))
    mark(one(element, 'time'), 'data-tick', a.exited_at ? 'ago' : 'span')
    mark(one(element, 'time'), 'data-at', a.exited_at ?? a.created_at)
    tick(element)
    this.#why(a)
  }

  /**
   * Says what the agent needs, because printing does not wait for the server.
   * @param {Agent} a
   */
  #why(a) {
    const text = need(a) === 'question' ? clean(a.question ?? '') : need(a) === 'failed' || a.restart_at ? exitText(a.exit) : ''
    let why = this.element.querySelector('.c-why')
    if (!text) return why?.remove()
    if (!why) {
      why = this.element.appendChild(document.createElement('div'))
      why.className = 'c-why'
      why.setAttribute('role', 'cell')
      why.appendChild(document.createElement('p')).className = 'why-text'
    }
    write(one(why, 'p'), text)
  }

  /** Whether its HTML must be requested. */
  get lacks() {
    return this.#due && this.#asked === ''
  }

  /** Records that its HTML was requested. */
  ask() {
    this.#asked = this.#still
    this.#due = false
  }

  /**
   * @param {string | undefined} html undefined if the agent or the connection is gone: the agent's next record requests it
   * again
   */
  show(html) {
    const [to] = html ? parse(html) : []
    if (to) {
      if (this.agent) this.#hot(this.agent, to) // before it is inserted, so that no cell is written twice
      tick(to)
      if (this.#peek) to.append(this.#peek.cloneNode(false)) // it stays where this is
      morph(this.element, to)
      this.#made = this.#asked
      this.#due = this.#still !== this.#made
      this.#blank = false
    }
    this.#asked = ''
  }

  /** What the script shows below what the server renders; undefined: nothing. */
  get peek() {
    return this.#peek
  }

  set peek(el) {
    this.#peek?.remove()
    this.#peek = el
    if (el) this.element.append(el)
    mark(this.element, 'data-open', el !== undefined)
  }

  /** @param {boolean} on whether a person said that it needs none */
  set dismissed(on) {
    mark(this.element, 'data-dismissed', on)
  }

  /** @param {boolean} on */
  set picked(on) {
    mark(this.pick, 'aria-checked', String(on))
    mark(this.element, 'data-picked', on)
  }

  /** @param {number} n its place in the table, from 1 */
  set index(n) {
    mark(this.element, 'aria-rowindex', String(n))
  }

  /** Offers to send the answer to all that ask the same. @param {number} n how many they are, with this one */
  set alike(n) {
    const all = /** @type {HTMLElement | null} */ (this.element.querySelector('[data-f="answer-all"]'))
    if (!all) return
    all.hidden = n < 2
    write(all, n < 2 ? '' : `Send to all ${n}`)
  }

  /** Whether a person has started to write an answer. */
  get draft() {
    return Boolean(this.answer?.value)
  }

  /** The link to where the agent is answered, if not here. */
  get answeredThere() {
    return /** @type {HTMLAnchorElement | null} */ (this.element.querySelector('.c-why .answer-there'))
  }

  /** The field for the answer, while the agent asks. */
  get answer() {
    return /** @type {HTMLInputElement | null} */ (this.element.querySelector('.c-why input'))
  }
}
