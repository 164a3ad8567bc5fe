/** How many records one request asks for at most. */
const AT_ONCE = 100

/**
 * Copies an answer into an object without a prototype, since an id may be any text.
 * @param {Record<string, string>} html
 * @returns {Record<string, string>}
 */
const byID = (html) => Object.assign(Object.create(null), html)

/**
 * Asks the server to render records, some at a time. Those that did not fit an answer are requested again, as long as an
 * answer has any.
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
 * Fragments asks the server to render records, for a page that has changed records without their HTML. One request is in
 * progress at a time. Records that are wanted meanwhile wait for the next one, the latest first, since a person is looking
 * at those.
 * @template {string} K the components
 */
export class Fragments {
  #render
  #got
  #sought
  /** @type {Map<K, Set<string>>} */
  #wanted = new Map()
  /** @type {Set<string>} the records of the request in progress, without those that were forgotten meanwhile */
  #asked = new Set()
  #busy = false

  /**
   * @param {(ids: string[], kind: K) => Promise<Record<string, string>>} render
   * @param {(kind: K, ids: string[], html: Record<string, string>) => void} got
   * @param {(id: string) => boolean} [sought] whether a record is still wanted: those that a person scrolled past are not
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
    wanted.delete(id) // the latest go to the end
    this.#wanted.set(kind, wanted.add(id))
    if (this.#busy) return
    this.#busy = true
    queueMicrotask(() => void this.#ask())
  }

  /**
   * Wants a record no more, as it is gone; an answer that is on its way may still have it.
   * @param {string} id
   */
  forget(id) {
    this.#asked.delete(id)
    for (const wanted of this.#wanted.values()) wanted.delete(id)
  }

  async #ask() {
    for (let [kind, wanted] = this.#next(); kind && wanted; [kind, wanted] = this.#next()) {
      for (const id of wanted) if (!this.#sought(id)) wanted.delete(id)
      const ids = [...wanted].slice(-AT_ONCE).reverse()
      if (ids.length === 0) continue
      for (const id of ids) wanted.delete(id)
      this.#asked = new Set(ids)
      try {
        const html = byID(await this.#render(ids, kind))
        const still = [...this.#asked]
        const came = still.filter((id) => html[id])
        if (came.length > 0) for (const id of still) if (!html[id]) wanted.add(id) // the record is gone, or its HTML did not fit the answer
        this.#got(kind, came.length > 0 ? came : still, html)
      } catch {
        this.#got(kind, [...this.#asked], byID({})) // the page keeps what it shows; the connection badge says why
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
