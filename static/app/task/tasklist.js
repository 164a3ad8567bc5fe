import { field, one, write } from '../lib/dom.js'
import { tick } from '../lib/ticks.js'
import { arrange } from '../list/arrange.js'
import { List } from '../list/list.js'
import { Queue } from './queue.js'
import { TaskRow } from './taskrow.js'

/** @import { Task, TaskHTML } from '../../client/types.js' */
/** @import { TaskArrangement, TaskEntry, TaskFilter } from './queue.js' */

/** How many tasks of a part are in the page at first, and how many more each "Show more" brings. */
const STEP = 100

/**
 * @typedef {object} Part a part of the queue, or a column of the board
 * @property {string} key
 * @property {HTMLElement} el
 * @property {Element} home the parent of the rows
 * @property {Element | null} head the element before the rows
 * @property {Element | null} end the element after them
 * @property {Element} total
 * @property {HTMLElement} more
 * @property {number} limit
 */

/**
 * TaskList shows the tasks as the queue or as the board. The first tasks of each part have rows; a person asks for more.
 * @extends {List<Task, TaskEntry, TaskRow>}
 */
export class TaskList extends List {
  #queue
  #want
  /** @type {Map<string, {html: string, task: Task | undefined}>} the rendered tasks that wait for the next frame */
  #html = new Map()
  /** @type {TaskEntry[][]} the tasks that have a row or will get one, part by part */
  #placed = []
  #board
  #el = { queue: one(document, '#queue'), board: one(document, '#board') }
  #parts = { queue: parts(this.#el.queue), board: parts(this.#el.board) }

  /**
   * @param {TaskFilter} filter
   * @param {(task: Task) => string} question what the agent that works on a task asks
   * @param {(kind: TaskHTML, id: string) => void} want asks for the HTML of a task that needs a row
   */
  constructor(filter, question, want) {
    super({ views: [one(document, '#queue'), one(document, '#board')], item: '.task', record: (e) => e.task })
    this.#queue = new Queue(question)
    this.#want = want
    this.filter = filter
    this.#board = filter.board
    for (const el of /** @type {NodeListOf<HTMLElement>} */ (this.#view.querySelectorAll('.task'))) this.rows.set(el.dataset.id ?? '', new TaskRow(el.dataset.id ?? '', el))
    for (const view of [this.#el.queue, this.#el.board]) {
      view.addEventListener('click', (e) => {
        const more = /** @type {HTMLElement} */ (e.target).closest('[data-do="more"]')
        const part = more && [...this.#parts.queue, ...this.#parts.board].find((p) => p.el.contains(more))
        if (!part) return
        part.limit += STEP
        this.arrange()
      })
    }
  }

  get #view() {
    return this.#board ? this.#el.board : this.#el.queue
  }

  tick() {
    tick(this.#view)
  }

  /** The component that shows a task in the current view. @returns {TaskHTML} */
  get kind() {
    return this.#board ? 'card' : 'row'
  }

  /** @param {string} id */
  get(id) {
    return this.#queue.get(id)
  }

  get size() {
    return this.#queue.size
  }

  /** @param {Iterable<string>} ids */
  openBelow(ids) {
    return this.#queue.openBelow(ids)
  }

  /**
   * Takes changed records.
   * @param {Iterable<Task>} tasks
   * @param {Iterable<string>} [removed]
   * @param {Record<string, string>} [html] the HTML of the changed tasks
   */
  put(tasks, removed = [], html = {}) {
    for (const t of tasks) {
      this.#queue.put(t)
      const made = html[t.id]
      if (made) this.#html.set(t.id, { html: made, task: t })
      else this.#html.delete(t.id)
    }
    for (const id of removed) this.#queue.delete(id)
    this.arrange()
  }

  /**
   * Takes rendered tasks.
   * @param {TaskHTML} kind
   * @param {{id: string, html: string, task: Task | undefined}[]} made the tasks, each with the newest record that was known when its HTML was requested
   */
  rendered(kind, made) {
    if (kind !== this.kind) return
    for (const { id, html, task } of made) if (!this.#html.has(id)) this.#html.set(id, { html, task })
    if (made.length > 0) this.arrange()
  }

  /**
   * @param {Iterable<Task>} tasks tasks of an answer; only those that are not known yet are added, since known records are
   * newer
   */
  add(tasks) {
    for (const t of tasks) if (!this.#queue.get(t.id)) this.#queue.put(t)
    this.arrange()
  }

  /** @param {ReadonlyMap<string, Task>} tasks all there are */
  replace(tasks) {
    this.#queue.replace(tasks)
    this.whole = true
    this.arrange()
  }

  /** Updates the questions after agents changed. */
  asked() {
    if (this.#queue.asksAnew) this.arrange()
  }

  /** Puts the tasks in order, in the next frame. */
  arrange() {
    this.schedule()
  }

  frame() {
    if (this.#board !== this.filter.board) this.#turn()
    const arrangement = this.#queue.arrange(this.filter)
    const shown = [...arrangement.parts.values()].flat()
    this.place(() => this.#place(arrangement, shown.length === 0))
    this.#html.clear()
    tick(this.#view)
    this.setShown(shown)
    this.dispatchEvent(new CustomEvent('arrange', { detail: arrangement }))
  }

  /** Switches the view. */
  #turn() {
    this.#view.hidden = true
    for (const row of this.rows.values()) row.element.remove()
    this.rows.clear()
    this.#html.clear()
    this.#board = this.filter.board
  }

  /**
   * @param {TaskArrangement} arrangement
   * @param {boolean} none
   */
  #place({ parts: entries }, none) {
    const view = this.#board ? this.#parts.board : this.#parts.queue
    /** @type {Set<string>} */
    const placed = new Set()
    this.#placed = []
    for (const part of view) {
      const all = entries.get(part.key) ?? []
      const here = all.slice(0, part.limit)
      const rows = here.flatMap((e) => this.#row(e) ?? [])
      for (const row of rows) placed.add(row.id)
      this.#placed.push(here)
      arrange(part.home, rows.map((row) => row.element), part.head, part.end)
      write(part.total, String(all.length))
      const hidden = all.length - here.length
      part.more.hidden = hidden === 0
      write(one(part.more, 'button'), `Show ${Math.min(hidden, STEP)} more of ${hidden}`)
      if (this.#board) this.#column(part, all.length)
      else part.el.hidden = all.length === 0
    }
    for (const [id, row] of this.rows) {
      if (placed.has(id)) continue
      row.element.remove()
      this.rows.delete(id)
    }
    this.#view.hidden = none
  }

  /**
   * Returns a task's row; undefined until the server has rendered it.
   * @param {TaskEntry} entry
   */
  #row(entry) {
    const { id } = entry.task
    const made = this.#html.get(id)
    const row = this.rows.get(id) ?? (made && TaskRow.of(id, made.html))
    if (!row) {
      this.#want(this.kind, id)
      return undefined
    }
    this.rows.set(id, row)
    row.entry = entry
    if (made) row.show(made.html, made.task)
    if (!row.fits) this.#want(this.kind, id)
    row.picked = this.isPicked(id)
    row.update()
    return row
  }

  /**
   * Whether a column is hidden: the filter excludes it, or it is the usually empty one.
   * @param {Part} part
   * @param {number} n
   */
  #column(part, n) {
    const { state } = this.filter
    const left = state !== '' && state !== 'dead' && (state === 'rejected' ? 'canceled' : state) !== part.key
    part.el.hidden = left || (state === '' && part.key === 'input_required' && n === 0)
    field(part.el, 'none').hidden = n > 0
  }

  // --- the row that has the focus ---

  /** @param {1 | -1} step in the queue, or in the column of the board */
  move(step) {
    this.moving(() => this.#move(step))
  }

  /** @param {1 | -1} step */
  #move(step) {
    const current = this.at
    const column = (this.#board && this.#placed.find((p) => current && p.includes(current))) || this.#placed.flat()
    const at = current ? column.indexOf(current) : -1
    const to = at < 0 ? (step > 0 ? 0 : column.length - 1) : at + step
    this.focus(column[Math.max(0, Math.min(column.length - 1, to))])
  }

  /** @param {1 | -1} step the direction, on the board, to the next column that has a task */
  cross(step) {
    if (!this.#board) return false
    const current = this.at
    const from = this.#placed.findIndex((p) => current && p.includes(current))
    if (from < 0) return false
    const row = this.#placed[from]?.indexOf(/** @type {TaskEntry} */ (current)) ?? 0
    for (let i = from + step; i >= 0 && i < this.#placed.length; i += step) {
      const column = this.#placed[i] ?? []
      if (column.length === 0) continue
      this.focus(column[Math.min(row, column.length - 1)])
      return true
    }
    return true
  }
}

/**
 * @param {HTMLElement} view
 * @returns {Part[]}
 */
function parts(view) {
  return /** @type {HTMLElement[]} */ ([...view.querySelectorAll('[data-part]')]).map((el) => {
    const cards = el.querySelector('.cards')
    const more = field(el, 'more')
    return { key: el.dataset.part ?? '', el, home: cards ?? el, head: cards ? null : el.firstElementChild, end: cards ? null : more, total: field(el, 'total'), more, limit: STEP }
  })
}
