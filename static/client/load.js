/**
 * Loads extra.js when it is needed: a WebSocket is tried, or a file goes up or down.
 *
 * A page's network may be gone when that is, or the server updated, and the file with it. So a load that fails is an error like
 * any other of an attempt, and the next attempt loads again; and a client whose WebTransport is well fetches the module ahead.
 */
import { SkeinError, messageOf } from './errors.js'

/** The name that build.js gives the module's file, which has its hash. */
const FILE = typeof EXTRA_FILE === 'undefined' ? './extra.js' : EXTRA_FILE

/** A load that takes longer does not keep another one from beginning: its packets may lead nowhere, while those of the next arrive. */
const STUCK_MS = 5000

/**
 * Firefox (seen in 153) keeps a module that could not be fetched as failed for as long as the page lives, whoever imports it
 * again: only another name is fetched.
 * @param {number} again how many loads there were before
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
  /** @type {Promise<T> | undefined} the last load, unless it failed */
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
   * The module. It rejects with the reason of `signal` when that is aborted before.
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
    loading.catch(() => {}) // whoever waits for it is told
    return loading
  }
}

/** That of this program: a page has the module once, whatever its clients. */
export const extra = new Loader(importExtra)
