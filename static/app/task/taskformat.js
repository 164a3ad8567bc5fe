/**
 * The rules that a page needs to order tasks and to act on them. The server renders tasks (ui/words/taskformat.go); titles
 * and the words of states are here too, for dialogs and notifications.
 */
import { joinArgv } from '../lib/argv.js'
import { at } from '../lib/base.js'
import { NEEDS_YOU, NONE, clean, count, needYou, shortId, shortTaskId } from '../lib/format.js'

/** @import { Payload, Run, Task } from '../../client/types.js' */

/** The longest title that is made from an input, in characters. */
const MAX_TITLE = 80

/** @param {Pick<Task, 'id' | 'name' | 'input'> & Partial<Task>} t */
export const taskTitle = (t) =>
  clean(t.name ?? '') || (isChild(t) ? '' : commandLine(t.argv)) || payloadLine(t.input) || commandLine(t.args) || clean(t.type ?? '') || (t.capabilities ?? []).join(' + ') || shortTaskId(t.id)

/** @param {string[] | undefined} argv */
const commandLine = (argv) => ellipsis(clean(joinArgv(argv ?? [])), MAX_TITLE)

/** @param {string} id */
export const taskURL = (id) => at(`/tasks/${encodeURIComponent(id)}`)

/** @param {Payload | undefined} p its first line with something in it */
function payloadLine(p) {
  for (const text of (p?.text ?? '').split('\n')) {
    const line = clean(text)
    if (line) return ellipsis(line, MAX_TITLE)
  }
  return ''
}

/**
 * @param {string} s
 * @param {number} limit characters
 */
function ellipsis(s, limit) {
  if (s.length <= limit) return s
  const all = [...s]
  return all.length > limit ? `${all.slice(0, limit - 1).join('').trim()}…` : s
}

/** @type {Record<string, string>} */
const WORDS = {
  submitted: 'Submitted', working: 'Working', input_required: NEEDS_YOU, completed: 'Completed', failed: 'Failed',
  canceled: 'Canceled', rejected: 'Rejected',
}

/** @param {string} s */
export const taskWord = (s) => WORDS[s] ?? NONE

/**
 * Summarizes the counts that matter most to a person.
 * @param {Record<string, number>} counts the counts by state; '' is all, 'dead' the dead letters
 */
export function taskSummary(counts) {
  if (!counts['']) return ''
  const words = [count(counts[''], 'task', 'tasks')]
  for (const state of ['working', 'submitted']) if (counts[state]) words.push(`${counts[state]} ${taskWord(state).toLowerCase()}`)
  if (counts.input_required) words.push(needYou(counts.input_required))
  if (counts.dead) words.push(count(counts.dead, 'dead letter', 'dead letters'))
  return words.join(', ')
}

const OVER = new Set(['completed', 'failed', 'canceled', 'rejected'])

/** @param {{state: string}} t */
export const isOver = (t) => OVER.has(t.state)

/**
 * The part of the queue that a task is in.
 * @param {{state: string}} t
 * @returns {'input' | 'working' | 'waiting' | 'over'}
 */
export function taskGroup(t) {
  if (isOver(t)) return 'over'
  if (t.state === 'input_required') return 'input'
  return t.state === 'working' ? 'working' : 'waiting'
}

/** @param {{state: string}} t the column of the board */
export const columnOf = (t) => (t.state === 'rejected' ? 'canceled' : t.state)

/** @param {{state: string}} t */
export const cancelable = (t) => !isOver(t)

/** @param {Task} t whether it may be given new attempts */
export const retryable = (t) => isOver(t) && t.state !== 'completed' && !t.orchestration && !isChild(t)

/** @param {{state: string}} t a task; the result says whether it may have its own process to stop */
export const stoppable = (t) => t.state === 'working' || t.state === 'input_required'

/** @param {{index?: number}} t whether it is one of an orchestration's */
export const isChild = (t) => t.index !== undefined && t.index !== null

/** @param {Task} t @returns {Run | undefined} */
export const lastRun = (t) => t.runs?.at(-1)

/** @param {Run} r */
export const agentName = (r) => clean(r.agent_name ?? '') || shortId(r.agent ?? '')
