/** @import { Skein } from '../../client/index.js' */
/** @import { TaskHTML } from '../../client/types.js' */

/** How many tasks are asked for at once. */
const AT_ONCE = 100

/**
 * Tasks as the server renders them, for a page that has changed records and no HTML that came with them. One request is under way
 * at a time; what is wanted meanwhile waits for the next.
 */
export class Fragments {
  #skein
  #got
  /** @type {Map<TaskHTML, Set<string>>} */
  #wanted = new Map()
  #busy = false

  /**
   * @param {Skein} skein
   * @param {(kind: TaskHTML, ids: string[], html: Record<string, string>) => void} got
   */
  constructor(skein, got) {
    this.#skein = skein
    this.#got = got
  }

  /**
   * @param {TaskHTML} kind
   * @param {string} id
   */
  want(kind, id) {
    const wanted = this.#wanted.get(kind) ?? new Set()
    this.#wanted.set(kind, wanted.add(id))
    if (this.#busy) return
    this.#busy = true
    queueMicrotask(() => void this.#ask())
  }

  async #ask() {
    for (let [kind, wanted] = this.#next(); kind && wanted; [kind, wanted] = this.#next()) {
      const ids = [...wanted].slice(0, AT_ONCE)
      for (const id of ids) wanted.delete(id)
      try {
        this.#got(kind, ids, await this.#skein.tasks.render(ids, kind))
      } catch {
        this.#got(kind, ids, {}) // the page keeps what it shows; the connection's badge says why
      }
    }
    this.#busy = false
  }

  /** @returns {[TaskHTML, Set<string>] | []} */
  #next() {
    for (const [kind, wanted] of this.#wanted) if (wanted.size > 0) return [kind, wanted]
    return []
  }
}
