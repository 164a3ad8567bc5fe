import { Backoff, pause } from './backoff.js'
import { StreamCode } from './codes.js'
import { RpcError, SkeinError } from './errors.js'

/** @import { Header, Message } from './types.js' */
/** @import { Session } from './session.js' */
/** @import { Lane } from './lane.js' */
/** @import { CallOptions } from './rpc.js' */

/**
 * @typedef {object} Host the part of a client that the other modules of this library use
 * @property {(method: string, params: object, options?: CallOptions) => Promise<any>} call
 * @property {(signal?: AbortSignal) => Promise<Session>} session waits for the open session; rejects when the client is closed
 * @property {() => number} nextId a fresh request id
 * @property {(what: string, detail: object) => void} log
 */

/** A lane that was open this long, in milliseconds, resets the backoff. */
const HEALTHY_MS = 2000

/** Kinds of errors after which another attempt may succeed. */
const TRANSIENT = new Set(['unavailable', 'internal', 'timeout', 'outcome_unknown'])

/** Stream codes after which another attempt can't succeed. */
const FATAL = new Set([StreamCode.bad_header, StreamCode.bad_lane, StreamCode.too_large, StreamCode.bad_message].map(Number))

/**
 * Keeps a lane open: it opens a new one after a reconnect, and when the lane breaks. It calls `read` for each new lane, and
 * `read` continues where the last one ended. `read` yields the values to pass on. It returns `{value}` when everything was
 * read, and nothing when the lane ended too early.
 * @template T
 * @template R
 * @param {Pick<Host, 'session' | 'log'>} host
 * @param {object} options
 * @param {() => Header} options.header called each time that the lane is opened
 * @param {() => Message} [options.request] the first message, likewise
 * @param {(lane: Lane, session: Session) => AsyncGenerator<T, {value: R} | void, void>} options.read
 * @param {() => object} [options.detail] for the log
 * @param {AbortSignal} [options.signal]
 * @returns {AsyncGenerator<T, R, void>}
 */
export async function* resume(host, { header, request, read, detail = () => ({}), signal }) {
  const backoff = new Backoff(100, 5000)
  for (;;) {
    signal?.throwIfAborted()
    const session = await host.session(signal)
    const began = performance.now()
    /** @type {Lane | undefined} */
    let lane
    const abort = () => void lane?.cancel()
    signal?.addEventListener('abort', abort)
    const name = header().lane
    try {
      lane = await session.openLane(header(), ...(request ? [request()] : []))
      signal?.throwIfAborted()
      const end = yield* read(lane, session)
      if (end) return end.value
      signal?.throwIfAborted()
      host.log(`${name} lane ended early`, detail())
    } catch (e) {
      if (signal?.aborted) throw signal.reason
      const error = hopeless(e, name)
      if (error) throw error
      host.log(`${name} lane broke`, { ...detail(), error: /** @type {Error} */ (e).message })
    } finally {
      signal?.removeEventListener('abort', abort)
      lane?.cancel()
    }
    // The pause is for lanes that break by themselves. After the end of a session, host.session waits for the next one anyway.
    if (session.over.aborted || performance.now() - began > HEALTHY_MS) backoff.reset()
    await pause(backoff.next(), AbortSignal.any(signal ? [signal, session.over] : [session.over]))
  }
}

/**
 * The error to fail with if another attempt can't succeed; undefined if it may.
 * @param {unknown} e
 * @param {string} lane
 */
function hopeless(e, lane) {
  if (!(e instanceof SkeinError)) return e // from a callback, or a bug: the connection fails with a SkeinError
  if (e instanceof RpcError) return TRANSIENT.has(e.kind) ? undefined : e
  if (e.kind === 'connection_lost' && FATAL.has(e.code)) {
    return new SkeinError('bad_stream', `the server refused the ${lane} lane (stream code ${e.code})`, { code: e.code, cause: e })
  }
  return e.kind === 'connection_lost' || e.kind === 'bad_stream' ? undefined : e
}
