import { Backoff, pause } from './backoff.js'
import { StreamCode } from './codes.js'
import { RpcError, SkeinError } from './errors.js'

/** @import { Header, Message } from './types.js' */
/** @import { Session } from './session.js' */
/** @import { Lane } from './lane.js' */
/** @import { CallOptions } from './rpc.js' */

/**
 * @typedef {object} Host what the parts of this library need of a client
 * @property {(method: string, params: object, options?: CallOptions) => Promise<any>} call
 * @property {(signal?: AbortSignal) => Promise<Session>} session the open session, as soon as there is one; rejects when
 *   there will be none
 * @property {() => number} nextId a fresh request id
 * @property {(what: string, detail: object) => void} log
 */

/** A lane that lived this long, in milliseconds, resets the pauses between attempts. */
const HEALTHY_MS = 2000

/** Answers that another attempt may change. */
const TRANSIENT = new Set(['unavailable', 'internal', 'timeout', 'outcome_unknown'])

/** Stream codes that another attempt can't change. */
const FATAL = new Set([StreamCode.bad_header, StreamCode.bad_lane, StreamCode.too_large, StreamCode.bad_message].map(Number))

/**
 * Keeps a lane of its own open, over reconnects and over breaks of the lane: `read` is given one lane after the other,
 * and picks up where it was. It yields what there is to hand out, and returns `{value}` when it has come to its end;
 * nothing, when the lane ended before that.
 * @template T
 * @template R
 * @param {Pick<Host, 'session' | 'log'>} host
 * @param {object} options
 * @param {() => Header} options.header asked each time that the lane is opened
 * @param {() => Message} [options.request] the first message, likewise
 * @param {(lane: Lane) => AsyncGenerator<T, {value: R} | void, void>} options.read
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
      const end = yield* read(lane)
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
    // Only a lane that breaks by itself must wait; after a session the next one is waited for.
    if (session.over.aborted || performance.now() - began > HEALTHY_MS) backoff.reset()
    await pause(backoff.next(), AbortSignal.any(signal ? [signal, session.over] : [session.over]))
  }
}

/**
 * What to fail with, where another attempt can't change it; undefined where it may.
 * @param {unknown} e
 * @param {string} lane
 */
function hopeless(e, lane) {
  if (!(e instanceof SkeinError)) return e // a callback's, or a bug: never the connection's
  if (e instanceof RpcError) return TRANSIENT.has(e.kind) ? undefined : e
  if (e.kind === 'connection_lost' && FATAL.has(e.code)) {
    return new SkeinError('bad_stream', `the server refused the ${lane} lane (stream code ${e.code})`, { code: e.code, cause: e })
  }
  return e.kind === 'connection_lost' || e.kind === 'bad_stream' ? undefined : e
}
