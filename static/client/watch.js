import { RpcError, SkeinError } from './errors.js'
import { resume } from './resume.js'

/** @import { Host } from './resume.js' */
/** @import { Lane } from './lane.js' */

/**
 * @typedef {object} Position
 * @property {string} epoch that the cursor belongs to
 * @property {boolean} reset what came before this update is void: it begins a list of everything there is
 */

/**
 * Follows what changes, on a lane of its own so that a slow reader holds up nothing else. When the connection breaks,
 * the watch goes on behind the last update that was handed out whole; where the server can't do that, the next update
 * has `reset`, as the first one of all has.
 * @template {{cursor: number, more?: boolean}} U
 * @param {Host} host
 * @param {object} options
 * @param {string} options.lane
 * @param {string} options.method
 * @param {string} options.note the method of the updates
 * @param {object} options.params
 * @param {number} [options.after] the `cursor` of an update from before: what changed since follows
 * @param {string} [options.epoch] its epoch
 * @param {AbortSignal} [options.signal]
 * @returns {AsyncGenerator<U & Position, never, void>}
 */
export function watch(host, { lane, method, note, params, after = 0, epoch = '', signal }) {
  let cursor = after

  /**
   * @param {Lane} opened
   * @returns {AsyncGenerator<U & Position, void, void>}
   */
  async function* read(opened) {
    const answer = await firstAnswer(opened)
    // A list that was begun and not finished is begun anew: its cursor is still 0.
    let reset = cursor === 0 || !answer.recovered
    if (reset) cursor = 0
    epoch = answer.epoch
    for (let m = await opened.read(); m; m = await opened.read()) {
      signal?.throwIfAborted()
      if (m.error) throw new RpcError(m.error)
      if (m.method !== note) continue
      if (!m.params.more) cursor = m.params.cursor
      const update = { ...m.params, epoch, reset }
      reset = false
      yield update
    }
  }

  return resume(host, {
    header: () => ({ lane }),
    request: () => ({ jsonrpc: '2.0', id: host.nextId(), method, params: { ...params, ...(cursor > 0 && { after: cursor, epoch }) } }),
    read,
    detail: () => ({ method, cursor }),
    signal,
  })
}

/**
 * @param {Lane} lane
 * @returns {Promise<{epoch: string, recovered: boolean}>}
 */
async function firstAnswer(lane) {
  const m = await lane.read()
  if (!m) throw new SkeinError('bad_stream', 'the lane ended without an answer')
  if (m.error) throw new RpcError(m.error)
  if (m.method) throw new SkeinError('bad_stream', `${m.method} came before the answer`)
  return m.result
}
