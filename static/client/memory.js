import { MAX_MEMORY_BULK, MAX_MESSAGE } from './codes.js'
import { RpcError } from './errors.js'
import { encodeLine } from './message.js'
import { pages } from './pages.js'
import { toPayload } from './payload.js'
import { watch } from './watch.js'

/** @import * as wire from './types.js' */
/** @import { Host } from './resume.js' */
/** @import { CallOptions } from './rpc.js' */
/** @import { PayloadInit } from './payload.js' */
/** @import { Position } from './watch.js' */

/** @typedef {Omit<wire.MemoryStoreParams, 'value'> & {value?: PayloadInit}} MemoryInit an entry to store; its value may be a string or bytes */

/** The most bytes of entries in a bulk request. The rest of the message is left for the request around them. */
const MAX_BULK_BYTES = MAX_MESSAGE - 4096

/** Memory is the store of values that agents and people share. */
export class Memory {
  #host

  /** @param {Host} host */
  constructor(host) {
    this.#host = host
  }

  /**
   * Stores a value. With `if_revision` it is a compare-and-set: if the entry has another revision, it fails with kind
   * `conflict`, and the error's `data.entry` has the current entry.
   * @param {MemoryInit} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.MemoryEntry>}
   */
  store(params, options) {
    return this.#host.call('memory.store', toEntry(params), options)
  }

  /**
   * @param {wire.MemoryKeyParams} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.MemoryEntry>}
   */
  retrieve(params, options) {
    return this.#host.call('memory.retrieve', params, options)
  }

  /**
   * Deletes an entry. It returns false if there was none.
   * @param {wire.MemoryKeyParams} params
   * @param {CallOptions} [options]
   * @returns {Promise<boolean>}
   */
  async delete(params, options) {
    return (await this.#host.call('memory.delete', params, options)).deleted
  }

  /**
   * Lists the entries of a namespace in the byte order of their keys, a page at a time. The next page is requested when the
   * caller asks for it.
   * @param {wire.MemoryListParams} params
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<wire.MemoryListResult, void, void>}
   */
  async *list(params, options) {
    for (let after = params.after ?? ''; ; ) {
      /** @type {wire.MemoryListResult} */
      const page = await this.#host.call('memory.list', { ...params, ...(after && { after }) }, options)
      yield page
      if (!page.next) return
      after = page.next
    }
  }

  /**
   * Searches keys and values for words.
   * @param {wire.MemorySearchParams} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.MemorySearchResult>}
   */
  search(params, options) {
    return this.#host.call('memory.search', params, options)
  }

  /**
   * The past values of a key, newest first: at most the last sixteen. It sends as many requests as it takes.
   * @param {wire.MemoryHistoryParams} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.MemoryEntry[]>}
   */
  async history(params, options) {
    /** @type {wire.MemoryEntry[]} */
    const all = []
    for (let before = params.before ?? 0; ; ) {
      const { entries, next } = await this.#host.call('memory.history', { ...params, ...(before > 0 && { before }) }, options)
      all.push(...(entries ?? []))
      if (!next) return all
      before = next
    }
  }

  /**
   * @param {CallOptions} [options]
   * @returns {Promise<wire.MemoryNamespace[]>}
   */
  async namespaces(options) {
    return (await pages(this.#host.call, 'memory.namespaces', 'namespaces', {}, options)).namespaces
  }

  /**
   * What memory holds as parts of Skein's own pages; 100 keys at most are asked for at once. Rows of what is gone are left out.
   * @param {wire.MemoryRenderParams} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.MemoryRenderResult>}
   */
  render(params, options) {
    return this.#host.call('memory.render', params, options)
  }

  /**
   * Stores several values, in as many requests as it takes. Each succeeds or fails by itself; the answers are in the order
   * of the entries.
   * @param {MemoryInit[]} entries
   * @param {CallOptions} [options]
   * @returns {Promise<wire.MemoryOne[]>}
   */
  async setMany(entries, options) {
    return this.#bulk('memory.set_many', 'entries', entries.map(toEntry), options)
  }

  /**
   * Reads several values; the answers are in the order of the keys.
   * @param {wire.MemoryKeyParams[]} keys
   * @param {CallOptions} [options]
   * @returns {Promise<wire.MemoryOne[]>}
   */
  async getMany(keys, options) {
    const results = await this.#bulk('memory.get_many', 'keys', keys, options)
    // A value that did not fit the answer is read by itself.
    for (const [i, { error }] of results.entries()) {
      if (error?.data?.kind === 'too_large') results[i] = await this.#one(keys[i], options)
    }
    return results
  }

  /**
   * @param {wire.MemoryKeyParams} key
   * @param {CallOptions} [options]
   * @returns {Promise<wire.MemoryOne>}
   */
  async #one(key, options) {
    try {
      return { entry: await this.retrieve(key, options) }
    } catch (e) {
      if (!(e instanceof RpcError)) throw e
      return { error: { code: e.code, message: e.message, data: e.data } }
    }
  }

  /**
   * @param {string} method
   * @param {string} name the name of the parameter
   * @param {object[]} items
   * @param {CallOptions} [options]
   * @returns {Promise<wire.MemoryOne[]>}
   */
  async #bulk(method, name, items, options) {
    /** @type {wire.MemoryOne[]} */
    const results = []
    for (const some of batches(items)) results.push(...(await this.#host.call(method, { [name]: some }, options)).results)
    return results
  }

  /**
   * Watches the entries under a prefix: first those that exist, then every change in order, as updates. `entries` were
   * stored, or have `deleted`; `reset` says to forget everything from before. An update without entries only moves the
   * cursor. The watch goes on over reconnects until its iteration is left or aborted.
   * @param {wire.MemoryWatchParams & {after?: number, epoch?: string, signal?: AbortSignal}} options after and epoch: the
   *   `cursor` and the epoch of an earlier update, so that only later changes follow
   * @returns {AsyncGenerator<wire.MemoryUpdate & Position, never, void>}
   */
  watch({ after, epoch, signal, ...params }) {
    return watch(this.#host, { lane: 'memory', method: 'memory.watch', note: 'memory', params, after, epoch, signal })
  }
}

/**
 * Splits items into lists that fit one request each.
 * @param {object[]} items
 */
function* batches(items) {
  /** @type {object[]} */
  let some = []
  let size = 0
  for (const item of items) {
    const bytes = encodeLine(item).length
    if (some.length >= MAX_MEMORY_BULK || (some.length > 0 && size + bytes > MAX_BULK_BYTES)) {
      yield some
      some = []
      size = 0
    }
    some.push(item)
    size += bytes
  }
  if (some.length > 0) yield some
}

/**
 * @param {MemoryInit} params
 * @returns {wire.MemoryStoreParams}
 */
function toEntry({ value, ...rest }) {
  return value === undefined ? rest : { ...rest, value: toPayload(value) }
}
