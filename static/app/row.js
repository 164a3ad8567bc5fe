import { clone, field, mark, shape, write } from './dom.js'
import {
  activityWord, age, alive, clean, cpuCell, memCell, need, needGlyph, needText, shortId, state, stateDetail, stateWord,
  stoppable,
} from './format.js'

/** @import { Agent } from '../client/types.js' */

/** One agent in the list: the component ui/fleet.templ calls row, filled in again when its record changes. */
export class Row {
  /** @type {Agent | undefined} */
  agent
  /** @type {string} */
  id
  #f
  #created = ''
  /** @type {string | undefined} */
  #exited

  /**
   * @param {string} id
   * @param {HTMLElement} [element] the one that the server rendered
   */
  constructor(id, element = clone('agent-row')) {
    this.id = id
    this.element = element
    const f = (/** @type {string} */ name) => field(element, name)
    this.#f = {
      status: f('status'), glyph: f('glyph'), word: f('state-word'), detail: f('state-detail'), activity: f('activity'),
      line: f('line'), cpu: f('cpu'), mem: f('mem'), age: f('age'), stop: /** @type {HTMLButtonElement} */ (f('stop')),
      whyCell: f('why-cell'), whyGlyph: f('why-glyph'), why: f('why'), answer: f('answer'), acts: f('why-acts'), again: f('again'),
    }
    this.name = /** @type {HTMLAnchorElement} */ (f('name'))
    this.pick = /** @type {HTMLInputElement} */ (f('pick'))
    this.answer = /** @type {HTMLInputElement} */ (f('answer-text'))
    this.#created = this.#f.age.dataset.created ?? ''
    this.#exited = this.#f.age.dataset.exited || undefined
  }

  /**
   * @param {Agent} a
   * @param {number} now
   */
  update(a, now) {
    const old = this.agent
    this.agent = a
    if (!old) this.#identity(a)
    const f = this.#f
    if (!old || old.status !== a.status || old.reason !== a.reason || old.activity !== a.activity || old.exit !== a.exit || old.question !== a.question) this.#state(a)
    write(f.cpu, cpuCell(a))
    write(f.mem, memCell(a))
    if (old?.last_line !== a.last_line) write(f.line, clean(a.last_line ?? ''))
    this.#exited = a.exited_at
    this.tick(now)
  }

  /** @param {Agent} a */
  #identity(a) {
    const { element } = this
    mark(element, 'data-id', a.id)
    const name = clean(a.name)
    write(this.name, name)
    mark(this.name, 'href', `/agents/${encodeURIComponent(a.id)}`)
    write(field(element, 'type'), a.type)
    write(field(element, 'id'), shortId(a.id))
    mark(field(element, 'id'), 'title', a.id)
    mark(this.pick, 'aria-label', `Select ${name}`)
    mark(this.#f.stop, 'aria-label', `Stop ${name}`)
    mark(this.answer, 'aria-label', `Answer ${name}`)
    mark(this.#f.again, 'aria-label', `Spawn ${name} again`)
    mark(field(element, 'dismiss'), 'aria-label', `Dismiss ${name}`)
    this.#created = a.created_at
  }

  /** @param {Agent} a */
  #state(a) {
    const { element } = this
    const f = this.#f
    const s = state(a)
    const n = need(a)
    mark(element, 'data-state', s)
    mark(element, 'data-activity', a.activity ?? '')
    mark(element, 'data-need', n)
    mark(element, 'data-alive', alive(a))
    mark(f.status, 'data-state', s)
    shape(f.glyph, `s-${s}`)
    write(f.word, stateWord(s))
    write(f.detail, stateDetail(a))
    write(f.activity, activityWord(a.activity))
    f.stop.disabled = !stoppable(a)
    f.whyCell.hidden = n === ''
    if (n === '') return
    shape(f.whyGlyph, `s-${needGlyph(n)}`)
    write(f.why, needText(a))
    f.answer.hidden = n !== 'question'
    f.acts.hidden = n === 'question'
    f.again.hidden = alive(a)
  }

  /** @param {number} now */
  tick(now) {
    if (this.#created) write(this.#f.age, age({ created_at: this.#created, exited_at: this.#exited }, now))
  }

  /** @param {boolean} on shows that it needs no person any more, by that person's word */
  set dismissed(on) {
    if (on) this.#f.whyCell.hidden = true
    else if (this.agent) this.#f.whyCell.hidden = need(this.agent) === ''
  }
}
