/**
 * Pictures of what agents show (docs/protocol.md, "The glance lane"). This module is part of extra.js, and imports nothing.
 */

/** @import { Header, Message, Picture, PictureChange, PictureRow } from './types.js' */
/** @import { Host } from './resume.js' */
/** @import { Lane } from './lane.js' */

/**
 * @typedef {object} GlanceOptions
 * @property {number} [rows] of the pictures of output, at most; the screen of a terminal has its own size
 * @property {number} [cols] characters of a row, at most; likewise
 * @property {() => number} [wait] how long after a picture the next one may come, in milliseconds; the server has a bound of its own
 * @property {(picture: Picture, change: PictureChange) => void | Promise<void>} onpicture called with the present picture, and with the newest one whenever that is another. No other one is asked for before it is done
 * @property {AbortSignal} [signal] ends it
 */

/** The most rows of a picture, and the most columns of a terminal. webtransport/wire has the same. */
const MAX_ROWS = 60
const MAX_COLS = 1000

/** @param {unknown} n @param {number} most */
const within = (n, most) => Number.isSafeInteger(n) && /** @type {number} */ (n) >= 0 && /** @type {number} */ (n) <= most

/** @param {any} row @returns {row is PictureRow} */
const isRow = (row) => Array.isArray(row.pieces ?? []) && (row.pieces ?? []).every((/** @type {any} */ p) => typeof p?.text === 'string' && typeof (p.class ?? '') === 'string')

/**
 * Checks what a server sent, and applies it.
 * @param {Picture} picture
 * @param {PictureChange} change
 * @returns {Picture}
 */
export function applied(picture, change) {
  const { count, shift = 0, whole, rows: changed = [], kind, cols = 0 } = change ?? {}
  const old = whole ? [] : picture.rows.slice(shift)
  if (!within(count, MAX_ROWS) || !within(shift, whole ? MAX_ROWS : picture.rows.length) || !within(cols, MAX_COLS) || !Array.isArray(changed)) throw new RangeError('a picture that is none')
  const rows = Array.from({ length: count }, (_, i) => old[i] ?? { pieces: [] })
  for (const row of changed) {
    if (!within(row?.at, count - 1) || !isRow(row)) throw new RangeError('a row of a picture that is none')
    rows[row.at] = { kind: row.kind ?? '', pieces: row.pieces ?? [] }
  }
  return { kind, cols, rows }
}

/**
 * @param {Lane} lane
 * @param {typeof import('./errors.js').RpcError} RpcError
 * @param {GlanceOptions} options
 * @returns {AsyncGenerator<never, {value: void} | void, void>}
 */
async function* read(lane, RpcError, { onpicture, wait, signal }) {
  /** @type {Picture} */
  let picture = { kind: 'lines', cols: 0, rows: [] }
  for (let m = await lane.read(); m; m = await lane.read()) {
    if (m.error) throw new RpcError(m.error)
    if (m.method !== 'picture') continue
    picture = applied(picture, m.params)
    await onpicture(picture, m.params)
    signal?.throwIfAborted()
    lane.write(/** @type {Message} */ ({ jsonrpc: '2.0', method: 'picture.seen', params: { seq: m.params.seq, wait_ms: Math.round(wait?.() ?? 0) } }))
    if (m.params.ended) return { value: undefined }
  }
}

/**
 * Shows what an agent shows, over reconnects, until it has ended or the signal says so.
 * @param {Host} host
 * @param {typeof import('./resume.js').resume} resume
 * @param {typeof import('./errors.js').RpcError} RpcError
 * @param {string} agent
 * @param {GlanceOptions} options
 */
export async function glance(host, resume, RpcError, agent, options) {
  const { rows, cols, signal } = options
  const header = () => /** @type {Header} */ ({ lane: 'glance', agent, ...(rows && { rows }), ...(cols && { cols }) })
  for await (const _ of resume(host, { header, read: (lane) => read(lane, RpcError, options), detail: () => ({ agent }), signal }));
}
