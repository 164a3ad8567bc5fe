/**
 * Encodes and decodes status datagrams: a 16-byte header and fixed-width records, big-endian (docs/protocol.md, "Status
 * datagrams").
 */

export const DATAGRAM_STATUS = 1
export const HEADER_SIZE = 16
export const RECORD_SIZE = 32
export const MAX_DATAGRAM = 1100

/** The index of each word is its number on the wire. */
export const STATUSES = /** @type {const} */ (['pending', 'starting', 'running', 'stopping', 'exited', 'unknown', 'lost'])
export const ACTIVITIES = /** @type {const} */ (['', 'idle', 'running', 'requires_action'])
export const REASONS = /** @type {const} */ (['', 'completed', 'failed', 'stopped'])

/**
 * @typedef {object} StatusRecord
 * @property {number} num
 * @property {number} rev
 * @property {typeof STATUSES[number]} status
 * @property {typeof ACTIVITIES[number]} activity
 * @property {typeof REASONS[number]} reason
 * @property {number} processes at most 255, which means 255 or more
 * @property {number} cpu cores; at most 65.535
 * @property {number} exitCode meaningful when status is `exited`
 * @property {number} rss bytes, in whole KiB
 * @property {number} heartbeatMs milliseconds since the last sign of life
 * @property {number} lastSeq
 */

/** @typedef {{epoch: number, seq: number, records: StatusRecord[]}} StatusDatagram */

/**
 * Decodes a datagram; undefined if it is not a status datagram or is malformed. Records may be longer than those of this
 * version, whose fields come first, so that later versions can add fields.
 * @param {Uint8Array} b
 * @returns {StatusDatagram | undefined}
 */
export function parseStatus(b) {
  const view = new DataView(b.buffer, b.byteOffset, b.byteLength)
  if (b.length < HEADER_SIZE || b[0] !== DATAGRAM_STATUS) return undefined
  const size = b[1]
  const count = view.getUint16(2)
  if (size < RECORD_SIZE || b.length !== HEADER_SIZE + size * count) return undefined
  /** @type {StatusRecord[]} */
  const records = []
  for (let at = HEADER_SIZE; at < b.length; at += size) {
    const status = STATUSES[b[at + 8]]
    const activity = ACTIVITIES[b[at + 9]]
    const reason = REASONS[b[at + 10]]
    if (status === undefined || activity === undefined || reason === undefined) return undefined
    records.push({
      num: view.getUint32(at),
      rev: view.getUint32(at + 4),
      status,
      activity,
      reason,
      processes: b[at + 11],
      cpu: view.getUint16(at + 12) / 1000,
      exitCode: view.getInt16(at + 14),
      rss: view.getUint32(at + 16) * 1024,
      heartbeatMs: view.getUint32(at + 20),
      lastSeq: Number(view.getBigUint64(at + 24)),
    })
  }
  return { epoch: view.getUint32(4), seq: Number(view.getBigUint64(8)), records }
}

/**
 * Encodes a datagram. A value that does not fit its field is clamped, as on the server.
 * @param {StatusDatagram} d
 */
export function formatStatus(d) {
  const b = new Uint8Array(HEADER_SIZE + RECORD_SIZE * d.records.length)
  const view = new DataView(b.buffer)
  b[0] = DATAGRAM_STATUS
  b[1] = RECORD_SIZE
  view.setUint16(2, d.records.length)
  view.setUint32(4, d.epoch)
  view.setBigUint64(8, BigInt(d.seq))
  let at = HEADER_SIZE
  for (const r of d.records) {
    view.setUint32(at, r.num)
    view.setUint32(at + 4, r.rev)
    b[at + 8] = Math.max(0, STATUSES.indexOf(r.status))
    b[at + 9] = Math.max(0, ACTIVITIES.indexOf(r.activity))
    b[at + 10] = Math.max(0, REASONS.indexOf(r.reason))
    b[at + 11] = clamp(r.processes, 0, 0xff)
    view.setUint16(at + 12, clamp(Math.round(r.cpu * 1000), 0, 0xffff))
    view.setInt16(at + 14, clamp(r.exitCode, -0x8000, 0x7fff))
    view.setUint32(at + 16, clamp(Math.floor(r.rss / 1024), 0, 0xffffffff))
    view.setUint32(at + 20, clamp(Math.floor(r.heartbeatMs), 0, 0xffffffff))
    view.setBigUint64(at + 24, BigInt(r.lastSeq))
    at += RECORD_SIZE
  }
  return b
}

/**
 * @param {number} v
 * @param {number} low
 * @param {number} high
 */
function clamp(v, low, high) {
  return Math.max(low, Math.min(v, high))
}

/**
 * The short form of an epoch in datagrams: the 32-bit FNV-1a hash of its UTF-8.
 * @param {string} epoch
 */
export function epochHash(epoch) {
  let h = 0x811c9dc5
  for (const byte of new TextEncoder().encode(epoch)) h = Math.imul(h ^ byte, 0x01000193)
  return h >>> 0
}
