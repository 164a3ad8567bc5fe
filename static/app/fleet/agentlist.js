import { mark, one } from '../lib/dom.js'
import { clean, replaces } from '../lib/format.js'
import { tick } from '../lib/ticks.js'
import { List } from '../list/list.js'
import { everything, sight } from '../list/window.js'
import { alike, question } from './alike.js'
import { Order, direction } from './order.js'
import { Part } from './part.js'
import { Peek } from './peek.js'
import { Row } from './row.js'
import { Seen } from './seen.js'

/** @import { Agent } from '../../client/types.js' */
/** @import { Entry, Filter } from './order.js' */

/** How often the list is sorted again while it is in an order that changes all the time, in milliseconds. */
const VOLATILE_MS = 2000

/**
 * AgentList is the list of agents: groups, of which only the agents near the window have rows. In a frame, the page is
 * first read and then written.
 * @extends {List<Agent, Entry, Row>}
 */
export class AgentList extends List {
  #seen = new Seen()
  #order = new Order((a) => this.#seen.has(a))
  #touched = 0 // when the pointer last moved over the list, in milliseconds since 1970
  #due = { order: false, ages: false }
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later
  /** @type {Entry | undefined} has a row wherever it is */
  #pin
  #print = false
  /** What a row shows that is open. */
  peek
  #want
  /** @type {Map<string, string | undefined>} rendered agents that wait for the next frame; undefined for one that is gone */
  #html = new Map()
  /** @type {Map<string, number>} how many agents ask the same */
  #alike = new Map()
  #width = innerWidth
  #el = { top: one(document, '.top'), list: one(document, '#list'), columns: one(document, '#list .columns') }
  #parts = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('#list [role="rowgroup"][data-group]')]).map((el) => new Part(el))

  /**
   * @param {Filter} filter
   * @param {(id: string) => void} want asks for the HTML of an agent
   * @param {(id: string) => Promise<string | undefined>} peek renders the last of what an agent shows
   */
  constructor(filter, want, peek) {
    super({ views: [one(document, '#list')], item: '.agent', record: (e) => e.agent })
    this.filter = filter
    this.#want = want
    this.peek = new Peek(peek, () => {
      this.#due.ages = true // another height moves the rows below
      this.#look()
    })
    for (const part of this.#parts) for (const row of part.adopt()) this.rows.set(row.id, row)
    this.#listen()
    this.#follow()
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
    if (direction(this.filter.sort).volatile || this.#order.stale) this.#arrangeLater()
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
    this.peek.look()
    for (const row of this.rows.values()) {
      row.update()
      if (row.agent) row.alike = this.#alike.get(question(row.agent)) ?? 0
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
      for (const { rows } of this.#parts) rows.resized()
      heights = true
    }
    for (const { rows } of this.#parts) rows.measure(heights)
  }

  #arrange() {
    const arrangement = this.#order.arrange(this.filter)
    this.#alike = alike(this.#order.agents)
    let head = 2 // the columns' head is above
    for (const part of this.#parts) head = part.show(arrangement.groups[part.key], head, this.filter.state === '')
    this.setShown(this.#parts.flatMap((p) => p.open))
    this.#el.list.hidden = this.shown.length === 0
    mark(this.#el.list, 'aria-rowcount', String(head - 1))
    this.dispatchEvent(new CustomEvent('arrange', { detail: arrangement }))
  }

  /** Gives rows to the agents near the window, and removes those of all others. */
  #place() {
    const part = this.#print ? everything : sight()
    const focused = this.current?.entry
    const open = this.peek.row
    const kept = (/** @type {Entry} */ e) => e === focused || e === this.#pin || e === open?.entry
    /** @type {Set<Row>} */
    const placed = new Set()
    this.place(() => {
      for (const { rows, head } of this.#parts) for (const row of rows.place(part, kept, (e, i) => this.#row(e, head + 1 + i))) placed.add(row)
    })
    for (const [id, row] of this.rows) if (!placed.has(row) && !row.draft) this.rows.delete(id)
    if (open && !placed.has(open)) this.peek.close() // the filter hides it, or it is gone
    if (this.#parts.some(({ rows }) => rows.changed)) this.#look() // new rows may have another height, which moves the rows below
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
    row.dismissed = this.#seen.has(entry.agent)
    return row
  }

  /**
   * Records that a person has dismissed what agents need.
   * @param {Agent[]} agents
   */
  dismiss(agents) {
    this.#seen.add(agents)
    this.arrange()
  }

  /** Removes agents that have ended, after a question: the page says how. @type {(agents: Agent[]) => void} */
  remove = () => {}

  #listen() {
    this.#el.list.addEventListener('pointermove', () => (this.#touched = Date.now()), { passive: true })
    for (const part of this.#parts) part.listen({ arrange: () => this.arrange(), dismiss: (agents) => this.dismiss(agents), remove: (agents) => this.remove(agents) })
    const again = () => {
      this.#seen.read() // on another page, agents were looked at or dismissed
      this.arrange()
    }
    addEventListener('storage', again)
    addEventListener('pageshow', (e) => e.persisted && again())
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
