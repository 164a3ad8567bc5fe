/**
 * Loads extra.js when it is needed: when a WebSocket is tried, a file is uploaded or downloaded, or a terminal is viewed.
 *
 * By then the page's network may be gone, or an update of the server may have removed the file. So a load that fails only
 * fails the current attempt, and the next attempt loads again. A client with a good WebTransport session fetches the module
 * ahead.
 */
import { SkeinError, messageOf } from './errors.js'

/** The file name of the module. In a bundle, build.js gives it a name with a hash. */
const FILE = typeof EXTRA_FILE === 'undefined' ? './extra.js' : EXTRA_FILE

/**
 * After this time another load may begin beside the one that is under way, whose packets may be lost where those of the
 * next arrive.
 */
const STUCK_MS = 5000

/**
 * Imports the module. Firefox (seen in 153) remembers a failed import for the lifetime of the page and fetches the module
 * again only under another name.
 * @param {number} again the number of loads before this one
 */
function importExtra(again) {
  return again === 0 ? import('./extra.js') : import(/* webpackIgnore: true */ /* @vite-ignore */ `${FILE}?again=${again}`)
}

/**
 * @template T
 */
export class Loader {
  #load
  #now
  #loads = 0
  #began = 0
  /** @type {T | undefined} */
  #module
  /** @type {Promise<T> | undefined} the latest load, unless it has failed */
  #loading

  /**
   * @param {(again: number) => Promise<T>} load
   * @param {() => number} [now] milliseconds on a clock that never goes back
   */
  constructor(load, now = () => performance.now()) {
    this.#load = load
    this.#now = now
  }

  /**
   * Returns the module and loads it first if necessary. It rejects with the reason of `signal` when that is aborted before.
   * @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  async get(signal) {
    signal?.throwIfAborted()
    if (this.#module) return this.#module
    if (!this.#loading || this.#now() - this.#began > STUCK_MS) this.#loading = this.#start()
    const loading = this.#loading
    let abort = () => {}
    try {
      return await new Promise((resolve, reject) => {
        abort = () => reject(signal?.reason)
        signal?.addEventListener('abort', abort)
        loading.then(resolve, reject)
      })
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  /** @returns {Promise<T>} */
  #start() {
    this.#began = this.#now()
    const loading = this.#load(this.#loads++).then(
      (module) => (this.#module ??= module),
      (cause) => {
        if (this.#loading === loading) this.#loading = undefined
        throw new SkeinError('not_loaded', `a part of the library, ${FILE} beside the file that imports it, can't be loaded: ${messageOf(cause)}. If the server was updated, load the page again`, { cause })
      },
    )
    loading.catch(() => {}) // those who wait for it still see it reject
    return loading
  }
}

/** The loader of this program: all clients of a page share one module. */
export const extra = new Loader(importExtra)
