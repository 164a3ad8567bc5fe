import { field, mark, write } from '../lib/dom.js'
import { morph, parse } from '../lib/morph.js'
import { isOver } from './taskformat.js'

/** @import { Task } from '../../client/types.js' */
/** @import { TaskEntry } from './queue.js' */

/**
 * TaskRow is one task in the queue or on the board, as the server renders it (taskRow or taskCard in ui/task/tasks.templ).
 */
export class TaskRow {
  /**
   * @type {TaskEntry | undefined} the entry that it shows; undefined while it shows what the server rendered with the page
   */
  entry
  /**
   * @type {{task: Task | undefined, waiting: string | undefined, asking: string, message: string | undefined} | undefined} the
   * record that its HTML was rendered from
   */
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

  /** Whether its HTML is of the newest record, apart from what this script writes. */
  get fits() {
    if (!this.entry) return true
    const { task, shown } = this.entry
    if (isOver(task)) return this.element.dataset.rev === String(task.rev)
    return this.#made?.task === task && this.#made.waiting === shown.waiting && this.#made.asking === String(shown.asking) && this.#made.message === shown.message
  }

  /**
   * Shows a record as the server rendered it.
   * @param {string} html
   * @param {Task | undefined} task the record
   */
  show(html, task) {
    const [to] = parse(html)
    if (to) morph(this.element, to)
    this.#made = { task, waiting: this.entry?.shown.waiting, asking: String(this.entry?.shown.asking), message: this.entry?.shown.message }
  }

  /** Writes its place among the waiting tasks, which changes without a change of the task. */
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
