import { KINDS } from './rank.js'

/** @import { Item } from './rank.js' */

/** How many of what was used lately are kept, and how long a kept text may be. */
const MAX_KEPT = 12
const MAX_TEXT = 200

const KEY = 'skein.palette'

/** @typedef {Pick<Item, 'kind' | 'key' | 'title' | 'detail' | 'icon' | 'href'>} Kept */

/** What was used lately, the newest first. It is kept in this browser, if it keeps anything. */
export class Recent {
  #storage
  /** @type {Kept[]} */
  #all

  /** @param {() => Pick<Storage, 'getItem' | 'setItem'>} [storage] throws where storage is forbidden */
  constructor(storage = () => localStorage) {
    this.#storage = storage
    this.#all = this.#read()
  }

  get all() {
    return this.#all
  }

  /**
   * Where an item is among those used lately; Infinity: it is not.
   * @param {Item} item
   */
  place(item) {
    const i = this.#all.findIndex((k) => same(k, item))
    return i < 0 ? Infinity : i
  }

  /** @param {Item} item that was used now */
  add(item) {
    const { kind, key, title, detail = '', icon, href } = item
    const kept = { kind, key, title: title.slice(0, MAX_TEXT), detail: detail.slice(0, MAX_TEXT), icon, ...(href && { href }) }
    this.#all = [kept, ...this.#all.filter((k) => !same(k, item))].slice(0, MAX_KEPT)
    try {
      this.#storage().setItem(KEY, JSON.stringify(this.#all))
    } catch {
      // it is then kept for this page only
    }
  }

  /** @returns {Kept[]} */
  #read() {
    try {
      const all = JSON.parse(this.#storage().getItem(KEY) ?? '[]')
      return Array.isArray(all) ? all.filter(valid).slice(0, MAX_KEPT) : []
    } catch {
      return []
    }
  }
}

/**
 * @param {Pick<Item, 'kind' | 'key'>} a
 * @param {Pick<Item, 'kind' | 'key'>} b
 */
const same = (a, b) => a.kind === b.kind && a.key === b.key

/** Whether it is what add stores: an address is a path of this server. @param {any} k */
const valid = (k) => Object.hasOwn(KINDS, k?.kind) && ['key', 'title', 'detail', 'icon'].every((name) => typeof k[name] === 'string') &&
  (k.href === undefined || (typeof k.href === 'string' && /^\/(?![/\\])/.test(k.href)))
