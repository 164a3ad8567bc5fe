import { settings } from './dom.js'

/** How many views are kept, and how long a name may be, in characters. */
export const MAX_VIEWS = 24
export const MAX_NAME = 40

/** The longest query of an address that is kept, in characters. */
const MAX_QUERY = 2000

/** @typedef {{name: string, query: string}} View filters and order of the fleet under a name; query is that of the page's address, with its ? */

/** @param {any} v */
const valid = (v) => typeof v?.name === 'string' && typeof v.query === 'string' && v.name === tidy(v.name) && v.name !== '' && v.query.startsWith('?') && v.query.length <= MAX_QUERY

/** A name as it is kept. @param {string} name */
export const tidy = (name) => [...name.replace(/[\s\p{C}]+/gu, ' ').trim()].slice(0, MAX_NAME).join('').trim()

/** Views are the saved ones, in the order of their names. They are kept in this browser. */
export class Views {
  #store

  /** @param {Pick<typeof settings, 'get' | 'set'>} [store] */
  constructor(store = settings) {
    this.#store = store
  }

  /** @returns {View[]} what can't be read is left out */
  get all() {
    try {
      const all = JSON.parse(this.#store.get('views') ?? '[]')
      const named = new Map((Array.isArray(all) ? all : []).filter(valid).map((v) => [v.name, { name: v.name, query: v.query }]))
      return [...named.values()].slice(0, MAX_VIEWS)
    } catch {
      return []
    }
  }

  /**
   * Saves a view, in the place of one with that name.
   * @param {string} name
   * @param {string} query
   * @returns {string} why it is not saved; '': it is
   */
  save(name, query) {
    const view = { name: tidy(name), query }
    const others = this.all.filter((v) => v.name !== view.name)
    if (!view.name) return 'Give the view a name.'
    if (!valid(view)) return 'Filter the fleet first, or choose an order: there is nothing to save.'
    if (others.length >= MAX_VIEWS) return `There are ${MAX_VIEWS} views already: delete one first.`
    this.#put([...others, view])
    return ''
  }

  /**
   * @param {string} from
   * @param {string} to
   * @returns {string} why it is not renamed; '': it is
   */
  rename(from, to) {
    const name = tidy(to)
    if (!name) return 'A view needs a name.'
    const { all } = this
    if (name !== from && all.some((v) => v.name === name)) return `There is a view “${name}” already.`
    this.#put(all.map((v) => (v.name === from ? { ...v, name } : v)))
    return ''
  }

  /** @param {string} name */
  delete(name) {
    this.#put(this.all.filter((v) => v.name !== name))
  }

  /** @param {View[]} all */
  #put(all) {
    this.#store.set('views', JSON.stringify(all.sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1))))
  }
}
