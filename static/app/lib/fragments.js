/** How many records are asked for at once. */
const AT_ONCE = 100

/**
 * An answer without what every object has, for an id may be any text.
 * @param {Record<string, string>} html
 * @returns {Record<string, string>}
 */
const byID = (html) => Object.assign(Object.create(null), html)

/**
 * Has the server render records, some at a time. What did not fit beside the others is asked for again, as long as any come.
 * @param {string[]} ids
 * @param {(ids: string[]) => Promise<Record<string, string>>} render
 * @returns {Promise<Record<string, string>>} by id
 */
export async function renderAll(ids, render) {
  const html = byID({})
  for (const left = [...ids]; left.length > 0; ) {
    const some = left.splice(0, AT_ONCE)
    const came = byID(await render(some))
    const missing = some.filter((id) => !came[id])
    if (missing.length < some.length) left.unshift(...missing)
    Object.assign(html, came)
  }
  return html
}

/**
 * Records as the server renders them, for a page that has changed records and no HTML that came with them. One request is under
 * way at a time; what is wanted meanwhile waits for the next, the latest first, for a person looks at it.
 * @template {string} K the components
 */
export class Fragments {
  #render
  #got
  #sought
  /** @type {Map<K, Set<string>>} */
  #wanted = new Map()
  #busy = false

  /**
   * @param {(ids: string[], kind: K) => Promise<Record<string, string>>} render
   * @param {(kind: K, ids: string[], html: Record<string, string>) => void} got
   * @param {(id: string) => boolean} [sought] whether it is still wanted; what went by while a person scrolled is not asked for
   */
  constructor(render, got, sought = () => true) {
    this.#render = render
    this.#got = got
    this.#sought = sought
  }

  /**
   * @param {K} kind
   * @param {string} id
   */
  want(kind, id) {
    const wanted = this.#wanted.get(kind) ?? new Set()
    wanted.delete(id) // the latest come last
    this.#wanted.set(kind, wanted.add(id))
    if (this.#busy) return
    this.#busy = true
    queueMicrotask(() => void this.#ask())
  }

  async #ask() {
    for (let [kind, wanted] = this.#next(); kind && wanted; [kind, wanted] = this.#next()) {
      for (const id of wanted) if (!this.#sought(id)) wanted.delete(id)
      const ids = [...wanted].slice(-AT_ONCE).reverse()
      if (ids.length === 0) continue
      for (const id of ids) wanted.delete(id)
      try {
        const html = byID(await this.#render(ids, kind))
        const came = ids.filter((id) => html[id])
        if (came.length > 0) for (const id of ids) if (!html[id]) wanted.add(id) // it is gone, or did not fit beside the others
        this.#got(kind, came.length > 0 ? came : ids, html)
      } catch {
        this.#got(kind, ids, byID({})) // the page keeps what it shows; the connection's badge says why
      }
    }
    this.#busy = false
  }

  /** @returns {[K, Set<string>] | []} */
  #next() {
    for (const [kind, wanted] of this.#wanted) if (wanted.size > 0) return [kind, wanted]
    return []
  }
}
