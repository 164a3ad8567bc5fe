import { clone, field, mark, one, write } from '../lib/dom.js'
import { taskAge, taskText, taskTitle, taskURL } from './taskformat.js'
import { writeStatus } from './taskrow.js'

/** @import { Task } from '../../client/types.js' */

/** How many are in the page until a person asks for all. */
const MAX_BELOW = 200

/** @typedef {{el: HTMLElement, list: HTMLElement | null, task: Task | undefined}} Twig */

/** The tasks below one, each with those below it. */
export class Tree {
  #el
  #root
  #more
  /** @type {Map<string, Twig>} those in the page */
  #twigs = new Map()
  /** @type {Map<string, Task>} all */
  #tasks = new Map()
  #limit = MAX_BELOW

  /**
   * @param {HTMLElement} el
   * @param {string} root whose tree it is
   */
  constructor(el, root) {
    this.#el = el
    this.#more = one(el, '#below-more')
    this.#root = root
    const top = one(el, '.tree')
    this.#twigs.set(root, { el, list: top, task: undefined })
    for (const twig of /** @type {NodeListOf<HTMLElement>} */ (el.querySelectorAll('.twig'))) {
      this.#twigs.set(twig.dataset.id ?? '', { el: twig, list: twig.querySelector(':scope > .tree'), task: undefined })
    }
    one(this.#more, 'button').addEventListener('click', () => {
      this.#limit = Infinity
      this.put(this.#tasks.values())
    })
  }

  /**
   * @param {Iterable<Task>} tasks new or changed
   * @param {Iterable<string>} [removed]
   */
  put(tasks, removed = []) {
    const now = Date.now()
    const sorted = [...tasks].sort((a, b) => a.num - b.num) // a parent is older than what is below it
    for (const t of sorted) {
      this.#tasks.set(t.id, t)
      const twig = this.#twigs.get(t.id) ?? this.#grow(t)
      if (twig) fill(twig, t, now)
    }
    for (const id of removed) {
      this.#tasks.delete(id)
      this.#twigs.get(id)?.el.remove()
      this.#twigs.delete(id)
    }
    write(field(this.#el, 'total'), String(this.#tasks.size))
    this.#more.hidden = this.#tasks.size < this.#twigs.size // the root is one of them
  }

  /** @param {Task} t */
  #grow(t) {
    const parent = this.#twigs.get(t.parent ?? this.#root)
    if (!parent || this.#twigs.size > this.#limit) return undefined
    if (!parent.list) {
      parent.list = document.createElement('ul')
      parent.list.className = 'tree'
      parent.el.append(parent.list)
    }
    const el = clone('tree-item')
    const later = [...parent.list.children].find((x) => (this.#twigs.get(/** @type {HTMLElement} */ (x).dataset.id ?? '')?.task?.num ?? 0) > t.num)
    parent.list.insertBefore(el, later ?? null)
    /** @type {Twig} */
    const twig = { el, list: null, task: undefined }
    this.#twigs.set(t.id, twig)
    return twig
  }

  /** @param {number} now */
  tick(now) {
    for (const { el, task } of this.#twigs.values()) if (task) write(field(el, 'age'), taskAge(task, now))
  }
}

/**
 * @param {Twig} twig
 * @param {Task} t
 * @param {number} now
 */
function fill(twig, t, now) {
  twig.task = t
  const { el } = twig
  mark(el, 'data-id', t.id)
  mark(el, 'data-state', t.state)
  writeStatus(el, t)
  write(field(el, 'name'), taskTitle(t))
  mark(field(el, 'name'), 'href', taskURL(t.id))
  write(field(el, 'text'), taskText(t, now))
  write(field(el, 'age'), taskAge(t, now))
}
