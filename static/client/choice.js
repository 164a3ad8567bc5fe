/**
 * Remembers, by origin, that WebSocket won because WebTransport did not answer. The next client, after a reload or in
 * another tab, then does not wait for WebTransport first.
 *
 * The choice is kept in the page's localStorage, or in memory where there is no localStorage or it fails. It is only a
 * hint: one that can't be read is ignored, and a client that follows it still tries WebTransport in the background.
 */

/** How long a choice is valid, in milliseconds. */
export const HOLDS_MS = 10 * 60_000

const MAX_REASON = 200

/** @typedef {{transport: 'websocket', reason: string, time: number, network?: string}} Kept time is in milliseconds since 1970 */

export class Choice {
  #key
  #storage
  #network
  /** @type {string | null} the choice, where there is no storage */
  #memory = null

  /**
   * @param {string} url the server's URL
   * @param {object} [options]
   * @param {() => Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | undefined} [options.storage] may throw
   * @param {() => string | undefined} [options.network] the kind of network, where it is known: a choice counts only on the kind of network that it was made on
   */
  constructor(url, { storage = pageStorage, network = networkType } = {}) {
    this.#key = `skein.choice ${originOf(url)}`
    this.#storage = storage
    this.#network = network
  }

  /**
   * Why WebTransport is not worth waiting for, in words for a person; empty if it is.
   * @returns {string}
   */
  recall() {
    const kept = this.#read()
    return kept ? `${kept.reason}, remembered from ${ago(Date.now() - kept.time)}` : ''
  }

  /** @param {string} reason why WebSocket was taken */
  remember(reason) {
    const network = this.#network()
    /** @type {Kept} */
    const kept = { transport: 'websocket', reason: reason.slice(0, MAX_REASON), time: Date.now(), ...(network && { network }) }
    this.#memory = JSON.stringify(kept)
    try {
      this.#storage()?.setItem(this.#key, this.#memory)
    } catch {
      // the choice is then kept for this page only
    }
  }

  /** Extends the choice, since WebTransport still does not answer. */
  renew() {
    const kept = this.#read()
    if (kept) this.remember(kept.reason)
  }

  forget() {
    this.#memory = null
    try {
      this.#storage()?.removeItem(this.#key)
    } catch {
      // a choice that can't be removed expires
    }
  }

  /** @returns {Kept | undefined} */
  #read() {
    try {
      const kept = JSON.parse(this.#text() ?? 'null')
      if (kept?.transport !== 'websocket' || typeof kept.reason !== 'string' || !kept.reason || kept.reason.length > MAX_REASON) return undefined
      const age = Date.now() - kept.time
      if (!(age >= 0 && age < HOLDS_MS)) return undefined // the clock may have been set back
      return kept.network === this.#network() ? kept : undefined
    } catch {
      return undefined
    }
  }

  /** The stored choice, which other tabs may have changed or removed, goes before the one in memory. */
  #text() {
    try {
      const storage = this.#storage()
      return storage ? storage.getItem(this.#key) : this.#memory
    } catch {
      return this.#memory
    }
  }
}

/** The localStorage of a page. Node has one too, but no other client reads it. */
function pageStorage() {
  return typeof document === 'undefined' ? undefined : globalThis.localStorage
}

/** @returns {string | undefined} such as `wifi` or `cellular`; undefined in most browsers */
export function networkType() {
  return /** @type {any} */ (globalThis.navigator)?.connection?.type
}

/** @param {string} url may be invalid; connecting then fails with an error that says so */
function originOf(url) {
  try {
    return new URL(url).origin
  } catch {
    return url
  }
}

/** @param {number} ms */
function ago(ms) {
  return ms < 60_000 ? `${Math.round(ms / 1000)} s ago` : `${Math.round(ms / 60_000)} min ago`
}

/** @type {WeakMap<object, Map<string, Choice>>} */
const choices = new WeakMap()

/**
 * The choice for a server, shared by all clients of this page.
 * @param {object} WebTransport the implementation that the choice is about
 * @param {string} url
 */
export function choiceOf(WebTransport, url) {
  const origin = originOf(url)
  let all = choices.get(WebTransport)
  if (!all) choices.set(WebTransport, (all = new Map()))
  let choice = all.get(origin)
  if (!choice) all.set(origin, (choice = new Choice(origin)))
  return choice
}
