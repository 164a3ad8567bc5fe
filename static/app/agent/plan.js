/**
 * What an agent says that it will do (plan in ui/agent/plan.templ). Each plan takes the place of the one before.
 */
import { clone, field, mark, one, shape, write } from '../lib/dom.js'
import { clean } from '../lib/format.js'

/** @import { AgentEvent } from '../../client/types.js' */

/** @typedef {{text: string, state: 'completed' | 'in_progress' | 'pending'}} Entry */

/** How many entries are shown, and how many characters of one. ui/agent/plan.go has the same. */
const MAX_ENTRIES = 100
const MAX_TEXT = 400

const WORDS = { completed: 'Done: ', in_progress: 'Doing: ', pending: 'To do: ' }

/**
 * Reads the plan of an update of a conversation.
 * @param {string} update an ACP SessionUpdate in JSON
 * @returns {Entry[] | undefined} undefined if it is none
 */
export function planOf(update) {
  if (!update.includes('"plan"')) return undefined
  try {
    const { sessionUpdate, entries } = JSON.parse(update)
    if (sessionUpdate !== 'plan' || !Array.isArray(entries)) return undefined
    return entries.slice(0, MAX_ENTRIES).filter((e) => typeof e?.content === 'string').map(({ content, status }) => ({
      text: clean(content).slice(0, MAX_TEXT),
      state: status === 'completed' || status === 'in_progress' ? status : 'pending',
    }))
  } catch {
    return undefined
  }
}

/** @param {AgentEvent} e something that happened to the agent: if it is a plan, the page shows it */
export function showPlan(e) {
  const entries = e.type === 'agent.update' ? planOf(e.data.text ?? '') : undefined
  if (!entries) return
  const section = one(document, '#plan')
  one(section, 'ol').replaceChildren(...entries.map(item))
  section.hidden = entries.length === 0
}

/** @param {Entry} entry */
function item({ text, state }) {
  const el = clone('plan-item')
  mark(el, 'data-state', state)
  shape(one(el, 'svg'), state === 'in_progress' ? 's-running' : `s-${state}`)
  write(field(el, 'word'), WORDS[state])
  write(field(el, 'text'), text)
  return el
}
