// The artifacts of the scripted server: bulk lanes that carry real bytes, and break where a test wants.
import { createHash } from 'node:crypto'

/** @import { Artifact } from '../client/types.js' */
/** @import { Peer, PeerLane, PeerSession } from './peer.js' */

/** @typedef {{artifact: Artifact, bytes: Buffer}} Kept */

export class Files {
  /** @type {Map<string, Kept>} */
  kept = new Map()
  /** @type {{op: string, offset: number}[]} where each transfer began */
  begins = []
  /** Positions at which the session breaks, in order. @type {number[]} */
  breaks = []
  /** How many bytes an upload loses when its session breaks, because they were not stored yet. */
  loses = 0
  /**
   * @type {{at: number, error: {code: number, message: string, data: {kind: string}}} | undefined} refuses an upload at a
   * position
   */
  refusal
  /** Changes what was stored. @type {(bytes: Buffer) => Buffer} */
  spoil = (bytes) => bytes
  /** Whether the session breaks when an upload is complete, before the client is told. */
  breakAtEnd = false

  /** @param {Peer} peer */
  constructor(peer) {
    peer.onlane = (lane, session) => {
      if (lane.header.lane !== 'bulk') return false
      const { op } = lane.header
      const transfer = op === 'put' ? this.#put(lane, session) : this.#get(lane, session)
      transfer.catch(() => {})
      return true
    }
    peer.onrequest = (session, m) => {
      if (m.method !== 'artifact.create') return false
      session.answer(m, this.create(m.params))
      return true
    }
  }

  /** @param {any} params */
  create(params) {
    const now = '2026-01-01T00:00:00Z'
    /** @type {Artifact} */
    const artifact = { id: `f${this.kept.size + 1}`, media_type: 'application/octet-stream', state: 'uploading', received: 0, created_at: now, updated_at: now, ...params }
    this.kept.set(artifact.id, { artifact, bytes: Buffer.alloc(0) })
    return artifact
  }

  /** @param {Uint8Array} bytes */
  add(bytes) {
    const { id } = this.create({ name: 'file', size: bytes.length })
    return this.#complete(id, Buffer.from(bytes))
  }

  /**
   * @param {string} id
   * @param {Buffer} bytes
   */
  #complete(id, bytes) {
    const kept = /** @type {Kept} */ (this.kept.get(id))
    bytes = this.spoil(bytes)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    kept.bytes = bytes
    kept.artifact = { ...kept.artifact, state: 'complete', received: bytes.length, size: bytes.length, sha256 }
    return kept.artifact
  }

  /** @param {number} position */
  #breaksAt(position) {
    if (this.breaks.length === 0 || position < this.breaks[0]) return false
    this.breaks.shift()
    return true
  }

  /**
   * @param {PeerLane} lane
   * @param {PeerSession} session
   */
  async #put(lane, session) {
    const id = lane.header.artifact
    const kept = this.kept.get(id)
    if (!kept) return refuse(lane, { code: -32002, message: `there is no artifact ${id}`, data: { kind: 'not_found' } })
    this.begins.push({ op: 'put', offset: kept.bytes.length })
    if (kept.artifact.state === 'complete') return lane.send({ artifact: kept.artifact, offset: kept.artifact.size, done: true })
    await lane.send({ artifact: kept.artifact, offset: kept.bytes.length })
    const parts = [kept.bytes]
    let position = kept.bytes.length
    try {
      for (let b = await lane.lines.bytes(); b; b = await lane.lines.bytes()) {
        parts.push(Buffer.from(b))
        position += b.length
        if (this.refusal && position >= this.refusal.at) return refuse(lane, this.refusal.error)
        if (this.#breaksAt(position)) return session.drop()
      }
      const artifact = this.#complete(id, Buffer.concat(parts))
      if (this.breakAtEnd) {
        this.breakAtEnd = false
        return session.drop()
      }
      await lane.send({ artifact, offset: position, done: true })
      await lane.end()
    } finally {
      if (kept.artifact.state === 'uploading') kept.bytes = Buffer.concat(parts).subarray(0, Math.max(0, position - this.loses))
      lane.over.resolve()
    }
  }

  /**
   * @param {PeerLane} lane
   * @param {PeerSession} session
   */
  async #get(lane, session) {
    const { artifact: id, offset = 0 } = lane.header
    const kept = this.kept.get(id)
    this.begins.push({ op: 'get', offset })
    if (!kept) return refuse(lane, { code: -32002, message: `there is no artifact ${id}`, data: { kind: 'not_found' } })
    lane.lines.bytes().catch(() => {}).then(() => lane.over.resolve())
    await lane.send({ artifact: kept.artifact, offset })
    for (let at = offset; at < kept.bytes.length; at += 10_000) {
      const piece = kept.bytes.subarray(at, at + 10_000)
      await lane.bytes(piece)
      await new Promise((resolve) => setImmediate(resolve)) // so that the client gets what was sent before the break
      if (this.#breaksAt(at + piece.length)) return session.drop()
    }
    await lane.end()
  }
}

/**
 * @param {PeerLane} lane
 * @param {object} error
 */
async function refuse(lane, error) {
  await lane.send({ offset: 0, error })
  await lane.end()
}
