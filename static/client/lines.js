import { MAX_REQUEST_ID } from './codes.js'
import { SkeinError } from './errors.js'

const NEWLINE = 0x0a

/** How much of a line that is too long is kept, in bytes: enough for a message's id. */
const HEAD_OF_LINE = MAX_REQUEST_ID + 64

/** A line exceeds its bound. `begin` is how it begins. */
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

  /** The id of the message, if that is an answer: it stands before what makes an answer long. */
  get answerTo() {
    const id = /^\{"jsonrpc":"2\.0","id":("(?:[^"\\]|\\.)*"|[-0-9.eE+]+),"result":/.exec(this.begin)?.[1]
    return id === undefined ? undefined : /** @type {string | number} */ (JSON.parse(id))
  }
}

/** Reads the lines of a byte stream, each bounded. Bytes are split before they are decoded, so no character is. */
export class LineReader {
  #readable
  #reader
  #limit
  /** @type {Uint8Array[]} the beginning of a line, as it came */
  #parts = []
  #held = 0
  /** @type {Uint8Array} what came behind the last newline and was not looked at */
  #rest = new Uint8Array(0)
  #decoder = new TextDecoder()
  /** Told whenever bytes come. */
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
   * How a line begins that is too long.
   * @param {Uint8Array} last what came of it and is not held
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
   * The raw bytes behind the lines, as they come; undefined at the end of the stream.
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

  /** Lets go of the stream: whoever waits for bytes of it is told, and nothing can be read any more. */
  release() {
    this.#reader.releaseLock()
  }

  /**
   * Reads over what still comes until the peer ends, and asks it to stop only when it does not. Never rejects.
   * Cancelling at once would cost a session over @moq/qmux 0.3.3 its credit: it never gives back what was on its way to
   * a cancelled stream. Whoever waits for bytes is told at once.
   * @param {number} patience milliseconds
   */
  async drain(patience) {
    try {
      this.release()
      this.#reader = this.#readable.getReader()
    } catch {
      // a browser from before 2023 does not release it while a read waits, which then ends with the stream
    }
    const timer = setTimeout(() => void this.#reader.cancel().catch(() => {}), patience)
    try {
      while (!(await this.#reader.read()).done) this.onbytes()
    } catch {
      // the peer gave the stream up
    } finally {
      clearTimeout(timer)
    }
  }
}
