/**
 * A view of an agent's terminal (docs/protocol.md, "The terminal lane"). This module is part of extra.js, and imports nothing.
 */

/** @import { Header, TerminalSize, TerminalState } from './types.js' */
/** @import { Host } from './resume.js' */
/** @import { Lane } from './lane.js' */
/** @import { Session } from './session.js' */

/**
 * @typedef {object} TerminalOptions
 * @property {TerminalSize} [size] of the viewer's own terminal; the agent's gets it if this viewer writes
 * @property {boolean} [write] write if nobody else does
 * @property {(bytes: Uint8Array, reset: boolean) => void | Promise<void>} onoutput called with what to show; no more is read before it is done. With `reset`, the viewer's terminal must be reset before: the bytes paint the whole screen
 * @property {(state: TerminalState) => void} [onstate]
 * @property {(bytes: Uint8Array) => void} [onleave] called when the agent has ended, with what returns a terminal to its owner; a terminal that shows nothing else needs none of it
 * @property {AbortSignal} [signal] closes the view
 */

/** The kind of a datagram with input. */
const DATAGRAM_INPUT = 5

/** The longest datagram, and what one has beside the input, in bytes. */
const MAX_DATAGRAM = 1100
const DATAGRAM_HEAD = 13

/** The most bytes of a frame. */
const MAX_FRAME = 4 << 20

/** The most bytes of input in a frame. */
const MAX_INPUT = 60_000

/** How much input is kept while the server does not take it, in bytes. */
const MAX_KEPT = 1 << 20

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** @param {string} type @param {...Uint8Array} parts */
function frame(type, ...parts) {
  const size = parts.reduce((n, p) => n + p.length, 0)
  const bytes = new Uint8Array(5 + size)
  bytes[0] = type.charCodeAt(0)
  new DataView(bytes.buffer).setUint32(1, size)
  let at = 5
  for (const p of parts) {
    bytes.set(p, at)
    at += p.length
  }
  return bytes
}

/** @param {number} n */
function uint64(n) {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(n))
  return bytes
}

/** @param {Uint8Array} a @param {Uint8Array} b */
function joined(a, b) {
  if (a.length === 0) return b
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

/**
 * The frames of a lane.
 * @param {Lane} lane
 * @returns {AsyncGenerator<[string, Uint8Array], void, void>}
 */
async function* frames(lane) {
  let rest = new Uint8Array()
  for (let bytes = await lane.bytes(); bytes; bytes = await lane.bytes()) {
    rest = /** @type {Uint8Array<ArrayBuffer>} */ (joined(rest, bytes))
    while (rest.length >= 5) {
      const size = new DataView(rest.buffer, rest.byteOffset).getUint32(1)
      if (size > MAX_FRAME) throw new RangeError(`a frame of ${size} bytes`)
      if (rest.length < 5 + size) break
      yield [String.fromCharCode(rest[0]), rest.subarray(5, 5 + size)]
      rest = rest.subarray(5 + size)
    }
  }
}

class Terminal {
  #options
  #input = crypto.randomUUID() // identifies what is typed here, over reconnects
  #size
  #write
  #takes = false // whether the server does not know yet that this viewer wants to write
  /** @type {Lane | undefined} */
  #lane
  /** @type {Session | undefined} */
  #session
  #viewer = 0
  #taken = 0 // how many bytes of the input the server has
  #kept = new Uint8Array() // the input after them

  /** Settles when the agent has ended, or the view has. @type {Promise<void>} */
  ended

  /**
   * @param {Host} host
   * @param {typeof import('./resume.js').resume} resume
   * @param {typeof import('./errors.js').RpcError} RpcError
   * @param {string} agent
   * @param {TerminalOptions} options
   */
  constructor(host, resume, RpcError, agent, options) {
    this.#options = options
    this.#size = options.size
    this.#write = options.write ?? false
    const header = () => /** @type {Header} */ ({ lane: 'terminal', agent, input: this.#input, ...(this.#size && { window: this.#size }), ...(this.#write && { write: true }) })
    const view = resume(host, { header, read: (lane, session) => this.#read(lane, session, RpcError), detail: () => ({ agent, taken: this.#taken }), signal: options.signal })
    this.ended = (async () => {
      for await (const _ of view);
    })()
    this.ended.catch(() => {}) // for those who don't look
  }

  /**
   * @param {Lane} lane
   * @param {Session} session
   * @param {typeof import('./errors.js').RpcError} RpcError
   * @returns {AsyncGenerator<never, {value: undefined} | void, void>}
   */
  async *#read(lane, session, RpcError) {
    const line = await lane.line()
    if (line === undefined) return
    const viewing = JSON.parse(line)
    if (viewing.error) throw new RpcError(viewing.error)
    this.#lane = lane
    this.#session = session
    this.#viewer = viewing.viewer
    this.#acknowledge(viewing.taken)
    this.#options.onstate?.(viewing.state)
    try {
      this.#take()
      this.#send(this.#taken, this.#kept)
      for await (const [type, bytes] of frames(lane)) {
        this.#options.signal?.throwIfAborted()
        switch (type) {
          case 'o':
          case 's':
            await this.#options.onoutput(bytes, type === 's')
            break
          case 't':
            this.#options.onstate?.(JSON.parse(decoder.decode(bytes)))
            break
          case 'a':
            this.#acknowledge(Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0)))
            break
          case 'e':
            this.#options.onleave?.(bytes)
            return { value: undefined }
        }
      }
    } finally {
      if (this.#lane === lane) this.#lane = this.#session = undefined
    }
  }

  /** @param {number} taken */
  #acknowledge(taken) {
    if (taken <= this.#taken) return
    this.#kept = this.#kept.slice(taken - this.#taken)
    this.#taken = taken
  }

  /** @param {number} offset @param {Uint8Array} bytes */
  #send(offset, bytes) {
    for (let at = 0; at < bytes.length; at += MAX_INPUT) this.#say(frame('i', uint64(offset + at), bytes.subarray(at, at + MAX_INPUT)))
  }

  /** @param {Uint8Array} bytes a frame; if the lane is broken, the next one brings it */
  #say(bytes) {
    try {
      this.#lane?.send(bytes)
    } catch {
      // the end of the lane says why
    }
  }

  /**
   * Types something. While there is no session, it is kept. It reaches the agent once, and in order.
   * @param {string | Uint8Array} input
   */
  type(input) {
    const bytes = typeof input === 'string' ? encoder.encode(input) : input
    const offset = this.#taken + this.#kept.length
    if (this.#kept.length + bytes.length > MAX_KEPT) throw new RangeError(`the agent does not take what is typed: ${this.#kept.length} bytes wait`)
    this.#kept = /** @type {Uint8Array<ArrayBuffer>} */ (joined(this.#kept, bytes))
    this.#send(offset, bytes)
    const session = this.#session
    void session?.repeat(() => (session === this.#session ? this.#datagram() : undefined))
  }

  /** What the server does not have yet, as a datagram; undefined if that is nothing, or too much. */
  #datagram() {
    if (this.#kept.length === 0 || this.#kept.length > MAX_DATAGRAM - DATAGRAM_HEAD) return undefined
    const head = new Uint8Array(5)
    head[0] = DATAGRAM_INPUT
    new DataView(head.buffer).setUint32(1, this.#viewer)
    return joined(joined(head, uint64(this.#taken)), this.#kept)
  }

  /** @param {TerminalSize} size of the viewer's own terminal */
  resize(size) {
    this.#size = size
    this.#say(frame('r', encoder.encode(JSON.stringify(size))))
  }

  /** From now on this viewer writes, and no other one. */
  take() {
    this.#write = this.#takes = true
    this.#take()
  }

  #take() {
    if (!this.#lane || !this.#takes) return
    this.#takes = false
    this.#say(frame('w'))
  }
}

/**
 * @param {Host} host
 * @param {typeof import('./resume.js').resume} resume
 * @param {typeof import('./errors.js').RpcError} RpcError
 * @param {string} agent
 * @param {TerminalOptions} options
 */
export function viewTerminal(host, resume, RpcError, agent, options) {
  return new Terminal(host, resume, RpcError, agent, options)
}
