// The records that the scripted server lets clients watch: with revisions, from a cursor.

/** @import { Message } from '../client/types.js' */
/** @import { PeerLane } from './peer.js' */

/** Feed has records by id and a revision for each change. It is watched like tasks and memory. */
export class Feed {
  epoch = 'e1'
  rev = 0
  /** Changes up to this revision are forgotten: a watch can't continue from an earlier cursor. */
  floor = 0
  /** @type {Map<string, any>} */
  records = new Map()
  /** @type {any[]} the parameters of each watch */
  watches = []
  /** How many records one part of an update has. */
  part = 100
  /** After this many parts of an update the session breaks. @type {number | undefined} */
  breakAfter
  /** Awaited before the break. */
  breaking = async () => {}
  #news = Promise.withResolvers()

  /**
   * @param {string} id
   * @param {object} record
   */
  set(id, record) {
    this.records.set(id, { ...record, rev: ++this.rev })
    const { resolve } = this.#news
    this.#news = Promise.withResolvers()
    resolve(undefined)
  }

  /** Restarts the server with a new log, in which no cursor is known. */
  forget() {
    this.epoch += '+'
    this.records.clear()
    this.rev = 0
  }

  /**
   * @param {Message} m
   * @param {PeerLane} lane
   * @param {(changed: any[], cursor: number, more: boolean) => [method: string, params: object]} note
   * @param {() => void} drop
   */
  async serve(m, lane, note, drop) {
    this.watches.push(m.params)
    const { after = 0, epoch = '' } = m.params
    const recovered = after >= this.floor && after <= this.rev && (epoch === '' || epoch === this.epoch)
    await lane.answer(m, { epoch: this.epoch, recovered })
    let gone = false
    lane.gone.then(() => (gone = true))
    let cursor = recovered ? after : 0
    for (let first = true; !gone; first = false) {
      const news = this.#news.promise
      const changed = [...this.records.values()].filter((r) => r.rev > cursor).sort((a, b) => a.rev - b.rev)
      cursor = this.rev
      for (let i = 0; i < changed.length || (first && i === 0); i += this.part) {
        const more = i + this.part < changed.length
        await lane.send({ jsonrpc: '2.0', ...named(note(changed.slice(i, i + this.part), more ? 0 : cursor, more)) })
        if (this.breakAfter !== undefined && --this.breakAfter <= 0) {
          this.breakAfter = undefined
          await this.breaking()
          return drop()
        }
      }
      await Promise.race([news, lane.gone])
      await new Promise((resolve) => setImmediate(resolve)) // a broken lane must get nothing more
    }
  }
}

/** @param {[string, object]} note */
function named([method, params]) {
  return { method, params }
}
