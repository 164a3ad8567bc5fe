import { field, mark, write } from '../lib/dom.js'
import { morph, parse } from '../lib/morph.js'
import { isOver } from './taskformat.js'

/** @import { Task } from '../../client/types.js' */
/** @import { TaskEntry } from './queue.js' */

/** One task in the queue or on the board, as the server renders it: the component ui/task/tasks.templ calls taskRow, or taskCard. */
export class TaskRow {
  /** @type {TaskEntry | undefined} what it shows; none while it shows what the server rendered with the page */
  entry
  /** @type {{task: Task | undefined, waiting: string | undefined, message: string | undefined} | undefined} what its HTML was made of */
  #made

  /**
   * @param {string} id
   * @param {HTMLElement} element
   */
  constructor(id, element) {
    this.id = id
    this.element = element
    this.name = /** @type {HTMLAnchorElement} */ (field(element, 'name'))
    this.pick = field(element, 'pick')
  }

  /**
   * @param {string} id
   * @param {string} html
   */
  static of(id, html) {
    const [element] = parse(html)
    return element && new TaskRow(id, element)
  }

  /** Whether it shows the newest record, but for what this page writes itself. */
  get fits() {
    if (!this.entry) return true
    const { task, shown } = this.entry
    if (isOver(task)) return this.element.dataset.rev === String(task.rev)
    return this.#made?.task === task && this.#made.waiting === shown.waiting && this.#made.message === shown.message
  }

  /**
   * Shows what the server made of a record.
   * @param {string} html
   * @param {Task | undefined} task the record
   */
  show(html, task) {
    const [to] = parse(html)
    if (to) morph(this.element, to)
    this.#made = { task, waiting: this.entry?.shown.waiting, message: this.entry?.shown.message }
  }

  /** Writes its place among those that wait: it moves when others go, which is no change of the task. */
  update() {
    const position = this.entry?.shown.position ?? 0
    const place = field(this.element, 'place')
    write(place, `#${position}`)
    place.hidden = position === 0
  }

  /** @param {boolean} on */
  set picked(on) {
    mark(this.pick, 'aria-checked', String(on))
    mark(this.element, 'data-picked', on)
  }
}
