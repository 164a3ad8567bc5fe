import { RpcError } from './errors.js'
import { resume } from './resume.js'

/** @import { AgentEvent, Attached, End, GapEvent } from './types.js' */
/** @import { Host } from './resume.js' */
/** @import { Lane } from './lane.js' */

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
 * The events of one agent, in order, each once. When the connection breaks, the lane is opened again behind the last
 * event that was handed out. It ends when the agent has exited and every event was handed out; without `follow`, after
 * the events that were there.
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
    if (attached.last === 0) tail = undefined // what comes from now on is new, all of it
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
