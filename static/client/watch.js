import { RpcError, SkeinError } from './errors.js'
import { resume } from './resume.js'

/** @import { Host } from './resume.js' */
/** @import { Lane } from './lane.js' */

/**
 * @typedef {object} Position
 * @property {string} epoch that the cursor belongs to
 * @property {boolean} reset whether to forget everything from before this update, which begins a new list of all there is
 */

/**
 * Follows changes on a separate lane, so that a slow reader holds up nothing else. After a reconnect the watch goes on
 * behind the last update that was passed on whole. If the server can't do that, the next update has `reset`, as the very
 * first one has.
 * @template {{cursor: number, more?: boolean}} U
 * @param {Host} host
 * @param {object} options
 * @param {string} options.lane
 * @param {string} options.method
 * @param {string} options.note the method of the updates
 * @param {object} options.params
 * @param {number} [options.after] the `cursor` of an earlier update: only later changes follow
 * @param {string} [options.epoch] the epoch of that update
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
    // A list that was not finished starts again, since its cursor is still 0.
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
