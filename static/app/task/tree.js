import { field, one, write } from '../lib/dom.js'
import { morph, parse } from '../lib/morph.js'

/** @import { Task } from '../../client/types.js' */

/** How many tasks are shown until a person asks for all. */
const MAX_BELOW = 200

/** @typedef {{el: HTMLElement, list: HTMLElement | null, num: number}} Twig */

/** Tree shows the tasks below one, each with those below it, as the server renders them. */
export class Tree {
  #el
  #root
  #want
  #more
  /** @type {Map<string, Twig>} those in the page */
  #twigs = new Map()
  /** @type {Map<string, Task>} all */
  #tasks = new Map()
  #limit = MAX_BELOW

  /**
   * @param {HTMLElement} el
   * @param {string} root the id of the task whose tree it is
   * @param {(id: string) => void} want asks for the HTML of a task
   */
  constructor(el, root, want) {
    this.#el = el
    this.#more = one(el, '#below-more')
    this.#root = root
    this.#want = want
    const top = one(el, '.tree')
    this.#twigs.set(root, { el, list: top, num: 0 })
    for (const twig of /** @type {NodeListOf<HTMLElement>} */ (el.querySelectorAll('.twig'))) {
      this.#twigs.set(twig.dataset.id ?? '', { el: twig, list: twig.querySelector(':scope > .tree'), num: 0 })
    }
    one(this.#more, 'button').addEventListener('click', () => {
      this.#limit = Infinity
      this.put(this.#tasks.values())
    })
  }

  /**
   * @param {Iterable<Task>} tasks the new or changed tasks
   * @param {Iterable<string>} [removed]
   * @param {Record<string, string>} [html] the HTML of the changed tasks
   */
  put(tasks, removed = [], html = {}) {
    const sorted = [...tasks].sort((a, b) => a.num - b.num) // a parent is older than its children
    for (const t of sorted) {
      this.#tasks.set(t.id, t)
      const twig = this.#twigs.get(t.id)
      if (twig) twig.num = t.num
      const made = html[t.id]
      if (made) this.show(t.id, made)
      else if (twig ? twig.el.dataset.rev !== String(t.rev) : this.#twigs.size <= this.#limit) this.#want(t.id)
    }
    for (const id of removed) {
      this.#tasks.delete(id)
      this.#twigs.get(id)?.el.remove()
      this.#twigs.delete(id)
    }
    write(field(this.#el, 'total'), String(this.#tasks.size))
    this.#count()
  }

  #count() {
    this.#more.hidden = this.#tasks.size < this.#twigs.size // the root is one of them
  }

  /**
   * Shows a task as the server rendered it.
   * @param {string} id
   * @param {string} html
   */
  show(id, html) {
    const t = this.#tasks.get(id)
    const [to] = parse(html)
    if (!t || !to) return
    const twig = this.#twigs.get(id)
    if (!twig) return this.#grow(t, to)
    for (const { name, value } of to.attributes) twig.el.setAttribute(name, value)
    morph(one(twig.el, '.twig-line'), one(to, '.twig-line'))
  }

  /**
   * @param {Task} t
   * @param {HTMLElement} el
   */
  #grow(t, el) {
    const parent = this.#twigs.get(t.parent ?? this.#root)
    if (!parent || this.#twigs.size > this.#limit) return
    if (!parent.list) {
      parent.list = document.createElement('ul')
      parent.list.className = 'tree'
      parent.el.append(parent.list)
    }
    const later = [...parent.list.children].find((x) => (this.#twigs.get(/** @type {HTMLElement} */ (x).dataset.id ?? '')?.num ?? 0) > t.num)
    parent.list.insertBefore(el, later ?? null)
    this.#twigs.set(t.id, { el, list: null, num: t.num })
    this.#count()
  }
}
