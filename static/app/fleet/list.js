import { mark, one, settings, write } from '../lib/dom.js'
import { clean, count, need, needYou, replaces } from '../lib/format.js'
import { Order, direction } from './order.js'
import { Row } from './row.js'
import { Rows, everything, sight } from './rows.js'

/** @import { Agent } from '../../client/types.js' */
/** @import { Arrangement, Entry, Filter } from './order.js' */

/** How many agents that need a person are shown before the others are folded. */
const MAX_FOLDED = 6

/** While the list is sorted by what changes all the time, its order follows this often, in milliseconds. */
const VOLATILE_MS = 2000

/** How many dismissed agents are remembered. */
const MAX_DISMISSED = 2000

/**
 * The list of agents: their order, the filter, the selection, and rows for those near the window. What changes is noted,
 * and written once in a frame: the page is read first, then written.
 *
 * Events: `select`, `arrange` (its detail is the Arrangement).
 */
export class List extends EventTarget {
  #order = new Order((a) => this.#dismissed.has(dismissal(a)))
  /** @type {Map<string, Row>} those in the page, and those that hold the draft of an answer */
  #rows = new Map()
  /** @type {Entry[]} the agents that are shown, from top to bottom */
  #shown = []
  #open = 0 // how many of #shown stand under "Needs you"
  /** @type {Set<string>} */
  #picked = new Set()
  /** @type {string | undefined} where a range begins */
  #anchor
  #unfolded = false
  #touched = 0 // when the pointer last moved over the list
  #dismissed = new Set(/** @type {string[]} */ (JSON.parse(settings.get('dismissed') ?? '[]')))
  #whole = false // the fleet is known; until then the page is as the server rendered it
  #due = { frame: false, order: false, ages: false }
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later
  /** @type {Entry | undefined} has a row wherever it is */
  #pin
  #print = false
  #width = innerWidth
  #el = {
    top: one(document, '.top'),
    list: one(document, '#list'),
    columns: one(document, '#list .columns'),
    needs: one(document, '#needs'),
    rest: one(document, '#rest'),
    restHead: one(document, '#rest-head'),
    needsCount: one(document, '#needs-count'),
    restCount: one(document, '#rest-count'),
    fold: one(document, '#needs-fold'),
    dismiss: one(document, '#needs-dismiss'),
    chips: one(document, '#chips'),
    filters: one(document, '#filters'),
    noAgents: one(document, '#no-agents'),
    noMatch: one(document, '#no-match'),
    noMatchText: one(document, '#no-match-text'),
    summary: one(document, '#summary'),
    pickAll: one(document, '#pick-all'),
  }

  /** @type {Record<string, number>} how many tasks one agent may have in work, by type */
  #most = JSON.parse(this.#el.list.dataset.most ?? '{}')

  #needs = new Rows(this.#el.needs)
  #rest = new Rows(this.#el.rest)

  /** @param {Filter} filter */
  constructor(filter) {
    super()
    this.filter = filter
    const { needs, rest, restCount } = this.#el
    this.#adopt(this.#needs, needs, 0) // those that are folded need no room
    this.#adopt(this.#rest, rest, Number(restCount.textContent))
    this.#listen()
    this.#follow()
  }

  /**
   * @param {Rows} rows
   * @param {HTMLElement} group
   * @param {number} total
   */
  #adopt(rows, group, total) {
    const elements = /** @type {HTMLElement[]} */ ([...group.querySelectorAll('.agent')])
    const adopted = elements.map((el) => new Row(el.dataset.id ?? '', this.#most, el))
    for (const row of adopted) this.#rows.set(row.id, row)
    rows.adopt(adopted, total)
  }

  /** Looks again whenever something else than the fleet changes what is in the window. */
  #follow() {
    addEventListener('scroll', () => this.#look(), { passive: true })
    addEventListener('resize', () => this.#look())
    addEventListener('beforeprint', () => this.#printed(true))
    addEventListener('afterprint', () => this.#printed(false))
    setInterval(() => {
      this.#due.ages = true
      this.#look()
    }, 1000)
  }

  /** @param {boolean} on paper has no window: it gets every row */
  #printed(on) {
    this.#print = on
    this.#frame()
  }

  /** @param {string} id */
  agent(id) {
    return this.#order.get(id)
  }

  /**
   * Takes changed records in.
   * @param {Iterable<Agent>} agents
   * @param {Iterable<string>} [removed]
   */
  put(agents, removed = []) {
    let moved = false
    let seen = false
    for (const a of agents) {
      if (!replaces(a, this.#order.get(a.id))) continue
      moved = this.#order.put(a) || moved
      seen ||= this.#rows.has(a.id)
    }
    for (const id of removed) {
      moved = this.#order.delete(id) || moved
      this.#picked.delete(id)
      this.#rows.delete(id) // the next frame takes it out of the page
    }
    this.#whole = true
    if (moved) this.arrange()
    else if (seen) this.#look()
    if (direction(this.filter.sort).volatile) this.#arrangeLater()
  }

  /**
   * The whole fleet: what is not in it is gone.
   * @param {ReadonlyMap<string, Agent>} agents
   */
  replace(agents) {
    this.put(agents.values(), [...this.#order.ids].filter((id) => !agents.has(id)))
    this.arrange()
  }

  #arrangeLater() {
    this.#later ??= setTimeout(() => {
      this.#later = undefined
      if (Date.now() - this.#touched < VOLATILE_MS) return this.#arrangeLater() // rows must not move away under the pointer
      this.#order.again()
      this.arrange()
    }, VOLATILE_MS)
  }

  // --- a frame ---

  /** Puts the agents in order, in the next frame. */
  arrange() {
    this.#due.order = true
    this.#schedule()
  }

  /** Writes what changed of the rows that are in the page, and gives rows to what came near the window. */
  #look() {
    if (!document.hidden) this.#schedule()
  }

  #schedule() {
    if (this.#due.frame || !this.#whole) return
    this.#due.frame = true
    const now = () => this.#due.frame && this.#frame()
    if (document.hidden) setTimeout(now)
    else requestAnimationFrame(now)
  }

  #frame() {
    if (!this.#whole) return
    const { order, ages } = this.#due
    this.#due = { frame: false, order: false, ages: false }
    this.#measure(ages)
    if (order) this.#arrange()
    this.#place()
    const now = Date.now()
    for (const row of this.#rows.values()) {
      row.update(now)
      if (ages) row.writeAge(now)
    }
  }

  /** @param {boolean} heights also those of rows that stayed: a word more may have made one higher */
  #measure(heights) {
    if (this.#width !== innerWidth) {
      this.#width = innerWidth
      this.#needs.resized()
      this.#rest.resized()
      heights = true
    }
    this.#needs.measure(heights)
    this.#rest.measure(heights)
  }

  #arrange() {
    const arrangement = this.#order.arrange(this.filter)
    const { needs, rest } = arrangement
    const folded = this.#unfolded || this.filter.state ? 0 : Math.max(0, needs.length - MAX_FOLDED)
    const open = needs.slice(0, needs.length - folded)
    this.#shown = [...open, ...rest]
    this.#open = open.length
    this.#needs.entries = open
    this.#rest.entries = rest
    this.#drop()
    this.#write(arrangement, folded)
    this.dispatchEvent(new CustomEvent('arrange', { detail: arrangement }))
  }

  /** What is no longer shown is no longer selected. */
  #drop() {
    if (this.#picked.size > 0) {
      const shown = new Set(this.#shown.map((e) => e.agent.id))
      for (const id of this.#picked) if (!shown.has(id)) this.#pick(id, false)
    }
    this.#selected()
  }

  /** Gives rows to the agents near the window, and takes those of the others away. */
  #place() {
    const part = this.#print ? everything : sight()
    const focused = this.current?.entry
    const kept = (/** @type {Entry} */ e) => e === focused || e === this.#pin
    const below = this.#open > 0 ? 2 + this.#open + 1 : 1 // rows of the table above the first of the others
    /** @type {Set<Row>} */
    const placed = new Set()
    keepFocus(() => {
      for (const row of this.#needs.place(part, kept, (e, i) => this.#row(e, 3 + i))) placed.add(row)
      for (const row of this.#rest.place(part, kept, (e, i) => this.#row(e, below + 1 + i))) placed.add(row)
    })
    for (const [id, row] of this.#rows) if (!placed.has(row) && !row.draft) this.#rows.delete(id)
    if (this.#needs.changed || this.#rest.changed) this.#look() // what came has its own height, what is below it another place
  }

  /**
   * @param {Entry} entry
   * @param {number} index
   */
  #row(entry, index) {
    const { id } = entry.agent
    let row = this.#rows.get(id)
    if (!row) {
      row = new Row(id, this.#most)
      this.#rows.set(id, row)
    }
    row.entry = entry
    row.index = index
    row.picked = this.#picked.has(id)
    row.dismissed = !this.#order.needy(entry.agent)
    return row
  }

  /**
   * @param {Arrangement} arrangement
   * @param {number} folded
   */
  #write({ needs, rest, counts }, folded) {
    const el = this.#el
    const all = this.#order.size
    const none = needs.length + rest.length === 0
    el.list.hidden = none
    el.needs.hidden = needs.length === 0
    el.rest.hidden = rest.length === 0
    el.restHead.hidden = needs.length === 0
    mark(el.list, 'aria-rowcount', String(1 + this.#shown.length + (needs.length > 0 ? (rest.length > 0 ? 2 : 1) : 0)))
    mark(el.restHead, 'aria-rowindex', String(2 + this.#open + 1))
    write(el.needsCount, String(needs.length))
    write(el.restCount, String(rest.length))
    el.fold.hidden = needs.length <= MAX_FOLDED || this.filter.state !== ''
    write(el.fold, folded ? `Show ${folded} more` : 'Show fewer')
    mark(el.fold, 'aria-expanded', String(!folded))
    el.dismiss.hidden = needs.filter((e) => need(e.agent) === 'failed').length < 2
    el.noAgents.hidden = all > 0
    el.chips.hidden = el.filters.hidden = all === 0
    el.noMatch.hidden = all === 0 || !none
    write(el.noMatchText, `The filter hides ${all === 1 ? 'the only agent' : `all ${all} agents`}.`)
    const wanting = counts.needs === 0 ? '' : `, ${needYou(counts.needs)}`
    write(el.summary, all === 0 ? '' : `${count(all, 'agent', 'agents')}, ${counts.alive} alive${wanting}`)
  }

  /**
   * The agent needs a person no more, by that person's word.
   * @param {Agent[]} agents
   */
  dismiss(agents) {
    for (const a of agents) this.#dismissed.add(dismissal(a))
    settings.set('dismissed', JSON.stringify([...this.#dismissed].slice(-MAX_DISMISSED)))
    this.arrange()
  }

  #listen() {
    const { list, fold, dismiss, pickAll } = this.#el
    list.addEventListener('pointermove', () => (this.#touched = Date.now()), { passive: true })
    fold.addEventListener('click', () => {
      this.#unfolded = !this.#unfolded
      this.arrange()
    })
    dismiss.addEventListener('click', () => this.dismiss(this.#order.agents.filter((a) => need(a) === 'failed')))
    pickAll.addEventListener('click', () => {
      const on = pickAll.getAttribute('aria-checked') !== 'true'
      for (const e of this.#shown) this.#pick(e.agent.id, on)
      this.#selected()
    })
    list.addEventListener('click', (e) => {
      const target = /** @type {HTMLElement} */ (e.target)
      if (target.matches('.agent .pick')) this.toggle(idOf(target), e.shiftKey)
    })
  }

  // --- selection ---

  /** The selected agents, from top to bottom. */
  get picked() {
    return this.#picked.size === 0 ? [] : this.#shown.flatMap((e) => (this.#picked.has(e.agent.id) ? [e.agent] : []))
  }

  /**
   * @param {string} id
   * @param {boolean} range from the last one to this
   * @param {boolean} [on]
   */
  toggle(id, range, on = !this.#picked.has(id)) {
    const index = (/** @type {string | undefined} */ x) => this.#shown.findIndex((e) => e.agent.id === x)
    const from = range ? index(this.#anchor) : -1
    const to = index(id)
    if (from >= 0 && to >= 0) for (let i = Math.min(from, to); i <= Math.max(from, to); i++) this.#pick(this.#shown[i]?.agent.id ?? '', on)
    else this.#pick(id, on)
    this.#anchor = id
    this.#selected()
  }

  clear() {
    for (const id of [...this.#picked]) this.#pick(id, false)
    this.#selected()
  }

  /**
   * @param {string} id
   * @param {boolean} on
   */
  #pick(id, on) {
    if (!this.#order.get(id)) return
    if (on) this.#picked.add(id)
    else this.#picked.delete(id)
    const row = this.#rows.get(id)
    if (row) row.picked = on
  }

  #selected() {
    const { pickAll } = this.#el
    const n = this.#picked.size
    mark(pickAll, 'aria-checked', n === 0 ? 'false' : n === this.#shown.length ? 'true' : 'mixed')
    this.dispatchEvent(new Event('select'))
  }

  // --- the row that has the focus ---

  /** @returns {Row | undefined} */
  get current() {
    const id = idOf(document.activeElement)
    return id ? this.#rows.get(id) : undefined
  }

  /** @param {1 | -1} step from the row that has the focus, or else from the edge of what is in sight */
  move(step) {
    const at = this.#shown.findIndex((e) => e === this.current?.entry)
    const to = at < 0 ? this.#edge(step) : at + step
    this.#focus(this.#shown[Math.max(0, Math.min(this.#shown.length - 1, to))])
  }

  /** The focus goes to the first agent. */
  first() {
    this.#focus(this.#shown[0])
  }

  /** @param {1 | -1} step */
  #edge(step) {
    const above = [this.#el.top, this.#el.columns].map((el) => el.getBoundingClientRect().bottom)
    const inSight = (/** @type {Entry} */ e) => {
      const box = this.#rows.get(e.agent.id)?.element.getBoundingClientRect()
      return box !== undefined && box.height > 0 && box.top >= Math.max(...above) - 1 && box.bottom <= innerHeight
    }
    return step > 0 ? this.#shown.findIndex(inSight) : this.#shown.findLastIndex(inSight)
  }

  /** @param {Entry} [entry] gets a row if it has none, and the focus */
  #focus(entry) {
    if (!entry) return
    this.#pin = entry
    if (!this.#rows.get(entry.agent.id)?.element.isConnected) this.#frame()
    this.#rows.get(entry.agent.id)?.name.focus()
    this.#pin = undefined
  }

  /**
   * Shows new agents: the focus goes to the first. False when the filter hides them.
   * @param {string[]} ids
   */
  reveal(ids) {
    this.#frame()
    const fresh = new Set(ids)
    const shown = this.#shown.filter((e) => fresh.has(e.agent.id))
    this.#focus(shown[0])
    for (const { agent } of shown) {
      const element = this.#rows.get(agent.id)?.element
      if (!element) continue
      mark(element, 'data-fresh', true)
      element.addEventListener('animationend', () => element.removeAttribute('data-fresh'), { once: true })
    }
    return shown.length > 0
  }

  /** How the column headers show the order. */
  get direction() {
    return direction(this.filter.sort)
  }

  /** @param {Agent} a */
  static title(a) {
    return clean(a.name) || a.id
  }
}

/** @param {Agent} a another start, another need */
const dismissal = (a) => `${a.id}/${a.generation}/${need(a)}`

/** @param {Element | null} el */
const idOf = (el) => /** @type {HTMLElement | null | undefined} */ (el?.closest('.agent'))?.dataset.id ?? ''

/**
 * An element that moves loses the focus; it gets it back, with what was selected in it.
 * @param {() => void} move
 */
function keepFocus(move) {
  const had = /** @type {HTMLElement | null} */ (document.activeElement)
  const text = had instanceof HTMLInputElement && had.type === 'text' ? /** @type {const} */ ([had.selectionStart, had.selectionEnd]) : undefined
  move()
  if (!had || had === document.activeElement || !had.isConnected) return
  had.focus({ preventScroll: true })
  if (text && had instanceof HTMLInputElement) had.setSelectionRange(...text)
}
