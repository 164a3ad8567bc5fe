import { mark, one, settings, write } from './dom.js'
import { alive, clean, count, group, need, replaces, state } from './format.js'
import { Row } from './row.js'

/** @import { Agent } from '../client/types.js' */

/** @typedef {{query: string, type: string, state: string, sort: string}} Filter as in the page's address */

/** How many agents that need a person are shown before the others are folded. */
const MAX_FOLDED = 6

/** While the list is sorted by what changes all the time, its order follows this often, in milliseconds. */
const VOLATILE_MS = 2000

/** How many dismissed agents are remembered. */
const MAX_DISMISSED = 2000

const NEEDS = ['question', 'leftovers', 'unreachable', 'failed']
const STATES = ['running', 'starting', 'pending', 'stopping', 'unknown', 'lost', 'failed', 'stopped', 'completed', 'exited']
const names = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

/** @type {Record<string, (a: Agent, b: Agent) => number>} */
const ORDERS = {
  age: (a, b) => (a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : 0),
  name: (a, b) => names.compare(a.name, b.name),
  type: (a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0),
  status: (a, b) => STATES.indexOf(state(a)) - STATES.indexOf(state(b)),
  cpu: (a, b) => (b.usage.cpu ?? 0) - (a.usage.cpu ?? 0),
  memory: (a, b) => (b.usage.rss ?? 0) - (a.usage.rss ?? 0),
}

/** Orders whose natural direction goes up. */
const RISING = new Set(['age', 'name', 'type', 'status'])
const VOLATILE = new Set(['cpu', 'memory'])

/**
 * The list of agents: rows by id, their order, the filter, the selection. A change of a record changes its row; the
 * order is looked at again only when something changed on which it depends.
 *
 * Events: `select`, `arrange`.
 */
export class List extends EventTarget {
  /** @type {Map<string, Agent>} */
  #agents = new Map()
  /** @type {Map<string, Row>} */
  #rows = new Map()
  /** @type {Row[]} the rows that are shown, from top to bottom */
  #shown = []
  /** @type {Set<string>} */
  #picked = new Set()
  /** @type {string | undefined} where a range begins */
  #anchor
  #unfolded = false
  #touched = 0 // when the pointer last moved over the list
  #dismissed = new Set(/** @type {string[]} */ (JSON.parse(settings.get('dismissed') ?? '[]')))
  #arranging = false
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later
  #sight = new IntersectionObserver((entries) => {
    for (const e of entries) {
      const row = this.#rows.get(idOf(e.target))
      if (row) row.seen = e.isIntersecting
    }
  }, { rootMargin: '400px' })
  #el = {
    list: one(document, '#list'),
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

  /** @param {Filter} filter */
  constructor(filter) {
    super()
    this.filter = filter
    for (const el of /** @type {NodeListOf<HTMLElement>} */ (this.#el.list.querySelectorAll('.agent'))) {
      const id = el.dataset.id ?? ''
      this.#shown.push(this.#add(new Row(id, el)))
    }
    this.#listen()
    setInterval(() => this.#tick(), 1000)
    this.#tick()
  }

  /** @param {Row} row */
  #add(row) {
    this.#rows.set(row.id, row)
    this.#sight.observe(row.element)
    return row
  }

  /** @param {string} id */
  agent(id) {
    return this.#agents.get(id)
  }

  /**
   * Takes changed records in.
   * @param {Iterable<Agent>} agents
   * @param {Iterable<string>} [removed]
   */
  put(agents, removed = []) {
    const now = Date.now()
    let moved = false
    for (const a of agents) {
      const old = this.#agents.get(a.id)
      if (!replaces(a, old)) continue
      this.#agents.set(a.id, a)
      this.#rows.get(a.id)?.update(a, now)
      moved ||= !old || this.#moves(old, a)
    }
    for (const id of removed) {
      moved = this.#agents.delete(id) || moved
      const row = this.#rows.get(id)
      if (row) {
        this.#sight.unobserve(row.element)
        row.element.remove()
      }
      this.#rows.delete(id)
      this.#picked.delete(id)
    }
    if (moved) this.arrange()
    else if (VOLATILE.has(this.#sort.key)) this.#arrangeLater()
  }

  /**
   * The whole fleet: what is not in it is gone.
   * @param {ReadonlyMap<string, Agent>} agents
   */
  replace(agents) {
    const gone = [...this.#rows.keys(), ...this.#agents.keys()].filter((id) => !agents.has(id))
    this.put(agents.values(), gone)
    this.arrange()
  }

  get #sort() {
    const { sort } = this.filter
    const key = sort.replace(/^-/, '')
    return Object.hasOwn(ORDERS, key) ? { key, reverse: sort.startsWith('-') } : { key: 'age', reverse: false }
  }

  /**
   * Whether the change may move the row, or change a count.
   * @param {Agent} old
   * @param {Agent} a
   */
  #moves(old, a) {
    return (
      old.status !== a.status || old.reason !== a.reason || need(old) !== need(a) ||
      (this.filter.query !== '' && old.last_line !== a.last_line)
    )
  }

  #arrangeLater() {
    this.#later ??= setTimeout(() => {
      this.#later = undefined
      if (Date.now() - this.#touched < VOLATILE_MS) this.#arrangeLater() // rows must not move away under the pointer
      else this.arrange()
    }, VOLATILE_MS)
  }

  /** Puts the rows in order, in the next frame. */
  arrange() {
    if (this.#arranging) return
    this.#arranging = true
    const now = () => {
      if (!this.#arranging) return
      this.#arranging = false
      this.#arrangeNow()
    }
    if (document.hidden) setTimeout(now)
    else requestAnimationFrame(now)
  }

  #arrangeNow() {
    const { needs, rest, counts } = this.#divide()
    const folded = this.#unfolded ? 0 : Math.max(0, needs.length - MAX_FOLDED)
    const open = folded ? needs.slice(0, MAX_FOLDED) : needs
    const now = Date.now()
    const rows = (/** @type {Agent[]} */ agents) => agents.map((a) => this.#row(a, now))
    const shownNeeds = rows(open)
    const shownRest = rows(rest)
    keepFocus(() => {
      place(this.#el.needs, shownNeeds)
      place(this.#el.rest, shownRest)
    })
    this.#shown = [...shownNeeds, ...shownRest]
    const shown = new Set(this.#shown.map((r) => r.id))
    for (const id of this.#picked) if (!shown.has(id)) this.#pick(id, false)
    this.#write(needs, rest, folded, counts)
    this.dispatchEvent(new CustomEvent('arrange', { detail: counts }))
    this.#selected()
  }

  /** Who needs a person, the rest in order, and how many there are of each group. */
  #divide() {
    /** @type {Agent[]} */
    const needs = []
    /** @type {Agent[]} */
    const rest = []
    /** @type {Record<string, number>} */
    const counts = { '': this.#agents.size, needs: 0 }
    const query = this.filter.query.toLowerCase()
    let living = 0
    for (const a of this.#agents.values()) {
      const g = group(a)
      const needy = this.#needy(a)
      counts[g] = (counts[g] ?? 0) + 1
      if (needy) counts.needs = (counts.needs ?? 0) + 1
      if (alive(a)) living++
      if (!this.#match(a, g, needy, query)) continue
      if (needy) needs.push(a)
      else rest.push(a)
    }
    const newest = (/** @type {Agent} */ a, /** @type {Agent} */ b) => ORDERS.age?.(a, b) || b.num - a.num || (a.id < b.id ? -1 : 1)
    needs.sort((a, b) => NEEDS.indexOf(need(a)) - NEEDS.indexOf(need(b)) || newest(a, b))
    const { key, reverse } = this.#sort
    const order = ORDERS[key] ?? newest
    rest.sort((a, b) => (reverse ? -order(a, b) : order(a, b)) || newest(a, b))
    counts.alive = living
    return { needs, rest, counts }
  }

  /**
   * @param {Agent} a
   * @param {string} g
   * @param {boolean} needy
   * @param {string} query
   */
  #match(a, g, needy, query) {
    const { type, state: wanted } = this.filter
    if (type && a.type !== type) return false
    if (wanted && (wanted === 'needs' ? !needy : g !== wanted)) return false
    if (!query) return true
    return [a.name, a.id, a.type, (a.argv ?? []).join(' '), a.last_line ?? ''].join('\n').toLowerCase().includes(query)
  }

  /** @param {Agent} a */
  #needy(a) {
    return need(a) !== '' && !this.#dismissed.has(dismissal(a))
  }

  /**
   * @param {Agent} a
   * @param {number} now
   */
  #row(a, now) {
    const row = this.#rows.get(a.id) ?? this.#add(new Row(a.id))
    if (row.agent !== a) row.update(a, now)
    row.element.hidden = false
    row.dismissed = !this.#needy(a)
    return row
  }

  /**
   * @param {Agent[]} needs
   * @param {Agent[]} rest
   * @param {number} folded
   * @param {Record<string, number>} counts
   */
  #write(needs, rest, folded, counts) {
    const el = this.#el
    const none = needs.length + rest.length === 0
    el.list.hidden = none
    el.needs.hidden = needs.length === 0
    el.rest.hidden = rest.length === 0
    el.restHead.hidden = needs.length === 0
    write(el.needsCount, String(needs.length))
    write(el.restCount, String(rest.length))
    el.fold.hidden = needs.length <= MAX_FOLDED
    write(el.fold, folded ? `Show ${folded} more` : 'Show fewer')
    mark(el.fold, 'aria-expanded', String(!folded))
    el.dismiss.hidden = needs.filter((a) => need(a) === 'failed').length < 2
    el.noAgents.hidden = this.#agents.size > 0
    el.chips.hidden = el.filters.hidden = this.#agents.size === 0
    el.noMatch.hidden = this.#agents.size === 0 || !none
    write(el.noMatchText, `The filter hides ${this.#agents.size === 1 ? 'the only agent' : `all ${this.#agents.size} agents`}.`)
    const wanting = counts.needs === 0 ? '' : counts.needs === 1 ? ', 1 needs you' : `, ${counts.needs} need you`
    write(el.summary, this.#agents.size === 0 ? '' : `${count(this.#agents.size, 'agent', 'agents')}, ${counts.alive} alive${wanting}`)
  }

  #tick() {
    const now = Date.now()
    for (const row of this.#shown) row.tick(now)
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
    dismiss.addEventListener('click', () => this.dismiss([...this.#agents.values()].filter((a) => need(a) === 'failed')))
    pickAll.addEventListener('click', () => {
      const on = pickAll.getAttribute('aria-checked') !== 'true'
      for (const row of this.#shown) this.#pick(row.id, on)
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
    return this.#shown.flatMap((r) => (this.#picked.has(r.id) && r.agent ? [r.agent] : []))
  }

  /**
   * @param {string} id
   * @param {boolean} range from the last one to this
   * @param {boolean} [on]
   */
  toggle(id, range, on = !this.#picked.has(id)) {
    const index = (/** @type {string | undefined} */ x) => this.#shown.findIndex((r) => r.id === x)
    const from = range ? index(this.#anchor) : -1
    const to = index(id)
    if (from >= 0 && to >= 0) for (let i = Math.min(from, to); i <= Math.max(from, to); i++) this.#pick(this.#shown[i]?.id ?? '', on)
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
    const row = this.#rows.get(id)
    if (!row) return
    if (on) this.#picked.add(id)
    else this.#picked.delete(id)
    mark(row.pick, 'aria-checked', String(on))
    mark(row.element, 'data-picked', on)
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

  /** @param {1 | -1} step */
  move(step) {
    const at = this.#shown.findIndex((r) => r === this.current)
    const to = at < 0 ? (step > 0 ? 0 : this.#shown.length - 1) : at + step
    this.#shown[Math.max(0, Math.min(this.#shown.length - 1, to))]?.name.focus()
  }

  /**
   * Shows a new agent: the focus goes to it. False when the filter hides it.
   * @param {string[]} ids
   */
  reveal(ids) {
    if (this.#arranging) {
      this.#arranging = false
      this.#arrangeNow()
    }
    const rows = this.#shown.filter((r) => ids.includes(r.id))
    for (const { element } of rows) {
      mark(element, 'data-fresh', true)
      element.addEventListener('animationend', () => element.removeAttribute('data-fresh'), { once: true })
    }
    rows[0]?.name.focus()
    return rows.length > 0
  }

  /** How the column headers show the order. */
  get direction() {
    const { key, reverse } = this.#sort
    return { key, rising: RISING.has(key) !== reverse }
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
 * Makes the rows of a group the given ones, in order, moving as few as it can.
 * @param {HTMLElement} parent its first child is the group's head
 * @param {Row[]} rows
 */
function place(parent, rows) {
  let at = parent.firstElementChild?.nextElementSibling ?? null
  for (const { element } of rows) {
    if (at && at !== element && at.nextElementSibling === element) {
      const gone = at
      at = element
      gone.remove()
    }
    if (at === element) at = at.nextElementSibling
    else parent.insertBefore(element, at)
  }
  while (at) {
    const gone = at
    at = at.nextElementSibling
    gone.remove()
  }
}

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
