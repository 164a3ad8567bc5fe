import { alive, group, need, state } from '../lib/format.js'

/** @import { Agent } from '../../client/types.js' */

/** @typedef {{query: string, type: string, label: string, node: string, state: string, sort: string}} Filter the filter in the page's URL */

/**
 * @typedef {object} Entry an agent in the list; an agent keeps its entry until it is forgotten
 * @property {Agent} agent its newest record
 * @property {string} words the unchanging text that a query is matched against
 * @property {boolean} matches whether it matches the query
 * @property {boolean} idle whether it had nothing to do when the list was last sorted
 */

/** @typedef {'needs' | 'failing' | 'working' | 'finished' | 'tasks' | 'ended'} Key of a group */

/**
 * @typedef {object} Arrangement
 * @property {Record<Key, Entry[]>} groups what the filter lets through, each group in its order
 * @property {Record<string, number>} counts the number in each group, whatever the filter; '' is what is shown without one
 * @property {Map<string, number>} living how many of each type are alive
 * @property {Set<string>} labels of all agents, as key=value
 * @property {Set<string>} nodes of all agents
 */

/** The groups of the list, from top to bottom. @type {Key[]} */
export const KEYS = ['needs', 'failing', 'working', 'finished', 'tasks', 'ended']

const NEEDS = ['leftovers', 'unreachable', 'loop', 'suspended', 'stalled', '', 'failed']
const STATES = ['running', 'starting', 'pending', 'stopping', 'unknown', 'lost', 'failed', 'stopped', 'completed', 'exited']
const names = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

/** @typedef {(a: Agent, b: Agent) => number} Compare */

/** @type {Record<string, Compare>} */
const ORDERS = {
  age: (a, b) => (a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : 0),
  name: (a, b) => names.compare(a.name, b.name),
  type: (a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0),
  status: (a, b) => STATES.indexOf(state(a)) - STATES.indexOf(state(b)),
  cpu: (a, b) => (b.usage.cpu ?? 0) - (a.usage.cpu ?? 0),
  memory: (a, b) => (b.usage.rss ?? 0) - (a.usage.rss ?? 0),
}

/** The orders whose natural direction is ascending. */
const RISING = new Set(['age', 'name', 'type', 'status'])

/**
 * The orders by values that change all the time. A changed value does not move an agent in them; only {@link Order.again}
 * does.
 */
const VOLATILE = new Set(['cpu', 'memory'])

/** @type {Compare} */
const newest = (a, b) => ORDERS.age?.(a, b) || b.num - a.num || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/** Since when an agent waits for an answer. @param {Agent} a */
const asked = (a) => Date.parse(a.asked_at ?? a.created_at)

/** @type {Compare} */
const longestFirst = (a, b) => asked(a) - asked(b) || newest(a, b)

/** @type {Compare} */
const gravest = (a, b) => NEEDS.indexOf(need(a)) - NEEDS.indexOf(need(b)) || newest(a, b)

/** @param {string} sort the order in a filter; an unknown one means age */
export function direction(sort) {
  const key = sort.replace(/^-/, '')
  const known = Object.hasOwn(ORDERS, key)
  const reverse = known && sort.startsWith('-')
  return { key: known ? key : 'age', reverse, rising: RISING.has(known ? key : 'age') !== reverse, volatile: VOLATILE.has(key) }
}

/**
 * Order arranges the fleet for the list: filtered, divided into groups, sorted. It keeps the sorted list of all agents;
 * after a change it takes out only the agents that may have moved and merges them in again.
 */
export class Order {
  /** @type {Map<string, Entry>} */
  #entries = new Map()
  /** @type {Entry[]} every one, in order, but for those in #moved */
  #sorted = []
  /** @type {Set<Entry>} */
  #moved = new Set()
  #direction = direction('')
  #query = '' // the query that `matches` is about
  #again = false
  #dismissed

  /** Whether the order is no longer what it would be if the agents were sorted again. */
  stale = false

  /** @param {(a: Agent) => boolean} dismissed whether a person has dismissed the agent */
  constructor(dismissed) {
    this.#dismissed = dismissed
  }

  get size() {
    return this.#entries.size
  }

  get ids() {
    return this.#entries.keys()
  }

  get agents() {
    return [...this.#entries.values()].map((e) => e.agent)
  }

  /** @param {string} id */
  get(id) {
    return this.#entries.get(id)?.agent
  }

  /**
   * The group of an agent. A person has seen what was dismissed: it is then among those that are alive, or have ended.
   * @param {Agent} a
   * @returns {Key}
   */
  group(a) {
    const g = group(a)
    if ((g !== 'failing' && g !== 'finished') || !this.#dismissed(a)) return g
    return alive(a) ? 'working' : 'ended'
  }

  /**
   * Takes a newer record.
   * @param {Agent} a
   * @returns {boolean} whether its position or a count may have changed
   */
  put(a) {
    const entry = this.#entries.get(a.id)
    if (!entry) {
      this.#add(a)
      return true
    }
    const old = entry.agent
    entry.agent = a
    if (old.name !== a.name || old.generation !== a.generation) entry.words = ''
    const moved = this.#moves(old, a)
    if (moved) this.#moved.add(entry)
    this.stale ||= this.#direction.key === 'age' && idle(a) !== entry.idle
    return this.#matchesAnew(entry, old) || moved || group(old) !== group(a) || alive(old) !== alive(a) || need(old) !== need(a) || old.asked_at !== a.asked_at
  }

  /** @param {Agent} a */
  #add(a) {
    const entry = { agent: a, words: '', matches: true, idle: idle(a) }
    entry.matches = this.#match(entry)
    this.#entries.set(a.id, entry)
    this.#moved.add(entry)
  }

  /**
   * @param {string} id
   * @returns {boolean} whether it existed
   */
  delete(id) {
    const entry = this.#entries.get(id)
    if (!entry) return false
    this.#entries.delete(id)
    this.#moved.add(entry)
    return true
  }

  /** Sorts again by what changes all the time, at the next arrangement. */
  again() {
    this.#again = true
  }

  /**
   * @param {Agent} old
   * @param {Agent} a
   */
  #moves(old, a) {
    const { key, volatile } = this.#direction
    return (!volatile && ORDERS[key]?.(old, a) !== 0) || old.created_at !== a.created_at || old.num !== a.num
  }

  /**
   * @param {Entry} entry
   * @param {Agent} old
   */
  #matchesAnew(entry, old) {
    if (this.#query === '' || (entry.words !== '' && old.last_line === entry.agent.last_line && old.summary === entry.agent.summary)) return false
    const was = entry.matches
    entry.matches = this.#match(entry)
    return was !== entry.matches
  }

  /** @param {Entry} entry */
  #match(entry) {
    if (this.#query === '') return true
    const { agent: a } = entry
    entry.words ||= [a.name, a.id, a.type, (a.argv ?? []).join(' ')].join('\n').toLowerCase()
    return entry.words.includes(this.#query) || `${a.summary ?? ''}\n${a.last_line ?? ''}`.toLowerCase().includes(this.#query)
  }

  /**
   * @param {Filter} filter
   * @returns {Arrangement}
   */
  arrange(filter) {
    this.#use(filter)
    this.#settle()
    /** @type {Arrangement} */
    const all = {
      groups: { needs: [], failing: [], working: [], finished: [], tasks: [], ended: [] },
      counts: { '': 0, alive: 0 }, living: new Map(), labels: new Set(), nodes: new Set(),
    }
    for (const entry of this.#sorted) {
      const key = this.#count(entry.agent, all)
      if (entry.matches && shows(filter, key) && fits(filter, entry.agent)) all.groups[key].push(entry)
    }
    all.groups.needs.sort((a, b) => longestFirst(a.agent, b.agent))
    all.groups.failing.sort((a, b) => gravest(a.agent, b.agent))
    return all
  }

  /**
   * @param {Agent} a
   * @param {Arrangement} all
   */
  #count(a, { counts, living, labels, nodes }) {
    const add = (/** @type {string} */ key) => (counts[key] = (counts[key] ?? 0) + 1)
    const key = this.group(a)
    add(key)
    if (usual(key)) add('')
    if (alive(a)) {
      add('alive')
      living.set(a.type, (living.get(a.type) ?? 0) + 1)
    }
    for (const label in a.labels) labels.add(`${label}=${a.labels[label]}`)
    nodes.add(a.node)
    return key
  }

  /** @param {Filter} filter */
  #use(filter) {
    const by = direction(filter.sort)
    if (by.key !== this.#direction.key || by.reverse !== this.#direction.reverse) this.#again = true
    this.#direction = by
    const query = filter.query.toLowerCase()
    if (query === this.#query) return
    this.#query = query
    for (const entry of this.#entries.values()) entry.matches = this.#match(entry)
  }

  #settle() {
    const { key, reverse } = this.#direction
    const order = ORDERS[key] ?? newest
    const idleLast = (/** @type {Entry} */ a, /** @type {Entry} */ b) => (key === 'age' ? Number(a.idle) - Number(b.idle) : 0)
    const compare = (/** @type {Entry} */ x, /** @type {Entry} */ y) => {
      const { agent: a } = x
      const { agent: b } = y
      return idleLast(x, y) || (reverse ? -order(a, b) : order(a, b)) || newest(a, b)
    }
    if (this.#again) {
      for (const entry of this.#entries.values()) entry.idle = idle(entry.agent)
      this.stale = false
    }
    if (this.#again) this.#sorted = [...this.#entries.values()].sort(compare)
    else if (this.#moved.size > 0) {
      const stay = this.#sorted.filter((e) => !this.#moved.has(e))
      const come = [...this.#moved].filter((e) => this.#entries.get(e.agent.id) === e).sort(compare)
      this.#sorted = merge(stay, come, compare)
    }
    this.#again = false
    this.#moved.clear()
  }
}

/** @param {Agent} a whether it has nothing to do */
const idle = (a) => a.activity === 'idle'

/** @param {Key} key whether the group is shown without a filter */
const usual = (key) => key !== 'ended' && key !== 'tasks'

/**
 * Whether a group is in the list. Who looks for a word finds it in any.
 * @param {Filter} filter
 * @param {Key} key
 */
const shows = (filter, key) => (filter.state ? filter.state === key : filter.query !== '' || usual(key))

/**
 * Whether an agent is what was asked for, but for the query.
 * @param {Pick<Filter, 'type' | 'label' | 'node'>} filter
 * @param {Agent} a
 */
export function fits({ type, label, node }, a) {
  if ((type && a.type !== type) || (node && a.node !== node)) return false
  if (!label) return true
  const [key = ''] = label.split('=', 1)
  return Object.hasOwn(a.labels ?? {}, key) && a.labels?.[key] === label.slice(key.length + 1)
}

/**
 * @template T
 * @param {T[]} a
 * @param {T[]} b
 * @param {(a: T, b: T) => number} compare the order that both are sorted in
 */
function merge(a, b, compare) {
  if (a.length === 0) return b
  /** @type {T[]} */
  const out = []
  let i = 0
  for (const y of b) {
    for (let x = a[i]; x !== undefined && compare(x, y) <= 0; x = a[++i]) out.push(x)
    out.push(y)
  }
  return out.concat(a.slice(i))
}
