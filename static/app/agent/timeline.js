import { at } from '../lib/base.js'
import { clone, field, mark, one, shape, write } from '../lib/dom.js'
import { NEEDS_YOU, ago, clean, clock, count, exitText, shortId, state, stateWord } from '../lib/format.js'
import { failed } from '../lib/toast.js'
import { taskGlyph, taskTurn } from '../task/taskformat.js'
import { decode } from './lines.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { AgentEvent } from '../../client/types.js' */

/** How many are shown; the oldest go first. */
const MAX_MOMENTS = 200

/** How many are shown to who asks for earlier ones. */
const MAX_EARLIER = 2000

/** How many events are asked for at once. */
const PAGE = 200

/**
 * What happened to an agent, newest first. It has its own events, whatever the agent printed between them. The same
 * rules stand in ui/agent/output.go.
 */
export class Timeline {
  #skein
  #id
  #list = one(document, '#moments')
  #earlier = /** @type {HTMLButtonElement} */ (one(document, '#moments-earlier'))
  /** @type {Set<string>} */
  #seen = new Set()
  #most = MAX_MOMENTS
  #first // the earliest event that was read; 0: none
  #turn = 0 // of the log that the events come from

  /**
   * @param {Skein} skein
   * @param {string} id
   */
  constructor(skein, id) {
    this.#skein = skein
    this.#id = id
    this.#first = Number(this.#earlier.dataset.before)
    this.#earlier.addEventListener('click', () => void this.#more())
    for (const el of this.#items()) {
      this.#seen.add(el.dataset.seq ?? '')
      const time = field(el, 'clock')
      write(time, clock(time.getAttribute('datetime') ?? 0))
    }
    setInterval(() => this.#tick(), 1000)
    this.#tick()
  }

  #items() {
    return /** @type {HTMLElement[]} */ ([...this.#list.children])
  }

  #tick() {
    const now = Date.now()
    for (const el of this.#items()) write(field(el, 'ago'), ago(now - Date.parse(field(el, 'clock').getAttribute('datetime') ?? '')))
  }

  /** What happened is told anew: the log is another one, or has lost some. */
  clear() {
    this.#seen.clear()
    this.#list.replaceChildren()
    this.#turn++
    this.#first = 0
    this.#most = MAX_MOMENTS
    void this.#load(0)
  }

  async #more() {
    const had = this.#list.childElementCount
    this.#most = MAX_EARLIER
    this.#earlier.disabled = true
    const turn = this.#turn
    // Many turns between idle and busy may lie between two events that are shown.
    while ((await this.#load(this.#first)) && turn === this.#turn && this.#list.childElementCount === had);
    this.#earlier.disabled = false
  }

  /**
   * Reads what happened before an event.
   * @param {number} before 0: the newest
   * @returns {Promise<boolean>} whether there is more
   */
  async #load(before) {
    const turn = this.#turn
    try {
      const { events, more } = await this.#skein.readEvents(this.#id, { which: 'lifecycle', newest: true, limit: PAGE, ...(before > 0 && { before }) })
      if (turn !== this.#turn) return false
      this.#first = events[0]?.seq ?? this.#first
      for (const e of events) this.add(e)
      this.#earlier.hidden = !more || this.#list.childElementCount >= MAX_EARLIER
      return more && events.length > 0
    } catch (e) {
      if (turn === this.#turn) failed('What happened earlier did not come', e)
      return false
    }
  }

  /** @param {AgentEvent} e */
  add(e) {
    const m = moment(e)
    const seq = String(e.seq)
    if (!m || this.#seen.has(seq)) return
    this.#seen.add(seq)
    const el = clone('moment')
    mark(el, 'data-seq', seq)
    mark(el, 'data-state', m.state)
    shape(field(el, 'glyph'), `s-${m.state}`)
    write(field(el, 'title'), m.title)
    const detail = field(el, 'detail')
    write(detail, m.detail)
    detail.hidden = m.detail === ''
    field(el, 'task-line').hidden = !m.task
    if (m.task) {
      mark(field(el, 'task'), 'href', at(`/tasks/${encodeURIComponent(m.task)}`))
      write(field(el, 'task'), shortId(m.task))
    }
    mark(field(el, 'clock'), 'datetime', e.time)
    mark(field(el, 'clock'), 'title', e.time)
    write(field(el, 'clock'), clock(e.time))
    write(field(el, 'ago'), ago(Date.now() - Date.parse(e.time)))
    const before = this.#items().find((x) => Number(x.dataset.seq) < e.seq)
    this.#list.insertBefore(el, before ?? null)
    while (this.#list.childElementCount > this.#most) this.#forget()
  }

  /** Takes the oldest away. */
  #forget() {
    const el = /** @type {HTMLElement} */ (this.#list.lastElementChild)
    this.#first = Number(el.dataset.seq) + 1
    this.#seen.delete(el.dataset.seq ?? '')
    el.remove()
    this.#earlier.hidden = this.#most >= MAX_EARLIER
  }
}

/**
 * @param {AgentEvent} e
 * @returns {{state: string, title: string, detail: string, task?: string} | undefined}
 */
function moment({ type, actor, data }) {
  switch (type) {
    case 'agent.spawned':
      return { state: 'pending', title: 'Spawned', detail: by(actor) }
    case 'agent.started':
      return { state: 'running', title: 'Started', detail: data.process ? `pid ${data.process.pid}` : '' }
    case 'agent.activity':
      if (data.activity !== 'requires_action') return undefined
      return { state: 'requires_action', title: NEEDS_YOU, detail: clean(data.text ?? '') }
    case 'input':
      return { state: 'input', title: 'Input', detail: inputDetail(data) }
    case 'agent.stopping':
      return { state: 'stopping', title: 'Stop requested', detail: by(actor) }
    case 'agent.signal':
      return { state: 'stopping', title: 'Signal sent', detail: clean(data.text ?? '') }
    case 'agent.exited': {
      const s = state({ status: 'exited', reason: data.reason ?? '' })
      return { state: s, title: stateWord(s), detail: data.exit ? exitText(data.exit) : '' }
    }
    case 'agent.crashed':
      return { state: 'failed', title: 'Crashed', detail: joinSentences(exitText(data.exit), clean(data.text ?? '')) }
    case 'agent.health':
      return health(clean(data.text ?? ''))
    case 'agent.task': {
      const s = data.state ?? 'working'
      return { state: taskGlyph(s), title: taskTurn(s), detail: clean(data.text ?? ''), task: data.task ?? '' }
    }
    case 'agent.log':
      return { state: 'input', title: 'Log', detail: clean(data.text ?? '') }
  }
  return undefined
}

/** @param {string} text "stalled: no output for 4s", divided into what it is, with its shape, and the rest */
function health(text) {
  const [what = '', ...rest] = text.split(': ')
  const shape = ['unknown', 'stalled', 'suspended'].includes(what) ? 'unknown' : what === 'lost' ? 'lost' : 'running'
  return { state: shape, title: upper(what), detail: upper(rest.join(': ')) }
}

/** @param {string} s */
const upper = (s) => s.charAt(0).toUpperCase() + s.slice(1)

/**
 * @param {string} a
 * @param {string} b
 */
const joinSentences = (a, b) => (b ? `${a.replace(/\.+$/, '')}. ${upper(b)}` : a)

/** @param {string} [actor] */
const by = (actor) => (actor && clean(actor) ? `by ${clean(actor)}` : '')

/** @param {import('../../client/types.js').AgentEventData} data */
function inputDetail(data) {
  if (data.base64) return count(decode(data.base64).length, 'byte', 'bytes')
  const s = [...clean(data.text ?? '')]
  if (s.length === 0) return 'end of input'
  return s.length > 80 ? `${s.slice(0, 79).join('')}…` : s.join('')
}
