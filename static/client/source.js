/** @import { SkeinError } from './errors.js' */

/** @typedef {Blob | Uint8Array | ReadableStream<Uint8Array>} Uploadable */

/**
 * @typedef {object} Source where the bytes of an upload come from
 * @property {number} size
 * @property {(from: number) => AsyncGenerator<Uint8Array, void, void>} read reads from a position on; called again after a break
 * @property {() => Promise<void>} close
 */

/** The bytes of one write. It is small so that progress is reported often and other lanes get their turn. */
const PIECE = 64 << 10

/**
 * How many bytes of a stream are kept after they were sent, because the server may not have stored them when the connection
 * breaks. It is many times what the connection and the server can hold unsaved.
 */
export const KEPT = 32 << 20

/**
 * @typedef {typeof SkeinError} ErrorClass the library's SkeinError, which this module can't import because it is bundled
 * into extra.js
 */

/**
 * @param {Uploadable} file
 * @param {number | undefined} size the size of a stream, which can't be measured
 * @param {ErrorClass} SkeinError
 * @returns {Source}
 */
export function sourceOf(file, size, SkeinError) {
  if (file instanceof Uint8Array) return { size: file.length, read: (from) => pieces([file.subarray(from)]), close: async () => {} }
  if (file instanceof Blob) return { size: file.size, read: (from) => pieces(chunks(file.slice(from).stream())), close: async () => {} }
  if (size === undefined) throw new SkeinError('invalid_params', 'size is missing: how many bytes has the stream?')
  return new StreamSource(file, size, SkeinError)
}

/**
 * StreamSource reads a stream, which can be read only once, and keeps its last bytes.
 * @implements {Source}
 */
class StreamSource {
  #reader
  #SkeinError
  /** @type {Uint8Array[]} */
  #kept = []
  #start = 0 // the position of the first byte kept
  #end = 0 // the position of the first byte that was not read yet
  /** @type {Promise<boolean> | undefined} */
  #reading

  /**
   * @param {ReadableStream<Uint8Array>} stream
   * @param {number} size
   * @param {ErrorClass} SkeinError
   */
  constructor(stream, size, SkeinError) {
    this.#reader = stream.getReader()
    this.#SkeinError = SkeinError
    this.size = size
  }

  /** @param {number} from */
  read(from) {
    return pieces(this.#read(from))
  }

  /**
   * @param {number} at
   * @returns {AsyncGenerator<Uint8Array, void, void>}
   */
  async *#read(at) {
    for (;;) {
      if (at < this.#start) {
        throw new this.#SkeinError('not_resumable', `the server has ${at} bytes, and the stream is read up to ${this.#end}: too far to go back`)
      }
      const chunk = this.#from(at)
      if (chunk) {
        at += chunk.length
        yield chunk
      } else if (!(await this.#more())) {
        return
      }
    }
  }

  /**
   * The kept bytes from a position on, to the end of their chunk; undefined if they were not read yet.
   * @param {number} at
   */
  #from(at) {
    let start = this.#end
    for (let i = this.#kept.length - 1; i >= 0; i--) {
      const end = start
      start -= this.#kept[i].length
      if (at >= end) return undefined
      if (at >= start) return this.#kept[i].subarray(at - start)
    }
    return undefined
  }

  /** Reads one chunk, and returns false at the end. Calls that overlap share one read. */
  #more() {
    this.#reading ??= this.#reader
      .read()
      .then(({ done, value }) => {
        if (!done) this.#keep(value)
        return !done
      })
      .finally(() => (this.#reading = undefined))
    return this.#reading
  }

  /** @param {Uint8Array} chunk */
  #keep(chunk) {
    this.#kept.push(chunk)
    this.#end += chunk.length
    while (this.#end - this.#start - this.#kept[0].length >= KEPT) {
      this.#start += this.#kept[0].length
      this.#kept.shift()
    }
  }

  async close() {
    this.#kept = []
    await this.#reader.cancel().catch(() => {})
  }
}

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @returns {AsyncGenerator<Uint8Array, void, void>}
 */
async function* chunks(stream) {
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

/**
 * @param {Iterable<Uint8Array> | AsyncIterable<Uint8Array>} all
 * @returns {AsyncGenerator<Uint8Array, void, void>}
 */
async function* pieces(all) {
  for await (const chunk of all) {
    for (let at = 0; at < chunk.length; at += PIECE) yield chunk.subarray(at, at + PIECE)
  }
}
