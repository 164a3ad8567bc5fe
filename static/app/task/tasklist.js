import { field, mark, one, write } from '../lib/dom.js'
import { Queue } from './queue.js'
import { TaskRow } from './taskrow.js'

/** @import { Task } from '../../client/types.js' */
/** @import { TaskArrangement, TaskEntry, TaskFilter } from './queue.js' */

/** How many tasks of a part are in the page at first, and how many more each "Show more" brings. */
const STEP = 100

/** How long a page that nobody sees may take to follow, in milliseconds. */
const HIDDEN_MS = 500

/**
 * @typedef {object} Part a part of the queue, or a column of the board
 * @property {string} key
 * @property {HTMLElement} el
 * @property {Element} home what the rows are children of
 * @property {Element | null} end what stands behind the rows
 * @property {Element} total
 * @property {HTMLElement} more
 * @property {number} limit
 */

/**
 * The tasks on the page: their order, the filter, the selection; as the queue, or as the board. What changes is noted, and
 * written once in a frame.
 *
 * Events: `select`, `arrange` (CustomEvent with a TaskArrangement).
 */
export class TaskList extends EventTarget {
  #queue
  /** @type {Map<string, TaskRow>} */
  #rows = new Map()
  /** @type {TaskEntry[]} all that match, from top to bottom, column by column */
  #shown = []
  /** @type {TaskEntry[][]} those in the page, part by part */
  #placed = []
  /** @type {Set<string>} */
  #picked = new Set()
  /** @type {string | undefined} where a range begins */
  #anchor
  #whole = false // all tasks are known; until then the page is as the server rendered it
  #frameDue = false
  #board
  #el = { queue: one(document, '#queue'), board: one(document, '#board'), pickAll: one(document, '#pick-all') }
  #parts = { queue: parts(this.#el.queue), board: parts(this.#el.board) }

  /**
   * @param {TaskFilter} filter
   * @param {(task: Task) => string} question what the agent at work on a task asks
   */
  constructor(filter, question) {
    super()
    this.#queue = new Queue(question)
    this.filter = filter
    this.#board = filter.board
    for (const el of /** @type {NodeListOf<HTMLElement>} */ (this.#view.querySelectorAll('.task'))) this.#rows.set(el.dataset.id ?? '', new TaskRow(el.dataset.id ?? '', el))
    this.#listen()
    document.addEventListener('visibilitychange', () => {
      if (document.hidden && this.#frameDue) setTimeout(() => this.#frameDue && this.#frame(), HIDDEN_MS) // a hidden page has no frames
    })
    setInterval(() => {
      if (document.hidden) return
      const now = Date.now()
      for (const row of this.#rows.values()) row.tick(now)
    }, 1000)
  }

  get #view() {
    return this.#board ? this.#el.board : this.#el.queue
  }

  /** @param {string} id */
  task(id) {
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
   * Takes changed records in.
   * @param {Iterable<Task>} tasks
   * @param {Iterable<string>} [removed]
   */
  put(tasks, removed = []) {
    for (const t of tasks) this.#queue.put(t)
    for (const id of removed) this.#queue.delete(id)
    this.arrange()
  }

  /** @param {Iterable<Task>} tasks those that are not known yet; what is known is newer than an answer */
  add(tasks) {
    for (const t of tasks) if (!this.#queue.get(t.id)) this.#queue.put(t)
    this.arrange()
  }

  /** @param {ReadonlyMap<string, Task>} tasks all there are */
  replace(tasks) {
    this.#queue.replace(tasks)
    this.#whole = true
    this.arrange()
  }

  /** Agents changed, and with them maybe what they ask. */
  asked() {
    if (this.#queue.asksAnew) this.arrange()
  }

  /** Puts the tasks in order, in the next frame. */
  arrange() {
    if (this.#frameDue || !this.#whole) return
    this.#frameDue = true
    const now = () => this.#frameDue && this.#frame()
    if (document.hidden) setTimeout(now, HIDDEN_MS) // the title is read all the same
    else requestAnimationFrame(now)
  }

  #frame() {
    this.#frameDue = false
    if (this.#board !== this.filter.board) this.#turn()
    const arrangement = this.#queue.arrange(this.filter)
    this.#shown = [...arrangement.parts.values()].flat()
    keepFocus(() => this.#place(arrangement))
    this.#drop()
    this.#selected()
    this.dispatchEvent(new CustomEvent('arrange', { detail: arrangement }))
  }

  /** Shows the other view. */
  #turn() {
    this.#view.hidden = true
    for (const row of this.#rows.values()) row.element.remove()
    this.#rows.clear()
    this.#board = this.filter.board
  }

  /** @param {TaskArrangement} arrangement */
  #place({ parts: entries, counts }) {
    const view = this.#board ? this.#parts.board : this.#parts.queue
    const now = Date.now()
    /** @type {Set<string>} */
    const placed = new Set()
    this.#placed = []
    for (const part of view) {
      const all = entries.get(part.key) ?? []
      const here = all.slice(0, part.limit)
      this.#placed.push(here)
      order(part.home, here.map((e) => {
        placed.add(e.task.id)
        return this.#row(e, now).element
      }), part.end)
      write(part.total, String(all.length))
      const hidden = all.length - here.length
      part.more.hidden = hidden === 0
      write(one(part.more, 'button'), `Show ${Math.min(hidden, STEP)} more of ${hidden}`)
      if (this.#board) this.#column(part, all.length)
      else part.el.hidden = all.length === 0
    }
    for (const [id, row] of this.#rows) {
      if (placed.has(id)) continue
      row.element.remove()
      this.#rows.delete(id)
    }
    this.#view.hidden = this.#shown.length === 0 || counts[''] === 0
  }

  /**
   * @param {TaskEntry} entry
   * @param {number} now
   */
  #row(entry, now) {
    const { id } = entry.task
    let row = this.#rows.get(id)
    if (!row) {
      row = TaskRow.blank(id, this.#board)
      this.#rows.set(id, row)
    }
    row.entry = entry
    row.picked = this.#picked.has(id)
    row.update(now)
    return row
  }

  /**
   * A column that the filter leaves out is not shown, nor the one that is empty most of the time.
   * @param {Part} part
   * @param {number} n
   */
  #column(part, n) {
    const { state } = this.filter
    const left = state !== '' && state !== 'dead' && (state === 'rejected' ? 'canceled' : state) !== part.key
    part.el.hidden = left || (state === '' && part.key === 'input_required' && n === 0)
    field(part.el, 'none').hidden = n > 0
  }

  #listen() {
    const { queue, board, pickAll } = this.#el
    pickAll.addEventListener('click', () => {
      const on = pickAll.getAttribute('aria-checked') !== 'true'
      for (const e of this.#shown) this.#pick(e.task.id, on)
      this.#selected()
    })
    for (const view of [queue, board]) {
      view.addEventListener('click', (e) => {
        const target = /** @type {HTMLElement} */ (e.target)
        if (target.matches('.task .pick')) this.toggle(idOf(target), e.shiftKey)
        const more = target.closest('[data-do="more"]')
        const part = more && [...this.#parts.queue, ...this.#parts.board].find((p) => p.el.contains(more))
        if (!part) return
        part.limit += STEP
        this.arrange()
      })
    }
  }

  // --- selection ---

  /** The selected tasks, from top to bottom. */
  get picked() {
    return this.#picked.size === 0 ? [] : this.#shown.flatMap((e) => (this.#picked.has(e.task.id) ? [e.task] : []))
  }

  /**
   * @param {string} id
   * @param {boolean} range from the last one to this
   * @param {boolean} [on]
   */
  toggle(id, range, on = !this.#picked.has(id)) {
    const index = (/** @type {string | undefined} */ x) => this.#shown.findIndex((e) => e.task.id === x)
    const from = range ? index(this.#anchor) : -1
    const to = index(id)
    if (from >= 0 && to >= 0) for (let i = Math.min(from, to); i <= Math.max(from, to); i++) this.#pick(this.#shown[i]?.task.id ?? '', on)
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
    if (!this.#queue.get(id) && on) return
    if (on) this.#picked.add(id)
    else this.#picked.delete(id)
    const row = this.#rows.get(id)
    if (row) row.picked = on
  }

  /** What is no longer shown is no longer selected. */
  #drop() {
    if (this.#picked.size === 0) return
    const shown = new Set(this.#shown.map((e) => e.task.id))
    for (const id of this.#picked) if (!shown.has(id)) this.#pick(id, false)
  }

  #selected() {
    const n = this.#picked.size
    mark(this.#el.pickAll, 'aria-checked', n === 0 ? 'false' : n === this.#shown.length ? 'true' : 'mixed')
    this.dispatchEvent(new Event('select'))
  }

  // --- the row that has the focus ---

  /** @returns {TaskRow | undefined} */
  get current() {
    return this.#rows.get(idOf(document.activeElement))
  }

  /** @param {1 | -1} step in the queue, or in the column of the board */
  move(step) {
    const current = this.current?.entry
    const column = (this.#board && this.#placed.find((p) => current && p.includes(current))) || this.#placed.flat()
    const at = current ? column.indexOf(current) : -1
    const to = at < 0 ? (step > 0 ? 0 : column.length - 1) : at + step
    this.#focus(column[Math.max(0, Math.min(column.length - 1, to))])
  }

  /** @param {1 | -1} step on the board, to the next column that has a task */
  cross(step) {
    if (!this.#board) return false
    const current = this.current?.entry
    const from = this.#placed.findIndex((p) => current && p.includes(current))
    if (from < 0) return false
    const row = this.#placed[from]?.indexOf(/** @type {TaskEntry} */ (current)) ?? 0
    for (let i = from + step; i >= 0 && i < this.#placed.length; i += step) {
      const column = this.#placed[i] ?? []
      if (column.length === 0) continue
      this.#focus(column[Math.min(row, column.length - 1)])
      return true
    }
    return true
  }

  /** @param {TaskEntry} [entry] */
  #focus(entry) {
    const row = entry && this.#rows.get(entry.task.id)
    row?.name.focus()
    row?.element.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }

  /**
   * Shows new tasks: the focus goes to the first. False when the filter hides it.
   * @param {string[]} ids
   */
  reveal(ids) {
    this.#frame()
    const rows = ids.flatMap((id) => this.#rows.get(id) ?? [])
    rows[0]?.name.focus()
    for (const { element } of rows) {
      mark(element, 'data-fresh', true)
      element.addEventListener('animationend', () => element.removeAttribute('data-fresh'), { once: true })
    }
    return rows.length > 0
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
    return { key: el.dataset.part ?? '', el, home: cards ?? el, end: cards ? null : more, total: field(el, 'total'), more, limit: STEP }
  })
}

/** @param {Element | null} el */
const idOf = (el) => /** @type {HTMLElement | null | undefined} */ (el?.closest('.task'))?.dataset.id ?? ''

/**
 * Makes the `.task` children in front of `end` the given ones, in order, moving as few as it can.
 * @param {Element} parent
 * @param {Element[]} elements
 * @param {Element | null} end
 */
export function order(parent, elements, end) {
  const stay = new Set(elements)
  let at = parent.querySelector(':scope > .task')
  const next = (/** @type {Element} */ el) => (el.nextElementSibling === end ? null : el.nextElementSibling)
  const drop = (/** @type {Element} */ el) => {
    at = next(el)
    el.remove()
  }
  for (const element of elements) {
    while (at && !stay.has(at)) drop(at)
    if (at && at !== element && at.nextElementSibling === element) { // one went elsewhere: it comes back in its place
      const gone = at
      at = element
      gone.remove()
    }
    if (at === element) at = next(element)
    else parent.insertBefore(element, at ?? end)
  }
  while (at) drop(at)
}

/** @param {() => void} move an element that moves loses the focus; it gets it back */
function keepFocus(move) {
  const had = /** @type {HTMLElement | null} */ (document.activeElement)
  move()
  if (had && had !== document.activeElement && had.isConnected) had.focus({ preventScroll: true })
}
