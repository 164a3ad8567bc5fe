import { one, settings, write, mark } from '../lib/dom.js'
import { clean, need, replaces } from '../lib/format.js'
import { tick } from '../lib/ticks.js'
import { List } from '../list/list.js'
import { Windowed, everything, sight } from '../list/window.js'
import { Order, direction } from './order.js'
import { Row } from './row.js'

/** @import { Agent } from '../../client/types.js' */
/** @import { Arrangement, Entry, Filter } from './order.js' */

/** How many agents that need a person are shown; the others are folded. */
const MAX_FOLDED = 6

/** How often the list is sorted again while it is in an order that changes all the time, in milliseconds. */
const VOLATILE_MS = 2000

/** How many dismissed agents are remembered. */
const MAX_DISMISSED = 2000

/**
 * AgentList is the list of agents: two groups, of which only the agents near the window have rows. In a frame, the page is
 * first read and then written.
 * @extends {List<Agent, Entry, Row>}
 */
export class AgentList extends List {
  #order = new Order((a) => this.#dismissed.has(dismissal(a)))
  #open = 0 // how many of the shown agents are in the group "Needs you"
  #unfolded = false
  #touched = 0 // when the pointer last moved over the list, in milliseconds since 1970
  #dismissed = new Set(/** @type {string[]} */ (JSON.parse(settings.get('dismissed') ?? '[]')))
  #due = { order: false, ages: false }
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later
  /** @type {Entry | undefined} has a row wherever it is */
  #pin
  #print = false
  #want
  /** @type {Map<string, string | undefined>} rendered agents that wait for the next frame; undefined for one that is gone */
  #html = new Map()
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
  }

  /** @type {Windowed<Entry, Row>} */
  #needs = new Windowed(this.#el.needs)
  /** @type {Windowed<Entry, Row>} */
  #rest = new Windowed(this.#el.rest)

  /**
   * @param {Filter} filter
   * @param {(id: string) => void} want asks for the HTML of an agent
   */
  constructor(filter, want) {
    super({ views: [one(document, '#list')], item: '.agent', record: (e) => e.agent })
    this.filter = filter
    this.#want = want
    const { needs, rest, restCount } = this.#el
    this.#adopt(this.#needs, needs, 0) // folded agents take no space
    this.#adopt(this.#rest, rest, Number(restCount.textContent))
    this.#listen()
    this.#follow()
  }

  /**
   * @param {Windowed<Entry, Row>} group
   * @param {HTMLElement} el
   * @param {number} total
   */
  #adopt(group, el, total) {
    const elements = /** @type {HTMLElement[]} */ ([...el.querySelectorAll('.agent')])
    const adopted = elements.map((row) => new Row(row.dataset.id ?? '', row))
    for (const row of adopted) this.rows.set(row.id, row)
    group.adopt(adopted, total)
  }

  /** Updates the rows when scrolling, resizing or anything else changes what is in the window. */
  #follow() {
    addEventListener('scroll', () => this.#look(), { passive: true })
    addEventListener('resize', () => this.#look())
    addEventListener('beforeprint', () => this.#printed(true))
    addEventListener('afterprint', () => this.#printed(false))
  }

  /** @param {boolean} on paper has no window: it gets every row */
  #printed(on) {
    this.#print = on
    this.write()
  }

  tick() {
    this.#due.ages = true
    this.#look()
  }

  /** @param {string} id */
  get(id) {
    return this.#order.get(id)
  }

  /** How many agents there are, whatever the filter. */
  get size() {
    return this.#order.size
  }

  /**
   * Takes changed records.
   * @param {Iterable<Agent>} agents
   * @param {Iterable<string>} [removed]
   */
  put(agents, removed = []) {
    let moved = false
    let seen = false
    for (const a of agents) {
      if (!replaces(a, this.#order.get(a.id))) continue
      moved = this.#order.put(a) || moved
      seen ||= this.rows.has(a.id)
    }
    for (const id of removed) {
      moved = this.#order.delete(id) || moved
      this.rows.delete(id) // the next frame removes it from the page
    }
    this.whole = true
    if (moved) this.arrange()
    else if (seen) this.#look()
    if (direction(this.filter.sort).volatile) this.#arrangeLater()
  }

  /**
   * Takes the whole fleet; agents that are not in it are gone.
   * @param {ReadonlyMap<string, Agent>} agents
   */
  replace(agents) {
    this.put(agents.values(), [...this.#order.ids].filter((id) => !agents.has(id)))
    this.arrange()
  }

  #arrangeLater() {
    this.#later ??= setTimeout(() => {
      this.#later = undefined
      if (Date.now() - this.#touched < VOLATILE_MS) return this.#arrangeLater() // rows must not move under the pointer
      this.#order.again()
      this.arrange()
    }, VOLATILE_MS)
  }

  // --- a frame ---

  /** Puts the agents in order, in the next frame. */
  arrange() {
    this.#due.order = true
    this.schedule()
  }

  /** Updates the rows in the page, and gives rows to agents that came near the window. */
  #look() {
    if (!document.hidden) this.schedule()
  }

  frame() {
    const { order, ages } = this.#due
    this.#due = { order: false, ages: false }
    this.#measure(ages)
    if (order) this.#arrange()
    this.#place()
    this.#update()
    if (ages) tick(this.#el.list)
  }

  /** Updates the rows, and requests the HTML of those that need it. */
  #update() {
    for (const [id, html] of this.#html) this.rows.get(id)?.show(html)
    if (this.#html.size > 0) this.#due.ages = true // the height of a row may have changed
    this.#html.clear()
    for (const row of this.rows.values()) {
      row.update()
      if (!row.lacks) continue
      row.ask()
      this.#want(row.id)
    }
  }

  /**
   * Takes a rendered agent.
   * @param {string[]} ids
   * @param {Record<string, string>} html
   */
  rendered(ids, html) {
    for (const id of ids) this.#html.set(id, html[id])
    this.#look()
  }

  /** @param {boolean} heights whether to measure existing rows too, since longer text may have changed their height */
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
    this.#open = open.length
    this.#needs.entries = open
    this.#rest.entries = rest
    this.setShown([...open, ...rest])
    this.#write(arrangement, folded)
    this.dispatchEvent(new CustomEvent('arrange', { detail: arrangement }))
  }

  /** Gives rows to the agents near the window, and removes those of all others. */
  #place() {
    const part = this.#print ? everything : sight()
    const focused = this.current?.entry
    const kept = (/** @type {Entry} */ e) => e === focused || e === this.#pin
    const below = this.#open > 0 ? 2 + this.#open + 1 : 1 // how many rows of the table are above the second group
    /** @type {Set<Row>} */
    const placed = new Set()
    this.place(() => {
      for (const row of this.#needs.place(part, kept, (e, i) => this.#row(e, 3 + i))) placed.add(row)
      for (const row of this.#rest.place(part, kept, (e, i) => this.#row(e, below + 1 + i))) placed.add(row)
    })
    for (const [id, row] of this.rows) if (!placed.has(row) && !row.draft) this.rows.delete(id)
    if (this.#needs.changed || this.#rest.changed) this.#look() // new rows may have another height, which moves the rows below
  }

  /**
   * @param {Entry} entry
   * @param {number} index
   */
  #row(entry, index) {
    const { id } = entry.agent
    let row = this.rows.get(id)
    if (!row) {
      row = new Row(id)
      this.rows.set(id, row)
    }
    row.entry = entry
    row.index = index
    row.picked = this.isPicked(id)
    row.dismissed = !this.#order.needy(entry.agent)
    return row
  }

  /**
   * @param {Arrangement} arrangement
   * @param {number} folded
   */
  #write({ needs, rest }, folded) {
    const el = this.#el
    el.list.hidden = needs.length + rest.length === 0
    el.needs.hidden = needs.length === 0
    el.rest.hidden = rest.length === 0
    el.restHead.hidden = needs.length === 0
    mark(el.list, 'aria-rowcount', String(1 + this.shown.length + (needs.length > 0 ? (rest.length > 0 ? 2 : 1) : 0)))
    mark(el.restHead, 'aria-rowindex', String(2 + this.#open + 1))
    write(el.needsCount, String(needs.length))
    write(el.restCount, String(rest.length))
    el.fold.hidden = needs.length <= MAX_FOLDED || this.filter.state !== ''
    write(el.fold, folded ? `Show ${folded} more` : 'Show fewer')
    mark(el.fold, 'aria-expanded', String(!folded))
    el.dismiss.hidden = needs.filter((e) => need(e.agent) === 'failed').length < 2
  }

  /**
   * Records that a person has dismissed what agents need.
   * @param {Agent[]} agents
   */
  dismiss(agents) {
    for (const a of agents) this.#dismissed.add(dismissal(a))
    settings.set('dismissed', JSON.stringify([...this.#dismissed].slice(-MAX_DISMISSED)))
    this.arrange()
  }

  #listen() {
    const { list, fold, dismiss } = this.#el
    list.addEventListener('pointermove', () => (this.#touched = Date.now()), { passive: true })
    fold.addEventListener('click', () => {
      this.#unfolded = !this.#unfolded
      this.arrange()
    })
    dismiss.addEventListener('click', () => this.dismiss(this.#order.agents.filter((a) => need(a) === 'failed')))
  }

  // --- the row that has the focus ---

  /** @param {1 | -1} step the direction from the row that has the focus or, without one, from the edge of the visible part */
  move(step) {
    this.moving(() => this.#move(step))
  }

  /** @param {1 | -1} step */
  #move(step) {
    const at = this.shown.findIndex((e) => e === this.at)
    const to = at < 0 ? this.#edge(step) : at + step
    this.focus(this.shown[Math.max(0, Math.min(this.shown.length - 1, to))])
  }

  /** Moves the focus to the first agent. */
  first() {
    this.focus(this.shown[0])
  }

  /** @param {1 | -1} step */
  #edge(step) {
    const above = [this.#el.top, this.#el.columns].map((el) => el.getBoundingClientRect().bottom)
    const inSight = (/** @type {Entry} */ e) => {
      const box = this.rows.get(e.agent.id)?.element.getBoundingClientRect()
      return box !== undefined && box.height > 0 && box.top >= Math.max(...above) - 1 && box.bottom <= innerHeight
    }
    return step > 0 ? this.shown.findIndex(inSight) : this.shown.findLastIndex(inSight)
  }

  /** @param {Entry} entry */
  giveRow(entry) {
    if (this.rows.get(entry.agent.id)?.element.isConnected) return
    this.#pin = entry
    this.write()
    this.#pin = undefined
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
