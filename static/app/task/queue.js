import { PRIORITIES } from '../../client/codes.js'
import { agentName, columnOf, isChild, isOver, lastRun, taskGroup } from './taskformat.js'

/** @import { Task } from '../../client/types.js' */

/**
 * @typedef {object} TaskFilter the filter in the page's URL
 * @property {string} query
 * @property {string} type
 * @property {string} state '' is all, 'dead' those whose attempts are used up
 * @property {boolean} board whether tasks are in columns, by state
 * @property {boolean} parts whether the ended child tasks of orchestrations are shown
 */

/**
 * @typedef {object} TaskEntry a task on the page; a task keeps its entry until it is forgotten
 * @property {Task} task its newest record
 * @property {Task} shown the record with its place in the queue; replaced by a new object whenever it changes
 * @property {string} words the text that a query is matched against; '' until a query needs it
 * @property {number} ended when it ended, in milliseconds since 1970
 * @property {number} rank the rank of its priority
 */

/** The parts of the queue, and the columns of the board, in order. */
export const PARTS = /** @type {const} */ (['input', 'working', 'waiting', 'over'])
export const COLUMNS = /** @type {const} */ (['submitted', 'working', 'input_required', 'completed', 'failed', 'canceled'])

/**
 * @typedef {object} TaskArrangement
 * @property {Map<string, TaskEntry[]>} parts the tasks that match the filter, each part in its order
 * @property {Record<string, number>} counts how many there are by state, whatever the filter; '' is all, 'dead' dead letters
 * @property {number} children how many child tasks of orchestrations have ended
 */

const NORMAL = PRIORITIES.indexOf('normal')

/** Queue has all tasks and puts them in the order of the page. ui/task/tasks.go does the same for the first render. */
export class Queue {
  /** @type {Map<string, TaskEntry>} */
  #entries = new Map()
  /** @type {TaskEntry[]} ended tasks, the latest first; kept because sorting a nearly sorted list is cheap */
  #over = []
  #overMoved = false
  /** @type {TaskEntry[]} tasks whose agents ask, in their last order */
  #input = []
  #question

  /** @param {(task: Task) => string} [question] what the agent that works on a task asks */
  constructor(question = () => '') {
    this.#question = question
  }

  get size() {
    return this.#entries.size
  }

  /** @param {string} id */
  get(id) {
    return this.#entries.get(id)?.task
  }

  /** @param {Task} task */
  put(task) {
    const old = this.#entries.get(task.id)
    const wasOver = old !== undefined && isOver(old.task)
    const entry = old ?? /** @type {TaskEntry} */ ({})
    const ended = Date.parse(task.ended_at ?? '') || 0
    const rank = PRIORITIES.indexOf(task.priority ?? 'normal')
    if (isOver(task) !== wasOver || (wasOver && ended !== entry.ended)) this.#overMoved = true
    if (isOver(task) && !wasOver) this.#over.push(entry)
    Object.assign(entry, { task, shown: task, words: '', ended, rank: rank < 0 ? NORMAL : rank })
    this.#entries.set(task.id, entry)
  }

  /** @param {string} id */
  delete(id) {
    if (this.#entries.delete(id)) this.#overMoved = true
  }

  /**
   * Replaces all tasks.
   * @param {ReadonlyMap<string, Task>} tasks
   */
  replace(tasks) {
    for (const id of [...this.#entries.keys()]) if (!tasks.has(id)) this.delete(id)
    for (const task of tasks.values()) this.put(task)
  }

  /**
   * Counts the tasks below these that have not ended and are not among them.
   * @param {Iterable<string>} ids
   */
  openBelow(ids) {
    const within = new Set(ids)
    const asked = new Set(within)
    let n = 0
    for (const { task } of [...this.#entries.values()].sort((a, b) => a.task.num - b.task.num)) { // a parent is older than its children
      if (!task.parent || !within.has(task.parent)) continue
      within.add(task.id)
      if (!isOver(task) && !asked.has(task.id)) n++
    }
    return n
  }

  /**
   * @param {TaskFilter} filter
   * @returns {TaskArrangement}
   */
  arrange(filter) {
    this.#settle()
    const { input, working, waiting } = this.#open()
    this.#place(waiting)
    this.#input = input
    for (const entry of input) this.#ask(entry)
    const query = filter.query.toLowerCase()
    const keyOf = filter.board ? columnOf : taskGroup
    /** @type {Map<string, TaskEntry[]>} */
    const parts = new Map((filter.board ? COLUMNS : PARTS).map((key) => [key, []]))
    /** @type {Record<string, number>} */
    const counts = { '': this.size, dead: 0 }
    let children = 0
    for (const part of [input, working, waiting, this.#over]) {
      for (const entry of part) {
        const { task } = entry
        counts[task.state] = (counts[task.state] ?? 0) + 1
        if (task.dead_letter) counts.dead = (counts.dead ?? 0) + 1
        if (isChild(task) && isOver(task)) children++
        if (matches(entry, filter, query)) parts.get(keyOf(task))?.push(entry)
      }
    }
    return { parts, counts, children }
  }

  /**
   * Takes up what the agent asks.
   * @param {TaskEntry} entry
   */
  #ask(entry) {
    const message = this.#question(entry.task)
    if ((entry.shown.message ?? '') !== message) entry.shown = { ...entry.task, message }
  }

  /** Whether an agent asks something other than what is shown. */
  get asksAnew() {
    return this.#input.some((e) => (e.shown.message ?? '') !== this.#question(e.task))
  }

  #settle() {
    if (!this.#overMoved) return
    this.#overMoved = false
    this.#over = [...new Set(this.#over)].filter((e) => this.#entries.get(e.task.id) === e && isOver(e.task))
    this.#over.sort((a, b) => b.ended - a.ended || b.task.num - a.task.num)
  }

  /** The tasks that have not ended, each part in its order. */
  #open() {
    /** @type {Record<'input' | 'working' | 'waiting', TaskEntry[]>} */
    const open = { input: [], working: [], waiting: [] }
    for (const entry of this.#entries.values()) {
      const group = taskGroup(entry.task)
      if (group !== 'over') open[group].push(entry)
    }
    const byAge = (/** @type {TaskEntry} */ a, /** @type {TaskEntry} */ b) => a.task.num - b.task.num
    open.input.sort(byAge)
    open.working.sort(byAge)
    open.waiting.sort((a, b) => {
      const queued = Number(isQueued(b)) - Number(isQueued(a))
      return queued || (isQueued(a) ? a.rank - b.rank : 0) || byAge(a, b)
    })
    return open
  }

  /**
   * Numbers the tasks that wait for the same agents. The server sends only the first of them whenever they move up, and all
   * of them wait for the same reason.
   * @param {TaskEntry[]} waiting in order
   */
  #place(waiting) {
    /** @type {Map<string, {n: number, why: string | undefined, asking: string[] | undefined}>} */
    const lines = new Map()
    for (const entry of waiting) {
      if (!isQueued(entry)) continue
      const { task } = entry
      const key = `${task.type ?? ''}|${task.agent ?? ''}|${task.capabilities?.join(' ') ?? ''}`
      const line = lines.get(key) ?? { n: 0, why: task.waiting, asking: task.asking }
      line.n++
      lines.set(key, line)
      const { shown } = entry
      if (shown.position !== line.n || shown.waiting !== line.why || String(shown.asking) !== String(line.asking)) entry.shown = { ...task, position: line.n, waiting: line.why, asking: line.asking }
    }
  }
}

/** @param {TaskEntry} e a task; the result says whether it could begin now and only waits for an agent */
const isQueued = (e) => Boolean(e.task.position)

/**
 * @param {TaskEntry} entry
 * @param {TaskFilter} f
 * @param {string} query in lower case
 */
function matches(entry, f, query) {
  const t = entry.task
  if (f.type && t.type !== f.type) return false
  if (f.state && (f.state === 'dead' ? !t.dead_letter : t.state !== f.state)) return false
  if (isChild(t) && isOver(t) && !f.parts && !f.state && !f.query) return false
  if (!query) return true
  const run = lastRun(t)
  entry.words ||= [t.name, t.id, t.type, t.queue, t.capabilities?.join(' '), t.input?.text, [...(t.argv ?? []), ...(t.args ?? [])].join(' '), t.message, run && agentName(run)].join('\n').toLowerCase()
  return entry.words.includes(query)
}
