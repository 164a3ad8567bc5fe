import { MAX_HEADER, MAX_LINE, MAX_MESSAGE, MAX_OUTBOX } from './codes.js'
import { SkeinError, asError, messageOf } from './errors.js'
import { LineReader } from './lines.js'
import { encodeLine, parseMessage, refusal } from './message.js'

/** @import { Carrier, Header, Message } from './types.js' */

const encoder = new TextEncoder()

/** How long the peer may take to end a lane that this side has canceled, in milliseconds. */
const DRAIN_MS = 2000

/**
 * The lane that carries a method's requests.
 * @param {string} method
 */
export function laneOf(method) {
  if (method.startsWith('memory.')) return 'memory'
  if (/^(task|schedule)\./.test(method)) return 'task'
  return 'control'
}

/**
 * The `sendOrder` (W3C WebTransport) of each lane: queued bytes of a lane with a greater number are sent first. QMux honors
 * it. A browser whose WebTransport does not know it shares the bandwidth evenly.
 * @type {Record<string, number>}
 */
const SEND_ORDER = { control: 2, health: 2, memory: 1, task: 1, agent: 1, terminal: 1, worker: 1, bulk: -1 }

/**
 * Parses the first line of a stream. It accepts any name of a lane; the caller refuses those that it does not know.
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
  for (const name of ['agent', 'epoch', 'task', 'artifact', 'op']) {
    if (typeof (h[name] ?? '') !== 'string') throw badHeader(`"${name}" must be a string`)
  }
  for (const name of ['after', 'tail', 'offset']) {
    if (!Number.isSafeInteger(h[name] ?? 0) || h[name] < 0) throw badHeader(`"${name}" must be a number, zero or more`)
  }
  for (const name of ['follow', 'html']) if (typeof (h[name] ?? false) !== 'boolean') throw badHeader(`"${name}" must be true or false`)
  if (h.lane === 'agent' && !h.agent) throw badHeader('lane "agent" without "agent"')
  if (h.lane === 'result' && !h.task) throw badHeader('lane "result" without "task"')
  if (h.lane === 'bulk' && !(h.artifact && (h.op === 'put' || h.op === 'get'))) throw badHeader('lane "bulk" needs "artifact" and "op" (put or get)')
  return h
}

/** @param {string} why */
function badHeader(why) {
  return new SkeinError('bad_stream', `bad stream header: ${why}`)
}

/**
 * A Lane is a stream whose first line is a header. Behind it come JSON-RPC messages, one a line, or on bulk lanes a line
 * and raw bytes. An error of the carrier becomes a SkeinError of kind `connection_lost`, whose `code` is the stream code.
 */
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

  /** @param {() => void} told called whenever bytes arrive */
  set onbytes(told) {
    this.#lines.onbytes = told
  }

  /**
   * Opens a lane and sends the header and the first messages.
   * @param {Carrier} carrier
   * @param {Header} header
   * @param {...Message} messages
   */
  static async open(carrier, header, ...messages) {
    const line = encodeLine(header)
    if (line.length > MAX_HEADER) throw new SkeinError('too_large', `the stream's header is longer than ${MAX_HEADER} bytes`)
    const lane = new Lane(await carried(carrier.createBidirectionalStream({ sendOrder: SEND_ORDER[header.lane] ?? 0 })))
    lane.send(line)
    for (const m of messages) lane.write(m)
    return lane
  }

  /**
   * Queues a message. It fails with kind `outbox_full` when more than MAX_OUTBOX bytes would wait, and with `too_large`
   * when the message is longer than a server reads.
   * @param {Message} message
   */
  write(message) {
    const line = encodeLine(message)
    if (line.length > MAX_MESSAGE) throw refusal('too_large', `the message has ${line.length} bytes; the server takes ${MAX_MESSAGE} (max_message)`)
    this.send(line)
  }

  /**
   * Queues a line that is encoded already. It fails with kind `outbox_full` like write.
   * @param {Uint8Array} bytes
   */
  send(bytes) {
    if (this.#broken) throw lost(this.#broken)
    if (this.#queued + bytes.length > MAX_OUTBOX) {
      throw new SkeinError('outbox_full', `${this.#queued} bytes wait to be sent`)
    }
    this.#queued += bytes.length
    this.#writer.write(bytes).then(
      () => (this.#queued -= bytes.length),
      (e) => (this.#broken ??= asError(e)),
    )
  }

  /**
   * Sends raw bytes as soon as the carrier takes them.
   * @param {Uint8Array} bytes
   */
  async push(bytes) {
    await carried(this.#writer.ready)
    await carried(this.#writer.write(bytes))
  }

  /** Ends this side of the stream after everything that was written. */
  async end() {
    await carried(this.#writer.close())
  }

  /** The header of a lane that the peer opened. */
  async header() {
    const line = await this.line()
    return line === undefined ? undefined : parseHeader(line)
  }

  /**
   * The next message; undefined at the end of the stream. Empty lines keep a stream alive and are skipped.
   * @returns {Promise<Message | undefined>}
   */
  async read() {
    for (;;) {
      const line = await this.line()
      if (line === undefined) return undefined
      if (line !== '') return parseMessage(line, MAX_LINE)
    }
  }

  /** The next line, as it is; undefined at the end of the stream. */
  line() {
    return carried(this.#lines.read())
  }

  /** The raw bytes behind the lines, as they come; undefined at the end of the stream. */
  bytes() {
    return carried(this.#lines.bytes())
  }

  /** Gives up both directions: it resets the sending side and waits for the peer to end the other one. Never rejects. */
  async cancel() {
    await Promise.allSettled([this.#lines.drain(DRAIN_MS), this.#writer.abort()])
  }
}

/**
 * Turns an error of the carrier into a SkeinError of kind `connection_lost`.
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
async function carried(promise) {
  try {
    return await promise
  } catch (e) {
    throw e instanceof SkeinError ? e : lost(e)
  }
}

/** @param {unknown} e */
function lost(e) {
  const code = /** @type {any} */ (e)?.streamErrorCode
  return new SkeinError('connection_lost', messageOf(e), { cause: e, code: typeof code === 'number' ? code : 0 })
}
