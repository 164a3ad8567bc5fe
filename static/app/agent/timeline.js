import { one } from '../lib/dom.js'
import { parse } from '../lib/morph.js'
import { tick } from '../lib/ticks.js'
import { failed } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { AgentEvent } from '../../client/types.js' */

/** How many moments are shown; the oldest are removed. */
const MAX_MOMENTS = 200

/** How many are shown after a person asked for earlier ones. */
const MAX_EARLIER = 2000

/** How many events one request asks for. */
const PAGE = 200

/**
 * Timeline shows what happened to an agent, newest first, as the server renders it (momentItem in ui/agent/agent.templ). It
 * reads its own events, so that the output between them does not matter.
 */
export class Timeline {
  #skein
  #id
  #list = one(document, '#moments')
  #earlier = /** @type {HTMLButtonElement} */ (one(document, '#moments-earlier'))
  #most = MAX_MOMENTS
  #first // the seq of the earliest event that was read; 0 if none was
  #last // the seq of the newest
  #turn = 0 // counts the logs that the events came from
  #behind = false // whether there are newer events
  #reading = false

  /**
   * @param {Skein} skein
   * @param {string} id
   */
  constructor(skein, id) {
    this.#skein = skein
    this.#id = id
    this.#first = Number(this.#earlier.dataset.before)
    this.#last = Number(this.#items()[0]?.dataset.seq ?? 0)
    this.#earlier.addEventListener('click', () => void this.#more())
  }

  #items() {
    return /** @type {HTMLElement[]} */ ([...this.#list.children])
  }

  /** @param {AgentEvent} e something happened, or was printed */
  add(e) {
    if (e.type.startsWith('output.') || e.seq <= this.#last) return
    if (e.type === 'agent.activity' && e.data.activity !== 'requires_action') return // too frequent to show
    this.look()
  }

  /** Looks for newer events. */
  look() {
    this.#behind = true
    if (!this.#reading) void this.#follow()
  }

  /** Starts again, because the log is a new one or has lost events. */
  clear() {
    this.#list.replaceChildren()
    this.#turn++
    this.#first = this.#last = 0
    this.#most = MAX_MOMENTS
    void this.#load({ newest: true })
  }

  /** Reads the events that are newer than those shown. */
  async #follow() {
    this.#reading = true
    while (this.#behind) {
      this.#behind = false
      if (this.#last === 0) await this.#load({ newest: true })
      else while (await this.#load({ after: this.#last }));
    }
    this.#reading = false
  }

  async #more() {
    const had = this.#list.childElementCount
    this.#most = MAX_EARLIER
    this.#earlier.disabled = true
    const turn = this.#turn
    // Read on, since many changes between idle and busy may lie between two events that are shown.
    while ((await this.#load({ newest: true, ...(this.#first > 0 && { before: this.#first }) })) && turn === this.#turn && this.#list.childElementCount === had);
    this.#earlier.disabled = false
  }

  /**
   * @param {{newest?: boolean, before?: number, after?: number}} which
   * @returns {Promise<boolean>} whether there are more
   */
  async #load(which) {
    const turn = this.#turn
    try {
      const { events, html = {}, more } = await this.#skein.readEvents(this.#id, { which: 'lifecycle', limit: PAGE, html: true, ...which })
      if (turn !== this.#turn) return false
      if (which.newest) this.#first = events[0]?.seq ?? this.#first
      this.#last = Math.max(this.#last, events.at(-1)?.seq ?? 0)
      for (const { seq } of events) this.#put(seq, html[seq])
      while (this.#list.childElementCount > this.#most) this.#forget()
      tick(this.#list)
      if (which.newest) this.#earlier.hidden = !more || this.#list.childElementCount >= MAX_EARLIER
      return more && events.length > 0
    } catch (e) {
      if (turn === this.#turn) failed(which.newest ? 'Earlier events could not be loaded' : 'The latest events could not be loaded', e)
      return false
    }
  }

  /**
   * @param {number} seq
   * @param {string | undefined} html undefined if the event is not shown
   */
  #put(seq, html) {
    const [el] = html ? parse(html) : []
    const at = this.#items().find((x) => Number(x.dataset.seq) <= seq) ?? null
    if (el && Number(at?.dataset.seq) !== seq) this.#list.insertBefore(el, at)
  }

  /** Removes the oldest moments. */
  #forget() {
    const el = /** @type {HTMLElement} */ (this.#list.lastElementChild)
    this.#first = Number(el.dataset.seq) + 1
    el.remove()
    this.#earlier.hidden = this.#most >= MAX_EARLIER
  }
}
