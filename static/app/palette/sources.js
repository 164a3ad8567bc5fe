import { at } from '../lib/base.js'
import { NEEDS_YOU, clean, need, state, stateWord } from '../lib/format.js'
import { entryURL, spaceURL } from '../memory/value.js'
import { taskTitle, taskURL, taskWord } from '../task/taskformat.js'
import { words } from './rank.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Agent, Artifact, MemoryEntry, Schedule, Task } from '../../client/types.js' */
/** @import { Item, Kind } from './rank.js' */

/** How many records one request asks for. */
const LIMIT = 40

/** How long an answer may take, in milliseconds: then the dialog says that it did not come. */
const TIMEOUT = 15_000

/** How much of a long text is shown and searched. */
const MAX_TEXT = 300

/**
 * @typedef {object} Found
 * @property {Item[]} items
 * @property {number} [total] how many the server has found, of which items are the first
 * @property {number} [of] set if only the first of so many were looked at for all words of the text
 */
/** @typedef {(text: string, signal: AbortSignal) => Promise<Found>} Asks */

/** @param {string | undefined} s */
const short = (s) => clean(s ?? '').slice(0, MAX_TEXT)

/** @param {Agent} a @returns {Item} */
function agentItem(a) {
  const asks = need(a) === 'question'
  return {
    kind: 'agent', key: a.id, title: short(a.name) || a.id, detail: short((asks && a.question) || a.summary || a.title || a.last_line) || short(a.argv?.join(' ')),
    also: [a.id, a.type, short(a.summary), short(a.last_line)].filter(Boolean).join(' '), icon: `s-${asks ? 'requires_action' : state(a)}`,
    note: asks ? NEEDS_YOU : stateWord(state(a)), href: at(`/agents/${encodeURIComponent(a.id)}`),
  }
}

/**
 * The agents, without the processes of tasks: those are found as their tasks, unless they ask something.
 * @param {Iterable<Agent>} agents
 */
export const agentItems = (agents) => [...agents].filter((a) => !a.for_task || need(a) === 'question').map(agentItem)

/** @param {Task} t @returns {Item} */
const taskItem = (t) => ({
  kind: 'task', key: t.id, title: taskTitle(t), detail: short(t.name ? t.input?.text : t.type), also: `${t.id} ${t.type ?? ''} ${short(t.input?.text)} ${short(t.message)}`,
  icon: 'i-parts', note: taskWord(t.state), href: taskURL(t.id),
})

/** @param {{entry: MemoryEntry, snippet?: string}} hit @returns {Item} */
const entryItem = ({ entry: e, snippet }) => ({
  kind: 'memory', key: `${e.namespace}/${e.key}`, title: `${short(e.namespace)}/${short(e.key)}`, detail: short(snippet), icon: 'i-copy',
  href: entryURL(e.namespace, e.key),
})

/** @param {string} name of a namespace @returns {Item} */
const spaceItem = (name) => ({ kind: 'memory', key: `${name}/`, title: short(name), detail: 'All entries', icon: 'i-copy', href: spaceURL(name) })

/** @param {Artifact} a @returns {Item} */
const artifactItem = (a) => ({
  kind: 'artifact', key: a.id, title: short(a.name) || a.id, detail: a.media_type, also: a.id, icon: 'i-download',
  href: at(`/artifacts/${encodeURIComponent(a.id)}`),
})

/** @param {Schedule} s @returns {Item} */
const scheduleItem = (s) => ({
  kind: 'schedule', key: s.id, title: short(s.name), detail: short(s.words ?? s.cron ?? s.at), also: s.id, icon: 'i-clock', ...(s.paused && { note: 'Paused' }),
  href: at(`/schedules/${encodeURIComponent(s.id)}`),
})

/** The longest word, which the server looks for; all of them are looked for in what it returns. @param {string} text */
const longest = (text) => words(text).reduce((a, b) => (b.length > a.length ? b : a), '')

/** Words as the search of memory takes them: each may be the beginning of one. @param {string} text */
const prefixes = (text) => (text.match(/[\p{L}\p{N}]+/gu) ?? []).map((w) => `${w}*`).join(' ')

/**
 * What only the server knows: how to ask it for what has a text, by kind.
 * @param {Skein} skein
 * @returns {Partial<Record<Kind, Asks>>}
 */
export function sources(skein) {
  /**
   * @template {object} R
   * @param {(filter: {query: string, limit: number}, options: {signal: AbortSignal, timeout: number}) => Promise<R>} list
   * @param {(answer: R) => {items: Item[], total: number}} found
   * @returns {Asks}
   */
  const asks = (list, found) => async (text, signal) => {
    const { items, total } = found(await list({ query: longest(text), limit: LIMIT }, { signal, timeout: TIMEOUT }))
    const looked = items.map((item) => ({ ...item, matched: text }))
    if (words(text).length === 1) return { items: looked, total }
    return { items: looked, ...(total > items.length && { of: total }) }
  }
  return {
    task: asks((f, o) => skein.tasks.list(f, o), (r) => ({ items: r.tasks.map(taskItem), total: r.total })),
    artifact: asks((f, o) => skein.artifacts.list(f, o), (r) => ({ items: r.artifacts.map(artifactItem), total: r.total })),
    schedule: asks((f, o) => skein.schedules.list(f, o), (r) => ({ items: r.schedules.map(scheduleItem), total: r.total })),
    memory: async (text, signal) => {
      const query = prefixes(text)
      if (!query) return { items: [], total: 0 }
      const { hits, total } = await skein.memory.search({ query, limit: LIMIT }, { signal, timeout: TIMEOUT })
      const spaces = [...new Set(hits.map((h) => h.entry.namespace))].map(spaceItem)
      return { items: [...hits.map((h) => ({ ...entryItem(h), matched: text })), ...spaces], total }
    },
  }
}

/** The pages that list what was found, with the text; a kind without one has none. @type {Partial<Record<Kind, string>>} */
const LISTS = { agent: at('/'), task: at('/tasks'), memory: at('/memory'), artifact: at('/artifacts') }

/**
 * Where all of a kind that have a text are listed.
 * @param {Kind} kind
 * @param {string} text
 */
export const listURL = (kind, text) => (LISTS[kind] ? `${LISTS[kind]}?${new URLSearchParams({ q: text })}` : undefined)
