import { MAX_REQUEST_ID } from './codes.js'
import { SkeinError } from './errors.js'

const NEWLINE = 0x0a

/** How much of a line that is too long is kept, in bytes: enough for the id of a message. */
const HEAD_OF_LINE = MAX_REQUEST_ID + 64

/** LineTooLong reports a line that exceeds its bound. `begin` has the first bytes of the line. */
export class LineTooLong extends SkeinError {
  /**
   * @param {number} limit
   * @param {string} begin
   */
  constructor(limit, begin) {
    super('too_large', `a line is longer than ${limit} bytes`)
    this.limit = limit
    this.begin = begin
  }

  /** The id of the message, if it is an answer: servers write the id before the result. */
  get answerTo() {
    const id = /^\{"jsonrpc":"2\.0","id":("(?:[^"\\]|\\.)*"|[-0-9.eE+]+),"result":/.exec(this.begin)?.[1]
    return id === undefined ? undefined : /** @type {string | number} */ (JSON.parse(id))
  }
}

/**
 * LineReader reads the lines of a byte stream and bounds their length. It splits the bytes before it decodes them, so that
 * no character is cut in two.
 */
export class LineReader {
  #readable
  #reader
  #limit
  /** @type {Uint8Array[]} the beginning of the current line, as it arrived */
  #parts = []
  #held = 0
  /** @type {Uint8Array} bytes behind the last newline that were not searched yet */
  #rest = new Uint8Array(0)
  #decoder = new TextDecoder()
  /** Called whenever bytes arrive. */
  onbytes = () => {}

  /**
   * @param {ReadableStream<Uint8Array>} readable
   * @param {number} limit the longest line, in bytes, newline included
   */
  constructor(readable, limit) {
    this.#readable = readable
    this.#reader = readable.getReader()
    this.#limit = limit
  }

  /**
   * The next line without its newline; undefined at the end of the stream. Fails with kind `too_large` when the line
   * exceeds its bound, and with `bad_stream` when the stream ends within a line.
   * @returns {Promise<string | undefined>}
   */
  async read() {
    for (;;) {
      const at = this.#rest.indexOf(NEWLINE)
      const part = at < 0 ? this.#rest : this.#rest.subarray(0, at + 1)
      if (this.#held + part.length > this.#limit) {
        throw new LineTooLong(this.#limit, this.#begin(part))
      }
      if (part.length > 0) {
        this.#parts.push(part)
        this.#held += part.length
      }
      if (at >= 0) {
        this.#rest = this.#rest.subarray(at + 1)
        return this.#take()
      }
      const { done, value } = await this.#reader.read()
      if (done) {
        this.#rest = new Uint8Array(0)
        if (this.#held > 0) throw new SkeinError('bad_stream', 'the stream ended within a line')
        return undefined
      }
      this.onbytes()
      this.#rest = value
    }
  }

  /**
   * The beginning of a line that is too long.
   * @param {Uint8Array} last the bytes of the line that are not in #parts yet
   */
  #begin(last) {
    const begin = new Uint8Array(HEAD_OF_LINE)
    let filled = 0
    for (const part of [...this.#parts, last]) {
      const some = part.subarray(0, HEAD_OF_LINE - filled)
      begin.set(some, filled)
      filled += some.length
    }
    return this.#decoder.decode(begin.subarray(0, filled))
  }

  #take() {
    const size = this.#held - 1
    let line = this.#parts[0]
    if (this.#parts.length > 1) {
      line = new Uint8Array(this.#held)
      let offset = 0
      for (const part of this.#parts) {
        line.set(part, offset)
        offset += part.length
      }
    }
    this.#parts = []
    this.#held = 0
    return this.#decoder.decode(line.subarray(0, size))
  }

  /**
   * The raw bytes behind the lines, as they arrive; undefined at the end of the stream.
   * @returns {Promise<Uint8Array | undefined>}
   */
  async bytes() {
    for (;;) {
      const rest = this.#rest
      this.#rest = new Uint8Array(0)
      if (rest.length > 0) return rest
      const { done, value } = await this.#reader.read()
      if (done) return undefined
      this.onbytes()
      this.#rest = value
    }
  }

  /** Releases the stream: reads that are waiting reject, and nothing more can be read. */
  release() {
    this.#reader.releaseLock()
  }

  /**
   * Discards what still arrives until the peer ends the stream, and cancels the stream if the peer takes longer than
   * `patience`. Canceling at once would cost a session over @moq/qmux 0.3.3 its credit, because that library never returns
   * the credit for bytes that were on their way to a canceled stream. Reads that are waiting reject at once. Never rejects
   * itself.
   * @param {number} patience milliseconds
   */
  async drain(patience) {
    try {
      this.release()
      this.#reader = this.#readable.getReader()
    } catch {
      // browsers from before 2023 do not release a reader while a read waits; that read then ends with the stream
    }
    const timer = setTimeout(() => void this.#reader.cancel().catch(() => {}), patience)
    try {
      while (!(await this.#reader.read()).done) this.onbytes()
    } catch {
      // the peer reset the stream
    } finally {
      clearTimeout(timer)
    }
  }
}
