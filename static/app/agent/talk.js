import { mark, one, settings } from '../lib/dom.js'
import { morph, parse } from '../lib/morph.js'
import { tick } from '../lib/ticks.js'
import { failed } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { AgentEvent, GapEvent } from '../../client/types.js' */

/** How many entries the page keeps while it follows. */
const MAX_TURNS = 600

/** The conversation counts as scrolled to its end within this many pixels of it. */
const NEAR_END = 40

/** How long it waits between two answers at least, in milliseconds, and how many times as long as the last answer took. */
const PAUSE = 120
const TIMES = 2

/** While nobody sees the page. */
const HIDDEN_PAUSE = 2000

/** What changes nothing in a conversation. */
const ELSE = new Set(['output.stdout', 'output.stderr', 'output.tty', 'agent.health', 'agent.signal', 'agent.resize'])

/** @typedef {'talk' | 'lines'} View */

/**
 * Talk shows the conversation with an agent as the server renders it (ui/transcript). Whenever something has happened it asks for the
 * entries that have changed, one request at a time: however fast the agent talks, the next answer has the newest.
 */
export class Talk {
  #skein
  #id
  #section = one(document, '#output')
  #box = one(document, '#talk')
  #list = one(document, '#turns')
  #earlier = one(document, '#talk-earlier')
  #none = one(document, '#no-talk')
  #jump = one(document, '#talk-jump')
  #seq // of the newest event that is shown
  #top = 0 // the last scroll position
  #following = true
  #behind = false // whether something has happened since the last request
  #reading = false
  #turn = 0 // counts the logs that the entries came from

  /**
   * @param {Skein} skein
   * @param {string} id
   * @param {View} [view] what is shown, if not what the reader chose last
   */
  constructor(skein, id, view) {
    this.#skein = skein
    this.#id = id
    this.#seq = Number(this.#box.dataset.seq)
    for (const button of this.#choices) {
      button.addEventListener('click', () => {
        this.show(/** @type {View} */ (button.dataset.view))
        settings.set('view', button.dataset.view ?? '')
      })
    }
    this.show(view ?? (settings.get('view') === 'lines' ? 'lines' : 'talk'))
    this.#listen()
    tick(this.#list)
    this.#toEnd()
  }

  get #choices() {
    return /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('#views [data-view]'))
  }

  get shown() {
    return this.#section.dataset.view === 'talk'
  }

  /** @param {View} view */
  show(view) {
    mark(this.#section, 'data-view', view)
    for (const button of this.#choices) mark(button, 'aria-pressed', String(button.dataset.view === view))
    if (view !== 'talk') return
    if (this.#following) this.#toEnd()
    this.look()
  }

  toggle() {
    this.show(this.shown ? 'lines' : 'talk')
  }

  #listen() {
    const box = this.#box
    box.addEventListener('scroll', () => {
      const up = box.scrollTop < this.#top
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END
      this.#top = box.scrollTop
      if (atEnd) this.#follows(true)
      else if (up) this.#follows(false)
    }, { passive: true })
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(box)
    this.#jump.addEventListener('click', () => {
      this.follow()
      box.focus()
    })
    one(document, '#talk-load').addEventListener('click', () => void this.#loadEarlier())
  }

  // --- following ---

  follow() {
    this.#follows(true)
    this.#toEnd()
  }

  /** @param {boolean} on */
  #follows(on) {
    this.#following = on
    if (on) this.#jump.hidden = true
  }

  #toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight
    this.#top = this.#box.scrollTop
  }

  // --- what comes in ---

  /** @param {AgentEvent | GapEvent} e */
  add(e) {
    if (e.type === 'gap') this.#restart()
    else if (!ELSE.has(e.type) && e.seq > this.#seq) this.look()
  }

  /** Asks for what has changed. */
  look() {
    this.#behind = true
    if (!this.#reading) void this.#read()
  }

  /** Starts again, because the log is a new one or has lost events. */
  #restart() {
    this.#turn++
    this.#seq = 0
    this.#list.replaceChildren()
    this.look()
  }

  async #read() {
    this.#reading = true
    while (this.#behind && this.shown) {
      this.#behind = false
      const began = performance.now()
      await this.#load()
      const pause = document.hidden ? HIDDEN_PAUSE : Math.max(PAUSE, TIMES * (performance.now() - began))
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
    this.#reading = false
  }

  async #load() {
    const turn = this.#turn
    try {
      const { html, seq = 0, more = false } = await this.#render(this.#seq > 0 ? { after: this.#seq } : {})
      if (turn !== this.#turn) return
      const fresh = this.#seq === 0
      this.#put(parse(html))
      this.#seq = Math.max(this.#seq, seq)
      if (fresh) this.#earlier.hidden = !more
    } catch (e) {
      failed('The conversation could not be read', e)
    }
  }

  /** @param {{after?: number, before?: number}} part */
  async #render(part) {
    const { html, ...of } = await this.#skein.call('agent.render', { ids: [this.#id], html: 'transcript', ...part })
    return { html: html[this.#id] ?? '', ...of }
  }

  /** @param {HTMLElement[]} turns in order */
  #put(turns) {
    for (const el of turns) {
      const [before, here] = this.#place(Number(el.dataset.seq))
      if (here) change(here, el)
      else this.#list.insertBefore(el, before)
    }
    if (turns.length === 0) return
    this.#none.hidden = true
    if (this.#following) this.#trim()
    tick(this.#list)
    if (this.#following) this.#toEnd()
    else this.#jump.hidden = false
  }

  /**
   * Where an entry belongs: before which other, or which it takes the place of.
   * @param {number} seq
   * @returns {[HTMLElement | null, HTMLElement | undefined]}
   */
  #place(seq) {
    let next = null
    for (let el = /** @type {HTMLElement | null} */ (this.#list.lastElementChild); el; el = /** @type {HTMLElement | null} */ (el.previousElementSibling)) {
      const at = Number(el.dataset.seq)
      if (at === seq) return [null, el]
      if (at < seq) break
      next = el
    }
    return [next, undefined]
  }

  /** Removes the oldest entries. */
  #trim() {
    while (this.#list.childElementCount > MAX_TURNS) {
      this.#list.firstElementChild?.remove()
      this.#earlier.hidden = false
    }
  }

  async #loadEarlier() {
    const load = /** @type {HTMLButtonElement} */ (one(document, '#talk-load'))
    const first = Number(/** @type {HTMLElement | null} */ (this.#list.firstElementChild)?.dataset.seq ?? 0)
    load.disabled = true
    this.#follows(false)
    const turn = this.#turn
    try {
      const { html, more = false } = await this.#render(first > 0 ? { before: first } : {})
      if (turn !== this.#turn) return
      const height = this.#box.scrollHeight
      const turns = parse(html)
      this.#list.prepend(...turns)
      tick(this.#list)
      this.#box.scrollTop += this.#box.scrollHeight - height
      this.#earlier.hidden = !more || turns.length === 0
    } catch (e) {
      failed('What was before could not be loaded', e)
    } finally {
      load.disabled = false
    }
  }
}

/**
 * Changes an entry into what the server rendered. Its details open by themselves when a call has ended, if the server says so; otherwise
 * they stay as the reader left them.
 * @param {HTMLElement} el
 * @param {HTMLElement} to
 */
function change(el, to) {
  const ended = el.dataset.state !== to.dataset.state
  const opens = to.querySelector('details')?.open
  morph(el, to)
  const details = el.querySelector('details')
  if (details && ended && opens) details.open = true
}
