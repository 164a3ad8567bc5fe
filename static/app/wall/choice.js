import { fits } from '../fleet/order.js'
import { alive, group } from '../lib/format.js'

/** @import { Agent } from '../../client/types.js' */

/** How many agents the wall shows at most. ui/wall has the same. */
export const MAX_CELLS = 200

/** The sizes of cells, and what fits one of them. */
export const SIZES = /** @type {const} */ ({ small: { rows: 10, cols: 80 }, medium: { rows: 14, cols: 120 }, large: { rows: 21, cols: 160 } })

/** @typedef {keyof typeof SIZES} Size */

/** @typedef {{query: string, type: string, label: string, node: string, state: string, agents: string[], size: Size}} Filter the filter in the page's URL */

/** @param {URLSearchParams} q */
export function parseFilter(q) {
  const asked = (/** @type {string} */ name) => q.get(name) ?? ''
  const size = asked('size')
  const agents = [...new Set(asked('agents').split(',').map((id) => id.trim()).filter(Boolean))].slice(0, MAX_CELLS)
  return /** @type {Filter} */ ({ query: asked('q').trim(), type: asked('type'), label: asked('label'), node: asked('node'), state: asked('state'), agents, size: Object.hasOwn(SIZES, size) ? size : 'medium' })
}

/**
 * The filter as the query of an address; '' if there is none.
 * @param {Filter} filter
 */
export function search({ query: q, type, label, node, state, agents, size }) {
  const all = new URLSearchParams(Object.entries({ agents: agents.join(','), label, node, q, size: size === 'medium' ? '' : size, state, type }).filter(([, v]) => v))
  return all.size > 0 ? `?${all}` : ''
}

/**
 * @typedef {object} Choice
 * @property {Agent[]} shown what the filter lets through, the oldest first, or as it was asked for
 * @property {Record<string, number>} counts how many agents are in each group, whatever the filter; '' are those that are alive
 * @property {Set<string>} labels of all agents, as key=value
 * @property {Set<string>} nodes of all agents
 */

/**
 * @param {Iterable<Agent>} agents
 * @param {Filter} filter
 * @returns {Choice}
 */
export function choose(agents, filter) {
  /** @type {Choice} */
  const all = { shown: [], counts: { '': 0 }, labels: new Set(), nodes: new Set() }
  const query = filter.query.toLowerCase()
  const places = new Map(filter.agents.map((id, i) => [id, i]))
  for (const a of agents) {
    const key = group(a)
    all.counts[key] = (all.counts[key] ?? 0) + 1
    if (alive(a) && key !== 'tasks') all.counts['']++
    for (const label in a.labels) all.labels.add(`${label}=${a.labels[label]}`)
    all.nodes.add(a.node)
    if (places.size > 0 && !places.has(a.id)) continue
    if (wants(filter, a, key) && fits(filter, a) && has(a, query)) all.shown.push(a)
  }
  all.shown.sort((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0) || oldest(a, b))
  return all
}

/**
 * Without a group, those that are alive are shown, or all that were asked for. Who looks for a word finds it also in what works for a task.
 * @param {Filter} filter
 * @param {Agent} a
 * @param {string} key
 */
function wants({ state, query, agents }, a, key) {
  if (state) return key === state
  return agents.length > 0 || (alive(a) && (query !== '' || key !== 'tasks'))
}

/** @param {Agent} a @param {string} query */
function has(a, query) {
  return query === '' || [a.name, a.id, a.type, (a.argv ?? []).join(' '), a.summary ?? '', a.last_line ?? ''].join('\n').toLowerCase().includes(query)
}

/** @param {Agent} a @param {Agent} b */
const oldest = (a, b) => (a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : a.num - b.num || (a.id < b.id ? -1 : 1))

/**
 * Which agents have cells now. A cell stays where it is, even when its agent is no longer what was asked for: only what was forgotten goes,
 * and a new agent takes the place of one that is not wanted if there are as many as there may be.
 * @param {string[]} cells those that have one
 * @param {string[]} wanted those that the filter lets through, in order
 * @param {(id: string) => boolean} known whether an agent still exists
 */
export function arrange(cells, wanted, known) {
  const now = cells.filter(known)
  const have = new Set(now)
  const want = new Set(wanted)
  let at = 0
  for (const id of wanted) {
    if (have.has(id)) continue
    if (now.length < MAX_CELLS) now.push(id)
    else {
      while (at < now.length && want.has(now[at] ?? '')) at++
      if (at === now.length) break
      now[at] = id
    }
  }
  return now
}

/** How long a picture is to stay, by how many cells are in sight, in milliseconds: 5 a second, and 250 a second of all together. @param {number} cells */
export const pace = (cells) => Math.max(200, cells * 4)
