import { morph, parse } from '../lib/morph.js'
import { failed } from '../lib/toast.js'

/** @import { Row } from './row.js' */

/** How often what is shown is asked for again while it changes, in milliseconds. */
const EVERY_MS = 300

/**
 * Peek shows the last of what an agent shows in its row: the server renders it (Peek in ui/agent/peek.templ), again and again while the
 * agent goes on. One row at a time has it.
 */
export class Peek {
  #render
  #resized
  /** @type {Row | undefined} */
  #row
  /** @type {HTMLElement | undefined} in the row */
  #el
  #shown = '' // what the record said when it was last asked for
  /** @type {ReturnType<typeof setTimeout> | undefined} runs from one request to when there may be the next */
  #pause

  /**
   * @param {(id: string) => Promise<string | undefined>} render
   * @param {() => void} resized called when the height of the row may have changed
   */
  constructor(render, resized) {
    this.#render = render
    this.#resized = resized
  }

  /** The row that is open. */
  get row() {
    return this.#row
  }

  /** @param {Row} row */
  toggle(row) {
    const same = this.#row === row
    this.close()
    if (same) return
    this.#row = row
    row.peek = this.#el = this.#cell()
    this.#resized()
    this.look()
  }

  #cell() {
    const el = document.createElement('div')
    el.className = 'c-peek'
    el.setAttribute('role', 'cell')
    el.setAttribute('aria-busy', 'true')
    el.dataset.key = 'peek'
    el.dataset.ours = ''
    el.addEventListener('keydown', (e) => {
      if (e.key !== 'Escape' || e.isComposing) return
      e.preventDefault()
      this.close()
    })
    return el
  }

  /** Closes what is open, and reports whether anything was. */
  close() {
    const row = this.#row
    if (!row) return false
    const had = this.#el?.contains(document.activeElement)
    row.peek = this.#el = undefined
    this.#row = undefined
    this.#shown = ''
    clearTimeout(this.#pause)
    this.#pause = undefined
    if (had) row.name.focus({ preventScroll: true })
    this.#resized()
    return true
  }

  /** Asks for what is to be shown, if it may have changed. */
  look() {
    const a = this.#row?.agent
    if (!a || !this.#el || this.#pause !== undefined) return
    const now = [a.last_seq, a.status, a.activity, a.question, a.generation].join(' ')
    if (now === this.#shown) return
    this.#shown = now
    this.#pause = setTimeout(() => {
      this.#pause = undefined
      this.look()
    }, EVERY_MS)
    void this.#ask(a.id, this.#el)
  }

  /**
   * @param {string} id
   * @param {HTMLElement} el where it is shown
   */
  async #ask(id, el) {
    try {
      const [to] = parse((await this.#render(id)) ?? '')
      if (to && el === this.#el) this.#show(el, to)
    } catch (e) {
      if (el === this.#el && el.childElementCount === 0) failed('What it shows is not known', e)
      this.#shown = '' // the next change asks again
    }
  }

  /**
   * @param {HTMLElement} el
   * @param {HTMLElement} to
   */
  #show(el, to) {
    const text = () => el.querySelector('[data-f="peek-text"]')
    const before = text()
    const below = before ? before.scrollHeight - before.scrollTop - before.clientHeight : 0
    const first = !el.firstElementChild
    if (el.firstElementChild) morph(el.firstElementChild, to)
    else el.append(to)
    el.removeAttribute('aria-busy')
    if (first) this.#row?.element.scrollIntoView({ block: 'nearest' })
    const after = text()
    if (after && below < 4) after.scrollTop = after.scrollHeight
    this.#resized()
  }
}
