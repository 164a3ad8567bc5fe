import { RpcError } from './errors.js'
import { resume } from './resume.js'

/** @import { AgentEvent, Attached, End, GapEvent } from './types.js' */
/** @import { Host } from './resume.js' */
/** @import { Lane } from './lane.js' */

/**
 * @typedef {object} EventsOptions
 * @property {number} [after] only events with a greater seq; 0: from the first
 * @property {number} [tail] with `after` 0: at most this many of the existing events, the newest
 * @property {string} [epoch] the epoch that `after` belongs to; none: any
 * @property {boolean} [follow] whether to go on with new events until the agent exits; true by default
 * @property {AbortSignal} [signal]
 * @property {(attached: Attached) => void} [onattached] called on every attach, also after a reconnect
 * @property {(end: End) => void} [onend]
 */

/**
 * Reads the events of one agent, in order, each once. After a reconnect it goes on behind the last event that was passed
 * on. It ends when the agent has exited and every event was passed on or, without `follow`, after the events that exist
 * already.
 * @param {Pick<Host, 'session' | 'log'>} host
 * @param {string} agent
 * @param {EventsOptions} options
 * @returns {AsyncGenerator<AgentEvent | GapEvent, End, void>}
 */
export function readEvents(host, agent, { after = 0, tail, epoch = '', follow = true, signal, onattached, onend } = {}) {
  let cursor = after

  /**
   * @param {Attached} attached
   * @returns {GapEvent | undefined}
   */
  function begin(attached) {
    const epochChanged = epoch !== '' && epoch !== attached.epoch
    onattached?.(attached)
    /** @type {GapEvent | undefined} */
    let gap
    if (!attached.recovered && (cursor > 0 || epochChanged)) {
      gap = { type: 'gap', subject: agent, after: cursor, first: attached.first, restarted: epochChanged || attached.last < cursor }
      cursor = 0
    }
    epoch = attached.epoch
    if (attached.last === 0) tail = undefined // there are no old events, so the limit must not apply to new ones
    return gap
  }

  /**
   * @param {Lane} lane
   * @returns {AsyncGenerator<AgentEvent | GapEvent, {value: End} | void, void>}
   */
  async function* read(lane) {
    for (let m = await lane.read(); m; m = await lane.read()) {
      signal?.throwIfAborted()
      if (m.error) throw new RpcError(m.error)
      switch (m.method) {
        case 'attached': {
          const gap = begin(m.params)
          if (gap) yield gap
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
          return { value: m.params }
      }
    }
  }

  return resume(host, {
    header: () => ({
      lane: 'agent',
      agent,
      ...(cursor > 0 && { after: cursor }),
      ...(cursor === 0 && tail && { tail }),
      ...(epoch && { epoch }),
      ...(follow && { follow }),
    }),
    read,
    detail: () => ({ agent, cursor }),
    signal,
  })
}
