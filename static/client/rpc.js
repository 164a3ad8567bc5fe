import { ErrorCode, MAX_MESSAGE, MAX_PENDING, MAX_PENDING_BYTES, MAX_UNSURE, RESEND_WINDOW_MS, UNSURE_GAP_MS } from './codes.js'
import { RpcError, SkeinError } from './errors.js'
import { laneOf } from './lane.js'
import { encodeLine, refusal } from './message.js'
import { RACES, REPEATABLE } from './methods.js'

/** @import { Message } from './types.js' */
/** @import { Lane } from './lane.js' */
/** @import { LineTooLong } from './lines.js' */

/**
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal] ends the wait for the answer; the server carries out the request all the same
 * @property {number} [timeout] milliseconds to wait, reconnects included; undefined: as long as it takes
 */

/**
 * @typedef {object} Link the part of an open session that requests use
 * @property {(lane: string) => void} openRequests opens a lane unless it is open; then `opened` or `refused` is called, or the session ends
 * @property {() => void} asked records that a request was sent
 * @property {(line: Uint8Array, waits: () => boolean) => void} race sends a request as datagrams too, while `waits` is true
 *
 * @typedef {object} Pending
 * @property {string} method
 * @property {string} lane
 * @property {Uint8Array} line
 * @property {number} sentAt when it was first sent, by the wall clock; 0 before that
 * @property {number} unsure how often the server answered `outcome_unknown`
 * @property {(result: any) => void} resolve
 * @property {(error: unknown) => void} reject
 */

/**
 * Requests are the requests of one client, over all of its sessions. The id of a request is unique within the client and
 * stays the same when the request is sent again after a reconnect, so that the server answers a repeated one from its reply
 * cache. Each request settles once.
 */
export class Requests {
  #lastId = 0
  #bytes = 0
  /** @type {Map<string | number, Pending>} */
  #pending = new Map()
  /** @type {Link | undefined} */
  #link
  /** @type {Map<string, Lane>} the link's open lanes */
  #lanes = new Map()
  /** @type {Map<string, Error>} the lanes that the server does not have */
  #refused = new Map()
  #maxMessage = MAX_MESSAGE

  /** A fresh id, for requests, hellos and pings. */
  nextId() {
    return ++this.#lastId
  }

  /** How many requests wait for an answer. */
  get size() {
    return this.#pending.size
  }

  /**
   * @param {string} method
   * @param {object} params
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  call(method, params, { signal, timeout } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      /** @type {Message} */
      const message = { jsonrpc: '2.0', id: this.nextId(), method, params }
      const line = encodeLine(message)
      const lane = laneOf(method)
      const size = line.length
      if (this.#refused.has(lane)) return reject(this.#refused.get(lane))
      if (size > this.#maxMessage) {
        return reject(tooLong(size, this.#maxMessage))
      }
      if (this.#pending.size >= MAX_PENDING || this.#bytes + size > MAX_PENDING_BYTES) {
        return reject(new SkeinError('outbox_full', `${this.#pending.size} requests wait for an answer`))
      }
      const id = /** @type {number} */ (message.id)
      const abort = () => this.#remove(id)?.reject(signal?.reason)
      const timer =
        timeout === undefined
          ? undefined
          : setTimeout(() => {
              this.#remove(id)?.reject(new SkeinError('timeout', `${method} was not answered within ${timeout} ms`))
            }, timeout)
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      signal?.addEventListener('abort', abort)
      /** @type {Pending} */
      const pending = {
        method,
        lane,
        line,
        sentAt: 0,
        unsure: 0,
        resolve: (result) => (done(), resolve(result)),
        reject: (error) => (done(), reject(error)),
      }
      this.#pending.set(id, pending)
      this.#bytes += size
      this.#send(id, pending)
    })
  }

  /**
   * Uses a session that has opened: the waiting requests are sent on its lanes, oldest first, and so is every new one.
   * @param {Link} link
   * @param {number} maxMessage
   */
  attach(link, maxMessage) {
    this.#link = link
    this.#lanes.clear()
    this.#refused.clear()
    this.#maxMessage = maxMessage
    for (const [id, { method, sentAt, lane }] of this.#pending) {
      const stale = sentAt > 0 && Date.now() - sentAt > RESEND_WINDOW_MS
      if (!stale || REPEATABLE.has(method)) link.openRequests(lane)
      else this.#remove(id)?.reject(new SkeinError('outcome_unknown', `the connection was away for too long to learn what became of ${method}`))
    }
  }

  /**
   * Sends the waiting requests of a lane that has opened.
   * @param {Link} link
   * @param {string} name
   * @param {Lane} lane
   */
  opened(link, name, lane) {
    if (this.#link !== link) return
    this.#lanes.set(name, lane)
    for (const [id, pending] of this.#pending) if (pending.lane === name) this.#send(id, pending)
  }

  /**
   * Fails the requests of a lane that the server does not have, now and later.
   * @param {Link} link
   * @param {string} name
   * @param {Error} error
   */
  refused(link, name, error) {
    if (this.#link !== link) return
    this.#refused.set(name, error)
    for (const [id, pending] of [...this.#pending]) if (pending.lane === name) this.#remove(id)?.reject(error)
  }

  /** @param {Link} link */
  detach(link) {
    if (this.#link !== link) return
    this.#link = undefined
    this.#lanes.clear()
  }

  /**
   * Settles the request that the message answers. It returns false if no request waits for it.
   * @param {Message} message
   */
  settle(message) {
    if (message.id === undefined) return false
    const unsure = this.#pending.get(message.id)
    if (unsure && message.error?.code === ErrorCode.outcome_unknown && unsure.unsure < MAX_UNSURE) {
      this.#again(message.id, unsure)
      return true
    }
    const pending = this.#remove(message.id)
    if (!pending) return false
    if (message.error) pending.reject(new RpcError(message.error))
    else pending.resolve(message.result)
    return true
  }

  /**
   * Fails the request whose answer is longer than this side reads, or, if the answer's id is unknown, all requests of the
   * lane. They are not sent again, since the answer would be too long again.
   * @param {string} lane
   * @param {LineTooLong} e
   */
  unreadable(lane, { limit, answerTo: id }) {
    const error = refusal('too_large', `the answer is longer than ${limit} bytes, the most that this client reads in one message`)
    if (id !== undefined) return void this.#remove(id)?.reject(error)
    for (const [id, pending] of [...this.#pending]) if (pending.lane === lane) this.#remove(id)?.reject(error)
  }

  /**
   * Sends a request again a little later, under the same id: by then the server knows the outcome, or carries it out.
   * @param {string | number} id
   * @param {Pending} pending
   */
  #again(id, pending) {
    pending.unsure++
    setTimeout(() => {
      if (this.#pending.get(id) === pending) this.#send(id, pending)
    }, UNSURE_GAP_MS)
  }

  /**
   * Fails everything that waits.
   * @param {Error} error
   */
  fail(error) {
    this.#link = undefined
    for (const id of [...this.#pending.keys()]) this.#remove(id)?.reject(error)
  }

  /**
   * Sends a request on its lane, or asks for the lane to be opened: `opened` then sends the request.
   * @param {string | number} id
   * @param {Pending} pending
   */
  #send(id, pending) {
    const lane = this.#lanes.get(pending.lane)
    if (!lane) return this.#link?.openRequests(pending.lane)
    if (pending.line.length > this.#maxMessage) return void this.#remove(id)?.reject(tooLong(pending.line.length, this.#maxMessage)) // attach lowered the limit
    try {
      lane.send(pending.line)
      this.#link?.asked()
      if (this.#races(id, pending)) this.#link?.race(pending.line, () => this.#pending.has(id))
      pending.sentAt ||= Date.now()
    } catch (e) {
      // a broken lane is about to be replaced, and the request is sent on the next one
      if (e instanceof SkeinError && e.kind === 'outbox_full') this.#remove(id)?.reject(e)
    }
  }

  /**
   * Whether a request may go as a datagram too. An input must not overtake an earlier one, so only the oldest may.
   * @param {string | number} id
   * @param {Pending} pending
   */
  #races(id, { method }) {
    if (!RACES.has(method)) return false
    if (method !== 'agent.input') return true
    for (const [other, p] of this.#pending) if (p.method === method) return other === id
    return true
  }

  /** @param {string | number} id */
  #remove(id) {
    const pending = this.#pending.get(id)
    if (!pending) return undefined
    this.#pending.delete(id)
    this.#bytes -= pending.line.length
    return pending
  }
}

/**
 * @param {number} size
 * @param {number} limit
 */
function tooLong(size, limit) {
  return refusal('too_large', `the request has ${size} bytes; the server takes ${limit} (max_message)`)
}
