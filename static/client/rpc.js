import { ErrorCode, MAX_HEADER, MAX_LINE, MAX_MESSAGE, MAX_OUTBOX, MAX_PENDING, MAX_PENDING_BYTES, MAX_REQUEST_ID, RESEND_WINDOW_MS, VERSION } from './codes.js'
import { RpcError, SkeinError, asError } from './errors.js'
import { LineReader } from './lines.js'

/** @import { Carrier, Header, Message } from './types.js' */

const encoder = new TextEncoder()

/**
 * Reads one line. It fails with an RpcError that says which rule of JSON-RPC 2.0 is broken.
 * @param {string} line
 * @param {number} [limit] bytes
 * @returns {Message}
 */
export function parseMessage(line, limit = MAX_MESSAGE) {
  line = line.trim()
  // a UTF-16 unit is one to three bytes: only what may be too long is counted
  if (line.length > limit || (line.length * 3 > limit && encoder.encode(line).length > limit)) {
    throw refusal('too_large', `the message is longer than ${limit} bytes`)
  }
  if (line.startsWith('[')) {
    throw refusal('invalid_request', `JSON-RPC batches are not part of ${VERSION}: send one message a line`)
  }
  let m
  try {
    m = JSON.parse(line)
  } catch {
    throw refusal('parse_error', 'the line is not JSON')
  }
  if (typeof m !== 'object' || m === null) {
    throw refusal('invalid_request', 'the line is not a JSON-RPC 2.0 message')
  }
  if (m.jsonrpc !== '2.0') {
    throw refusal('invalid_request', '"jsonrpc" must be "2.0"')
  }
  if (m.method != null && typeof m.method !== 'string') {
    throw refusal('invalid_request', 'the line is not a JSON-RPC 2.0 message')
  }
  if (m.error != null && (typeof m.error !== 'object' || Array.isArray(m.error) || !Number.isInteger(m.error.code ?? 0))) {
    throw refusal('invalid_request', 'the line is not a JSON-RPC 2.0 message')
  }
  if (m.id === null) delete m.id
  if (m.id !== undefined) {
    if (encoder.encode(JSON.stringify(m.id)).length > MAX_REQUEST_ID) {
      throw refusal('invalid_request', `"id" is longer than ${MAX_REQUEST_ID} bytes`)
    }
    if (typeof m.id !== 'string' && typeof m.id !== 'number') {
      throw refusal('invalid_request', '"id" must be a string or a number')
    }
  }
  if (!m.method && m.result === undefined && m.error == null) {
    throw refusal('invalid_request', 'the message has neither "method" nor "result" nor "error"')
  }
  return m
}

/**
 * Reads the first line of a stream. It knows no lane: an unknown one is the caller's to refuse.
 * @param {string} line
 * @returns {Header}
 */
export function parseHeader(line) {
  if (encoder.encode(line).length > MAX_HEADER) throw badHeader(`it is longer than ${MAX_HEADER} bytes`)
  let h
  try {
    h = JSON.parse(line)
  } catch {
    throw badHeader('it is not JSON')
  }
  if (typeof h !== 'object' || typeof h?.lane !== 'string' || h.lane === '') throw badHeader('it has no "lane"')
  for (const name of ['agent', 'epoch']) {
    if (typeof (h[name] ?? '') !== 'string') throw badHeader(`"${name}" must be a string`)
  }
  for (const name of ['after', 'tail']) {
    if (!Number.isSafeInteger(h[name] ?? 0) || h[name] < 0) throw badHeader(`"${name}" must be a whole number, zero or more`)
  }
  if (typeof (h.follow ?? false) !== 'boolean') throw badHeader('"follow" must be true or false')
  if (h.lane === 'agent' && !h.agent) throw badHeader('lane "agent" without "agent"')
  return h
}

/** @param {string} why */
function badHeader(why) {
  return new SkeinError('bad_stream', `bad stream header: ${why}`)
}

/**
 * @param {keyof typeof ErrorCode} kind
 * @param {string} message
 */
function refusal(kind, message) {
  return new RpcError({ code: ErrorCode[kind], message, data: { kind } })
}

/**
 * @param {unknown} value
 * @returns {Uint8Array}
 */
function encodeLine(value) {
  return encoder.encode(JSON.stringify(value) + '\n')
}

/** A stream whose first line is a header and whose other lines are JSON-RPC messages. */
export class Lane {
  #lines
  #writer
  #queued = 0
  /** @type {Error | undefined} */
  #broken

  /** @param {{readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>}} stream */
  constructor(stream) {
    this.#lines = new LineReader(stream.readable, MAX_LINE)
    this.#writer = stream.writable.getWriter()
    this.#writer.closed.catch((e) => (this.#broken ??= asError(e)))
  }

  /**
   * Opens a lane. The header goes with the first messages, in one write.
   * @param {Carrier} carrier
   * @param {object} header
   * @param {...Message} messages
   */
  static async open(carrier, header, ...messages) {
    const line = encodeLine(header)
    if (line.length > MAX_HEADER) throw new SkeinError('too_large', `the stream's header is longer than ${MAX_HEADER} bytes`)
    const lane = new Lane(await carrier.createBidirectionalStream())
    lane.#send(line)
    for (const m of messages) lane.write(m)
    return lane
  }

  /**
   * Queues a message. Fails with kind `outbox_full` while more than MAX_OUTBOX bytes wait.
   * @param {Message} message
   */
  write(message) {
    this.#send(encodeLine(message))
  }

  /** @param {Uint8Array} bytes */
  #send(bytes) {
    if (this.#broken) throw new SkeinError('connection_lost', 'the stream is broken', { cause: this.#broken })
    if (this.#queued + bytes.length > MAX_OUTBOX) {
      throw new SkeinError('outbox_full', `${this.#queued} bytes wait to be sent already`)
    }
    this.#queued += bytes.length
    this.#writer.write(bytes).then(
      () => (this.#queued -= bytes.length),
      (e) => (this.#broken ??= asError(e)),
    )
  }

  /** The header of a lane that the peer opened. */
  async header() {
    const line = await this.#lines.read()
    return line === undefined ? undefined : parseHeader(line)
  }

  /**
   * The next message; undefined at the end of the stream. Empty lines keep a stream alive and are skipped.
   * @returns {Promise<Message | undefined>}
   */
  async read() {
    for (;;) {
      const line = await this.#lines.read()
      if (line === undefined) return undefined
      if (line !== '') return parseMessage(line, MAX_LINE)
    }
  }

  /** Gives up both directions: the peer is told on ours, and gives up its own. Never rejects. */
  async cancel() {
    await Promise.allSettled([this.#lines.drain(DRAIN_MS), this.#writer.abort()])
  }
}

/** How long a peer may take to give up a lane that this side gave up. */
const DRAIN_MS = 2000

/**
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal] gives up waiting; what the server does about the request it does all the same
 * @property {number} [timeout] milliseconds to wait, over reconnects; none: as long as it takes
 */

/** Methods that may be done twice without harm, so that they may be sent again at any age. */
const REPEATABLE = new Set(['agent.list', 'agent.get', 'types.list', 'agent.stop'])

/**
 * @typedef {object} Pending
 * @property {Message} message
 * @property {number} size
 * @property {number} sentAt when it was first sent, by the wall clock; 0: not yet
 * @property {(result: any) => void} resolve
 * @property {(error: unknown) => void} reject
 */

/**
 * The requests of one client, over all of its sessions. A request's id is unique within the client's id and stays the
 * same when the request is sent again after a reconnect: the server answers a repeated one from its record. Each
 * settles once.
 */
export class Requests {
  #lastId = 0
  #bytes = 0
  /** @type {Map<string | number, Pending>} */
  #pending = new Map()
  /** @type {Lane | undefined} */
  #lane
  #maxMessage = MAX_MESSAGE

  /** A fresh id; hellos and pings take theirs from here too. */
  nextId() {
    return ++this.#lastId
  }

  /** How many wait for an answer. */
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
      const size = encodeLine(message).length
      if (size > this.#maxMessage) {
        return reject(refusal('too_large', `the request has ${size} bytes; the server takes ${this.#maxMessage}`))
      }
      if (this.#pending.size >= MAX_PENDING || this.#bytes + size > MAX_PENDING_BYTES) {
        return reject(new SkeinError('outbox_full', `${this.#pending.size} requests wait for an answer already`))
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
        message,
        size,
        sentAt: 0,
        resolve: (result) => (done(), resolve(result)),
        reject: (error) => (done(), reject(error)),
      }
      this.#pending.set(id, pending)
      this.#bytes += size
      if (this.#lane) this.#send(id, pending)
    })
  }

  /**
   * Sends what waits on this session's control lane, oldest first, and from now on every new request.
   * @param {Lane} lane
   * @param {number} maxMessage
   */
  attach(lane, maxMessage) {
    this.#lane = lane
    this.#maxMessage = maxMessage
    for (const [id, pending] of this.#pending) {
      const stale = pending.sentAt > 0 && Date.now() - pending.sentAt > RESEND_WINDOW_MS
      if (stale && !REPEATABLE.has(pending.message.method ?? '')) {
        this.#remove(id)?.reject(
          new SkeinError('outcome_unknown', `the connection was away for too long to learn what became of ${pending.message.method}`),
        )
        continue
      }
      this.#send(id, pending)
    }
  }

  /** @param {Lane} lane */
  detach(lane) {
    if (this.#lane === lane) this.#lane = undefined
  }

  /**
   * Settles the request that this message answers; false when none waits for it.
   * @param {Message} message
   */
  settle(message) {
    if (message.id === undefined) return false
    const pending = this.#remove(message.id)
    if (!pending) return false
    if (message.error) pending.reject(new RpcError(message.error))
    else pending.resolve(message.result)
    return true
  }

  /**
   * Fails everything that waits.
   * @param {Error} error
   */
  fail(error) {
    this.#lane = undefined
    for (const id of [...this.#pending.keys()]) this.#remove(id)?.reject(error)
  }

  /**
   * @param {string | number} id
   * @param {Pending} pending
   */
  #send(id, pending) {
    try {
      this.#lane?.write(pending.message)
      pending.sentAt ||= Date.now()
    } catch (e) {
      // a broken lane is about to be replaced, and the request goes on the next one
      if (e instanceof SkeinError && e.kind === 'outbox_full') this.#remove(id)?.reject(e)
    }
  }

  /** @param {string | number} id */
  #remove(id) {
    const pending = this.#pending.get(id)
    if (!pending) return undefined
    this.#pending.delete(id)
    this.#bytes -= pending.size
    return pending
  }
}
