/**
 * The last choice of a door, by origin: that WebSocket won since WebTransport did not answer. The next client, after a
 * reload or in another tab, then does not wait for what will not answer either.
 *
 * It is kept in the page's localStorage, or, where there is none or it fails, in memory. It is a hint and nothing else: what
 * can't be read counts as none, and whoever follows it goes on looking for WebTransport.
 */

/** How long it holds, in milliseconds. */
export const HOLDS_MS = 10 * 60_000

const MAX_REASON = 200

/** @typedef {{transport: 'websocket', reason: string, time: number, network?: string}} Kept time in milliseconds since 1970 */

export class Choice {
  #key
  #storage
  #network
  /** @type {string | null} where there is no storage */
  #memory = null

  /**
   * @param {string} url the server's
   * @param {object} [options]
   * @param {() => Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | undefined} [options.storage] may throw
   * @param {() => string | undefined} [options.network] the kind of network, where it is known: what one did not let through the next may
   */
  constructor(url, { storage = pageStorage, network = networkType } = {}) {
    this.#key = `skein.choice ${originOf(url)}`
    this.#storage = storage
    this.#network = network
  }

  /**
   * Why WebTransport is not worth waiting for, in words for a person; empty: it is.
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
      // it holds for this page only
    }
  }

  /** WebTransport still does not answer: what is remembered holds from now on. */
  renew() {
    const kept = this.#read()
    if (kept) this.remember(kept.reason)
  }

  forget() {
    this.#memory = null
    try {
      this.#storage()?.removeItem(this.#key)
    } catch {
      // what can't be removed runs out
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

  /** What other tabs kept, or forgot, counts more than what this one knows. */
  #text() {
    try {
      const storage = this.#storage()
      return storage ? storage.getItem(this.#key) : this.#memory
    } catch {
      return this.#memory
    }
  }
}

/** Only a page's: Node has one that nobody else looks at. */
function pageStorage() {
  return typeof document === 'undefined' ? undefined : globalThis.localStorage
}

/** @returns {string | undefined} such as `wifi` or `cellular`; most browsers do not tell */
export function networkType() {
  return /** @type {any} */ (globalThis.navigator)?.connection?.type
}

/** @param {string} url that of a careless program may be none: connecting says so */
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
 * What is remembered of a server, by whichever client of this page.
 * @param {object} WebTransport the implementation that did not answer
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
