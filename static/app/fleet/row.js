import { at } from '../lib/base.js'
import { clone, field, mark, shape, write } from '../lib/dom.js'
import {
  activityWord, age, alive, clean, cpuCell, memCell, need, needGlyph, needText, shortId, state, stateDetail, stateWord,
  stoppable,
} from '../lib/format.js'
import { badges, writeBadges } from '../lib/health.js'

/** @import { Agent } from '../../client/types.js' */
/** @import { Entry } from './order.js' */

/** One agent in the list: the component ui/fleet.templ calls row, filled in again when its record changes. */
export class Row {
  /** @type {Entry | undefined} what it shows; none while it shows what the server rendered */
  entry
  /** @type {Agent | undefined} */
  #written
  /** @type {HTMLElement | null} the cell that says what the agent needs */
  #why
  #dismissed = false
  /** @type {string} */
  id
  #f
  #most
  #created = ''
  /** @type {string | undefined} */
  #exited

  /**
   * @param {string} id
   * @param {Record<string, number>} most how many tasks one agent may have in work, by type
   * @param {HTMLElement} [element] the one that the server rendered
   */
  constructor(id, most, element = clone('agent-row')) {
    this.id = id
    this.#most = most
    this.element = element
    const f = (/** @type {string} */ name) => field(element, name)
    this.#f = {
      status: f('status'), glyph: f('glyph'), word: f('state-word'), detail: f('state-detail'), activity: f('activity'),
      line: f('line'), badges: f('badges'), cpu: f('cpu'), mem: f('mem'), age: f('age'), stop: /** @type {HTMLButtonElement} */ (f('stop')),
    }
    this.name = /** @type {HTMLAnchorElement} */ (f('name'))
    this.pick = f('pick')
    this.#why = element.querySelector('.c-why')
    this.#created = this.#f.age.dataset.created ?? ''
    this.#exited = this.#f.age.dataset.exited || undefined
  }

  /** The record that is shown, or will be in this frame. */
  get agent() {
    return this.entry?.agent
  }

  /**
   * Writes what changed.
   * @param {number} now
   */
  update(now) {
    const a = this.agent
    if (a && a !== this.#written) this.#write(a, now)
  }

  /**
   * @param {Agent} a
   * @param {number} now
   */
  #write(a, now) {
    const old = this.#written
    this.#written = a
    if (old?.name !== a.name) this.#identity(a)
    const f = this.#f
    if (!old || state(old) !== state(a) || old.activity !== a.activity || old.exit !== a.exit || old.question !== a.question || need(old) !== need(a)) this.#state(a)
    write(f.cpu, cpuCell(a))
    write(f.mem, memCell(a))
    if (old?.last_line !== a.last_line) write(f.line, clean(a.last_line ?? ''))
    this.#exited = a.exited_at
    this.writeAge(now)
  }

  /** @param {Agent} a */
  #identity(a) {
    const { element } = this
    mark(element, 'data-id', a.id)
    const name = clean(a.name)
    write(this.name, name)
    mark(this.name, 'href', at(`/agents/${encodeURIComponent(a.id)}`))
    write(field(element, 'type'), a.type)
    write(field(element, 'id'), shortId(a.id))
    mark(field(element, 'id'), 'title', a.id)
    mark(this.pick, 'aria-label', `Select ${name}`)
    mark(this.#f.stop, 'aria-label', `Stop ${name}`)
    this.#created = a.created_at
  }

  /** @param {Agent} a */
  #state(a) {
    const { element } = this
    const f = this.#f
    const s = state(a)
    mark(element, 'data-state', s)
    mark(element, 'data-activity', a.activity ?? '')
    mark(element, 'data-need', need(a))
    mark(element, 'data-alive', alive(a))
    mark(f.status, 'data-state', s)
    shape(f.glyph, `s-${s}`)
    write(f.word, stateWord(s))
    write(f.detail, stateDetail(a))
    write(f.activity, activityWord(a.activity))
    f.stop.disabled = !stoppable(a)
    this.#writeWhy(a)
  }

  /** @param {Agent} a */
  #writeWhy(a) {
    const n = this.#dismissed ? '' : need(a)
    if (n === '') {
      this.#why?.remove()
      this.#why = null
      return
    }
    if (!this.#why) {
      const name = clean(a.name)
      this.#why = clone('agent-why')
      mark(field(this.#why, 'answer-text'), 'aria-label', `Answer ${name}`)
      mark(field(this.#why, 'again'), 'aria-label', `Spawn again: ${name}`)
      mark(field(this.#why, 'dismiss'), 'aria-label', `Dismiss ${name}`)
      this.element.append(this.#why)
    }
    const f = (/** @type {string} */ name) => field(/** @type {HTMLElement} */ (this.#why), name)
    shape(f('why-glyph'), `s-${needGlyph(n)}`)
    write(f('why'), needText(a))
    f('answer').hidden = n !== 'question'
    f('why-acts').hidden = n === 'question'
    f('again').hidden = alive(a)
  }

  /** @param {number} now */
  writeAge(now) {
    const { agent: a } = this
    if (a) writeBadges(this.#f.badges, badges(a, this.#most[a.type] ?? 0, now))
    if (this.#created) write(this.#f.age, age({ created_at: this.#created, exited_at: this.#exited }, now))
  }

  /** @param {boolean} on whether a person said that it needs none */
  set dismissed(on) {
    if (on === this.#dismissed) return
    this.#dismissed = on
    if (this.agent) this.#writeWhy(this.agent)
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

  /** Whether a person began to write an answer. */
  get draft() {
    return Boolean(this.answer?.value)
  }

  /** The field for the answer, while the agent asks. */
  get answer() {
    return /** @type {HTMLInputElement | null | undefined} */ (this.#why?.querySelector('input'))
  }
}
