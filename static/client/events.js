import { Backoff, pause } from './backoff.js'
import { StreamCode } from './codes.js'
import { RpcError, SkeinError, messageOf } from './errors.js'

/** @import { AgentEvent, Attached, End, GapEvent } from './types.js' */
/** @import { Session } from './session.js' */
/** @import { Lane } from './rpc.js' */

/**
 * @typedef {object} EventsOptions
 * @property {number} [after] events with a greater seq follow; 0: from the first
 * @property {number} [tail] with `after` 0: at most this many old events
 * @property {string} [epoch] the epoch that `after` belongs to; none: whatever is there
 * @property {boolean} [follow] go on with new events until the agent exits; true unless said otherwise
 * @property {AbortSignal} [signal]
 * @property {(attached: Attached) => void} [onattached] on every attach, after a reconnect too
 * @property {(end: End) => void} [onend]
 */

/**
 * @typedef {object} EventsHost what this file needs of a client
 * @property {(signal?: AbortSignal) => Promise<Session>} session the open session, as soon as there is one; rejects when
 *   there will be none
 * @property {(what: string, detail: object) => void} log
 */

/** A lane that lived this long, in milliseconds, resets the pauses between attempts. */
const HEALTHY_MS = 2000

/** Answers that another attempt may change. */
const TRANSIENT = new Set(['unavailable', 'internal', 'timeout'])

/** Stream codes that another attempt can't change. */
const FATAL = new Set([StreamCode.bad_header, StreamCode.bad_lane, StreamCode.bad_message].map(Number))

/**
 * The events of one agent, in order, each once. When the connection breaks, the lane is opened again behind the last
 * event that was handed out. It ends when the agent has exited and every event was handed out; without `follow`, after
 * the events that were there.
 * @param {EventsHost} host
 * @param {string} agent
 * @param {EventsOptions} options
 * @returns {AsyncGenerator<AgentEvent | GapEvent, End, void>}
 */
export async function* readEvents(host, agent, { after = 0, tail, epoch = '', follow = true, signal, onattached, onend } = {}) {
  const backoff = new Backoff(100, 5000)
  let cursor = after
  for (;;) {
    signal?.throwIfAborted()
    const session = await host.session(signal)
    const began = performance.now()
    /** @type {Lane | undefined} */
    let lane
    const abort = () => void lane?.cancel()
    signal?.addEventListener('abort', abort)
    try {
      lane = await session.openLane({
        lane: 'agent',
        agent,
        ...(cursor > 0 && { after: cursor }),
        ...(cursor === 0 && tail && { tail }),
        ...(epoch && { epoch }),
        ...(follow && { follow }),
      })
      for (let m = await lane.read(); m; m = await lane.read()) {
        signal?.throwIfAborted()
        if (m.error) throw new RpcError(m.error)
        switch (m.method) {
          case 'attached': {
            /** @type {Attached} */
            const attached = m.params
            const epochChanged = epoch !== '' && epoch !== attached.epoch
            onattached?.(attached)
            if (!attached.recovered && (cursor > 0 || epochChanged)) {
              const restarted = epochChanged || attached.last < cursor
              yield { type: 'gap', subject: agent, after: cursor, first: attached.first, restarted }
              cursor = 0
            }
            epoch = attached.epoch
            if (attached.last === 0) tail = undefined // what comes from now on is new, all of it
            break
          }
          case 'events':
            for (const event of /** @type {AgentEvent[]} */ (m.params.events ?? [])) {
              if (event.seq <= cursor) continue
              cursor = event.seq
              yield event
              signal?.throwIfAborted()
            }
            break
          case 'end':
            onend?.(m.params)
            return m.params
        }
      }
      signal?.throwIfAborted()
      host.log('agent lane ended early', { agent, cursor })
    } catch (e) {
      if (signal?.aborted) throw signal.reason
      if (e instanceof RpcError && !TRANSIENT.has(e.kind)) throw e
      if (e instanceof SkeinError && e.kind === 'too_large') throw e
      const code = /** @type {any} */ (e)?.streamErrorCode
      if (FATAL.has(code)) throw new SkeinError('bad_stream', `the server refused the agent lane (stream code ${code})`, { code, cause: e })
      host.log('agent lane broke', { agent, cursor, error: messageOf(e) })
    } finally {
      signal?.removeEventListener('abort', abort)
      lane?.cancel()
    }
    // Only a lane that breaks by itself must wait; after a session the next one is waited for.
    if (session.over.aborted || performance.now() - began > HEALTHY_MS) backoff.reset()
    await pause(backoff.next(), AbortSignal.any(signal ? [signal, session.over] : [session.over]))
  }
}
