/**
 * How tasks are written. The same rules stand in ui/taskformat.go and ui/task.go, for the first render;
 * ui/testdata/tasks.json holds both.
 */
import { at } from '../lib/base.js'
import { NEEDS_YOU, NONE, ago, bytes, clean, count, needYou, percent, shortId, shortTaskId, span, stateWord } from '../lib/format.js'
import { plain, pretty } from '../lib/text.js'

/** @import { Orchestration, Payload, Run, Task } from '../../client/types.js' */

/** Bounds a title that is made from an input, in characters. */
const MAX_TITLE = 80

/** How much of a result the page of its orchestration shows, in characters. */
const MAX_RESULT = 1024

/** @param {Pick<Task, 'id' | 'name' | 'input'>} t */
export const taskTitle = (t) => clean(t.name ?? '') || payloadLine(t.input) || shortTaskId(t.id)

/** @param {string} id */
export const taskURL = (id) => at(`/tasks/${encodeURIComponent(id)}`)

/** @param {string} id */
export const agentURL = (id) => at(`/agents/${encodeURIComponent(id)}`)

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

const encoder = new TextEncoder()

/** @param {Payload | undefined} p how many bytes all of it has */
export function payloadSize(p) {
  if (!p) return 0
  const base64 = p.base64 ?? ''
  const here = base64 ? (base64.length / 4) * 3 - (/=*$/.exec(base64)?.[0].length ?? 0) : encoder.encode(p.text ?? '').length
  return Math.max(p.size ?? 0, here)
}

/** @param {Payload | undefined} p */
export function outputLine(p) {
  const size = payloadSize(p)
  if (!p || size === 0) return 'No output'
  if (p.base64) return `Binary, ${bytes(size)}`
  return payloadLine(p) || 'Blank lines'
}

/** @type {Record<string, string>} */
const WORDS = {
  submitted: 'Submitted', working: 'Working', input_required: NEEDS_YOU, completed: 'Completed', failed: 'Failed',
  canceled: 'Canceled', rejected: 'Rejected',
}

/** @param {string} s */
export const taskWord = (s) => WORDS[s] ?? NONE

/**
 * What an event about a task says of it.
 * @param {string} s
 */
export const taskTurn = (s) => (s === 'working' ? 'Task started' : `Task ${taskWord(s).toLowerCase()}`)

/**
 * Counts what a person looks for first.
 * @param {Record<string, number>} counts by state; '' has all, dead the dead letters
 */
export function taskSummary(counts) {
  if (!counts['']) return ''
  const words = [count(counts[''], 'task', 'tasks')]
  for (const state of ['working', 'submitted']) if (counts[state]) words.push(`${counts[state]} ${taskWord(state).toLowerCase()}`)
  if (counts.input_required) words.push(needYou(counts.input_required))
  if (counts.dead) words.push(count(counts.dead, 'dead letter', 'dead letters'))
  return words.join(', ')
}

/** @type {Record<string, string>} */
const GLYPHS = { working: 'running', input_required: 'requires_action', canceled: 'stopped', rejected: 'lost', completed: 'completed', failed: 'failed' }

/** @param {string} s */
export const taskGlyph = (s) => GLYPHS[s] ?? 'pending'

const OVER = new Set(['completed', 'failed', 'canceled', 'rejected'])

/** @param {{state: string}} t */
export const isOver = (t) => OVER.has(t.state)

/**
 * The part of the queue that a task stands in.
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

/** @param {string | undefined} p */
export const priorityWord = (p) => stateWord(p || 'normal')

/** @param {Task} t who can do it */
export function doer(t) {
  if (t.orchestration) return count(t.orchestration.children, 'child task', 'child tasks')
  const parts = []
  if (t.type) parts.push(t.type)
  if (t.agent) parts.push(shortId(t.agent))
  if (t.capabilities?.length) parts.push(t.capabilities.join(' + '))
  return parts.join(', ') || NONE
}

/** @param {Task} t which attempt it is at, of how many */
export function attempts(t) {
  if (t.orchestration || !t.attempt) return NONE
  const last = t.last_attempt ?? 0
  if (last <= t.attempt && t.attempt === 1) return '1'
  return `${t.attempt} of ${Math.max(last, t.attempt)}`
}

/**
 * @param {Task} t
 * @param {number} now
 */
export function taskAge(t, now) {
  return t.ended_at && isOver(t) ? ago(now - Date.parse(t.ended_at)) : span(now - Date.parse(t.created_at))
}

/**
 * What a submitted task waits for.
 * @param {Pick<Task, 'attempt' | 'waiting' | 'position' | 'not_before'>} t
 * @param {number} now
 */
export function waiting(t, now) {
  if (t.not_before && !t.position) {
    const left = Date.parse(t.not_before) - now
    if (left > 0) return `Attempt ${t.attempt + 1} follows in ${span(left + 999)}`
  }
  const w = clean(t.waiting ?? '')
  if (!w) return 'Waiting for an agent'
  return w.startsWith('for ') ? `Waiting ${w}` : `Waiting: ${w}`
}

/** @param {Task} t how much of it is done, from 0 to 1; -1: nobody knows */
export function done(t) {
  if (isOver(t)) return -1
  const o = t.orchestration
  if (o) return o.children === 0 ? -1 : (o.completed + o.failed) / o.children
  const fraction = t.progress?.at(-1)?.fraction ?? 0
  return fraction > 0 && t.state !== 'submitted' ? fraction : -1
}

/** @param {Orchestration} o */
export const tally = (o) => `${o.completed} of ${o.children} completed${o.failed > 0 ? `, ${o.failed} not` : ''}`

/**
 * How a task stands, in a line.
 * @param {Task} t
 * @param {number} now
 */
export function taskText(t, now) {
  switch (t.state) {
    case 'submitted':
      return waiting(t, now)
    case 'input_required':
      return clean(t.message ?? '') || 'Its agent does not say what for' // a page puts the agent's question there
    case 'working':
      return workText(t)
    case 'completed':
      return t.orchestration ? tally(t.orchestration) : outputLine(t.result)
  }
  return failureText(t.failure, t.message) || taskWord(t.state)
}

/** @param {Task} t */
function workText(t) {
  if (t.orchestration) return tally(t.orchestration)
  const p = t.progress?.at(-1)
  if (!p) return 'At work'
  return ellipsis(clean(p.text ?? ''), 2 * MAX_TITLE) || `${percent(p.fraction ?? 0)} done`
}

/** @type {Record<string, string>} */
const FAILURES = {
  spawn_failed: 'no agent could be started', agent_lost: 'the agent ended', agent_stopped: 'the agent was stopped',
  server_restarted: 'Skein was restarted', heartbeat_timeout: 'no sign of life came', delivery_failed: 'the agent did not take the task',
  agent_error: 'it reported an error', agent_busy: 'it asked for another attempt', exit_retry: 'its exit code asks for another attempt', run_timeout: 'it took too long',
  bad_protocol: 'it broke the protocol', too_large: 'its result is too large', queue_timeout: 'it waited too long',
  dependency_failed: 'what it depends on did not complete', children_failed: 'its child tasks failed',
}

const PLATFORM = new Set(['spawn_failed', 'agent_lost', 'agent_stopped', 'server_restarted', 'heartbeat_timeout', 'delivery_failed'])
const TASK = new Set(['queue_timeout', 'dependency_failed', 'children_failed'])

/**
 * Who a failure is put down to, and what happened.
 * @param {string | undefined} reason
 */
export function blame(reason) {
  if (!reason) return ''
  const side = PLATFORM.has(reason) ? 'Platform' : TASK.has(reason) ? 'Task' : 'Agent'
  return `${side}: ${FAILURES[reason] ?? reason}`
}

/**
 * @param {string | undefined} reason
 * @param {string | undefined} message
 */
export const failureText = (reason, message) => upper(clean(message ?? '')) || blame(reason)

/** @param {string} s begun with a capital */
export function upper(s) {
  const [first = ''] = s
  return first.toUpperCase() + s.slice(first.length)
}

/** @param {string} s made a sentence */
export function sentence(s) {
  s = upper(s)
  return s === '' || /[.?!)]$/.test(s) ? s : `${s}.`
}

/** @param {{state: string}} t */
export const cancelable = (t) => !isOver(t)

/** @param {Task} t whether it may be given new attempts */
export const retryable = (t) => isOver(t) && t.state !== 'completed' && !t.orchestration && !isChild(t)

/** @param {{state: string}} t whether there may be a process of its own to be stopped */
export const stoppable = (t) => t.state === 'working' || t.state === 'input_required'

/** @param {{index?: number}} t whether it is one of an orchestration's */
export const isChild = (t) => t.index !== undefined && t.index !== null

/** @param {Pick<Task, 'parent' | 'index'>} t below which task it is */
export function partOf(t) {
  if (!t.parent) return ''
  return isChild(t) ? `input ${(t.index ?? 0) + 1} of ${shortTaskId(t.parent)}` : `below ${shortTaskId(t.parent)}`
}

/** @param {Task} t @returns {Run | undefined} */
export const lastRun = (t) => t.runs?.at(-1)

/** @param {Run} r */
export const agentName = (r) => clean(r.agent_name ?? '') || shortId(r.agent ?? '')

/** @param {string | undefined} actor */
const by = (actor) => (actor && clean(actor) ? `by ${clean(actor)}` : '')

/**
 * @typedef {object} Moment
 * @property {string} key the same for the same moment
 * @property {string} time
 * @property {string} glyph
 * @property {string} title
 * @property {string} blame of a failure
 * @property {string} detail
 * @property {string} agent
 * @property {string} name of the agent
 * @property {boolean} later it is still to come
 */

/**
 * What happened to a task, the newest first.
 * @param {Task} t
 * @returns {Moment[]}
 */
export function moments(t) {
  /** @type {Moment[]} */
  const all = []
  /** @param {Partial<Moment> & {key: string, time: string, glyph: string, title: string}} m */
  const add = (m) => void all.push({ blame: '', detail: '', agent: '', name: '', later: false, ...m })
  add({ key: 'submitted', time: t.created_at, glyph: 'pending', title: 'Submitted', detail: by(t.actor) })
  const over = isOver(t)
  const runs = t.runs ?? []
  for (const r of runs) {
    add({ key: `run${r.attempt}`, time: r.started_at, glyph: 'starting', title: `Attempt ${r.attempt} began`, agent: r.agent ?? '', name: agentName(r) })
    if (r.ended_at && !(over && r === runs.at(-1))) { // the last one's end is the task's
      add({
        key: `end${r.attempt}`, time: r.ended_at, glyph: r.failure ? 'failed' : 'completed', title: `Attempt ${r.attempt} ${r.failure ? 'failed' : 'ended'}`,
        blame: blame(r.failure), detail: upper(clean(r.message ?? '')),
      })
    }
  }
  for (const p of t.progress ?? []) {
    const text = ellipsis(clean(p.text ?? ''), 2 * MAX_TITLE)
    const part = p.fraction ? `${percent(p.fraction)} done` : ''
    add({ key: `progress${p.time}`, time: p.time, glyph: 'running', title: text || part || 'At work', detail: text ? part : '' })
  }
  for (const l of t.late ?? []) {
    add({
      key: `late${l.time}`, time: l.time, glyph: 'input', title: `Late ${l.failed ? 'failure' : 'answer'} of attempt ${l.attempt}`,
      detail: ellipsis(clean(l.text ?? ''), MAX_TITLE), agent: l.agent, name: shortId(l.agent),
    })
  }
  if (over && t.ended_at) {
    const why = upper(clean(t.message ?? ''))
    add({
      key: 'over', time: t.ended_at, glyph: taskGlyph(t.state), title: taskWord(t.state), blame: blame(t.failure),
      detail: t.dead_letter ? `${sentence(why)} No attempt is left.`.trim() : why,
    })
  }
  if (t.state === 'submitted' && t.not_before && !t.position) {
    add({ key: `next${t.attempt + 1}`, time: t.not_before, glyph: 'pending', title: `Attempt ${t.attempt + 1} follows`, later: true })
  }
  return all.sort((a, b) => Date.parse(a.time) - Date.parse(b.time)).reverse()
}

/** @param {Task} t whether its page begins with a sentence, and of which kind */
export function bannerKind(t) {
  switch (t.state) {
    case 'submitted':
      return 'waiting'
    case 'input_required':
      return 'input'
    case 'failed':
    case 'rejected':
      return 'failed'
    case 'canceled':
      return 'canceled'
  }
  return ''
}

/**
 * @param {Task} t
 * @param {number} now
 */
export function bannerText(t, now) {
  const kind = bannerKind(t)
  if (!kind) return ''
  if (kind === 'waiting' || kind === 'input') return taskText(t, now)
  return failureText(t.failure, t.message) || `${taskWord(t.state)} without a reason`
}

/** @param {Task} t who is to blame, and what can be done */
export function bannerMore(t) {
  if (t.state === 'submitted' && t.position) return `${ordinal(t.position)} in line`
  if (t.dead_letter) return `${blame(t.failure)}. Its attempts are used up; “Retry” gives it new ones.`
  return t.state === 'failed' || t.state === 'rejected' ? blame(t.failure) : ''
}

/** @param {number} n */
export function ordinal(n) {
  const teens = n % 100 >= 11 && n % 100 <= 13
  return n + (teens ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th'))
}

/**
 * The beginning of a child's output, or why it has none.
 * @param {{state: string, output?: Payload, failure?: string, message?: string}} r
 */
export function resultText({ state, output, failure, message }) {
  if (state !== 'completed') return failureText(failure, message) || taskWord(state)
  if (!output || output.base64 || payloadSize(output) === 0) return outputLine(output)
  const text = output.text ?? ''
  const head = [...text.slice(0, MAX_RESULT)]
  let size = 0
  let cut = ''
  for (const c of head) { // the server cuts at bytes
    size += encoder.encode(c).length
    if (size > MAX_RESULT) break
    cut += c
  }
  return plain(cut) + (payloadSize(output) > encoder.encode(cut).length ? '…' : '')
}

/**
 * A payload as text, and what is to be known of it.
 * @param {Payload | undefined} p
 */
export function shownPayload(p) {
  const size = payloadSize(p)
  if (!p || size === 0) return { text: '', note: '', size }
  if (p.base64) return { text: '', note: bytes(size), size }
  const { text, json } = pretty(p.text ?? '')
  return { text: plain(text), note: json ? `JSON, ${bytes(size)}` : bytes(size), size }
}

