import { epochHash, parseStatus } from './status.js'

/** @import { Admission, Agent, Message, Snapshot } from './types.js' */
/** @import { StatusRecord } from './status.js' */

/** How long a missing datagram may be merely late, and how often a snapshot is asked for at most, in milliseconds. */
const LATE_MS = 100
const RESYNC_MS = 1000

/** Datagram records of agents that are not known yet; the newest are kept. */
const MAX_EARLY = 4096

/** Datagrams that may be waited for one by one. */
const MAX_MISSING = 64

/** Agents changed: `agents` were added or changed, `removed` are gone. Many changes come as one event. */
export class FleetChangeEvent extends Event {
  /**
   * @param {string[]} agents
   * @param {string[]} removed
   */
  constructor(agents, removed) {
    super('change')
    this.agents = agents
    this.removed = removed
  }
}

/**
 * The fleet as it is now: `agents` by id, kept up to date from the status lane and from datagrams. Each record is
 * replaced as a whole when it changes, so that two can be told apart by identity.
 *
 * Events: `change` (FleetChangeEvent), coalesced per animation frame; `snapshot`, when the whole fleet was replaced;
 * `admission`, when that changed.
 */
export class Fleet extends EventTarget {
  /** @type {Map<string, Agent>} */
  #agents = new Map()
  /** @type {Map<number, string>} ids by number */
  #nums = new Map()
  /** @type {Map<string, number>} the seq of the datagram or snapshot that each agent's values are from */
  #seen = new Map()
  /** @type {Map<string, number>} the revision of the last whole record of each agent */
  #whole = new Map()
  /** @type {Map<number, {record: StatusRecord, seq: number}>} records that came before their agent */
  #early = new Map()
  /** @type {{seq: number, next: number, parts: number, epoch: string, agents: Map<string, Agent>, admission: Admission | undefined} | undefined} */
  #incoming
  #epoch = ''
  #hash = 0
  #lastSeq = 0
  /** @type {Set<number>} datagrams that did not come, or not yet */
  #missing = new Set()
  #ready = false
  #resyncAt = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #resyncTimer
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #lateTimer
  /** @type {(() => void) | undefined} asks the server for a snapshot */
  #ask
  /** @type {Set<string>} */
  #changed = new Set()
  /** @type {Set<string>} */
  #removed = new Set()
  #scheduled = false
  /** @type {Admission | undefined} */
  #admission

  /** The agents by id. Read it; it is the fleet's own. */
  get agents() {
    return /** @type {ReadonlyMap<string, Agent>} */ (this.#agents)
  }

  /** Whether agents may be spawned and tasks started; undefined: not known yet. */
  get admission() {
    return this.#admission
  }

  /** Whether a whole snapshot came in since the session opened; before that the agents are those of the last session. */
  get ready() {
    return this.#ready
  }

  /**
   * A session opened: datagrams count from 1 again, and a snapshot is on its way. What is known stays until then.
   * @param {string} epoch
   */
  open(epoch) {
    this.close()
    this.#hash = epochHash(epoch)
    this.#lastSeq = 0
    this.#ready = false
    this.#incoming = undefined
    // A server that was started anew may count numbers and revisions from an older record than the one shown here.
    // So datagrams wait for the snapshot, and the snapshot counts whatever its revisions.
    this.#nums.clear()
    this.#early.clear()
  }

  /**
   * The status lane is there.
   * @param {() => void} ask
   */
  attach(ask) {
    this.#ask = ask
  }

  /** The session ended. */
  close() {
    this.#ask = undefined
    clearTimeout(this.#lateTimer)
    clearTimeout(this.#resyncTimer)
    this.#resyncTimer = undefined
    this.#missing.clear()
  }

  /** @param {Message} m a message of the status lane */
  receive(m) {
    if (m.method === 'status.snapshot') this.#part(m.params)
    else if (m.method === 'status.update') {
      for (const agent of m.params.agents ?? []) this.#update(agent)
      for (const id of m.params.removed ?? []) {
        this.#incoming?.agents.delete(id)
        this.#remove(id)
      }
      if (m.params.admission) this.#admit(m.params.admission)
    }
  }

  /** @param {Admission | undefined} admission */
  #admit(admission) {
    if (!admission) return // an older server
    if (this.#incoming) this.#incoming.admission = admission // newer than the snapshot that is on its way
    if (JSON.stringify(admission) === JSON.stringify(this.#admission)) return
    this.#admission = admission
    this.dispatchEvent(new Event('admission'))
  }

  /** @param {Snapshot} part */
  #part(part) {
    if (part.part === 0) {
      this.#incoming = { seq: part.seq, next: 0, parts: part.parts, epoch: part.epoch, agents: new Map(), admission: part.admission }
    }
    const incoming = this.#incoming
    if (!incoming || incoming.seq !== part.seq || incoming.next !== part.part) {
      this.#incoming = undefined
      return this.resync()
    }
    for (const agent of part.agents ?? []) incoming.agents.set(agent.id, agent)
    incoming.next++
    if (incoming.next >= incoming.parts) {
      this.#incoming = undefined
      this.#admit(incoming.admission)
      this.#replace(incoming.seq, incoming.epoch, incoming.agents)
    }
  }

  /**
   * @param {number} seq
   * @param {string} epoch
   * @param {Map<string, Agent>} agents
   */
  #replace(seq, epoch, agents) {
    const known = this.#ready && epoch === this.#epoch ? new Map(this.#agents) : new Map()
    for (const id of this.#agents.keys()) {
      if (!agents.has(id)) this.#remove(id)
    }
    this.#epoch = epoch
    this.#hash = epochHash(epoch)
    for (const [id, agent] of agents) {
      const old = known.get(id)
      if (!old || agent.rev > old.rev || (agent.rev === old.rev && seq >= (this.#seen.get(id) ?? 0))) this.#take(agent, agent, seq)
      else this.#overtaken(agent, old)
    }
    this.#lastSeq = Math.max(this.#lastSeq, seq)
    for (const missing of this.#missing) if (missing <= seq) this.#missing.delete(missing)
    this.#ready = true
    this.dispatchEvent(new Event('snapshot'))
  }

  /** @param {Agent} agent */
  #update(agent) {
    this.#incoming?.agents.set(agent.id, agent) // newer than the parts that are still to come
    const old = this.#agents.get(agent.id)
    if (!old || !this.#ready || agent.rev >= old.rev) this.#take(agent, agent, this.#seen.get(agent.id) ?? 0)
    else this.#overtaken(agent, old)
  }

  /**
   * A datagram was faster than a whole record. What it carried is newer; what it does not carry only the record has.
   * @param {Agent} agent
   * @param {Agent} old
   */
  #overtaken(agent, old) {
    if (agent.rev > (this.#whole.get(agent.id) ?? 0)) this.#take(agent, overtake(agent, old), this.#seen.get(agent.id) ?? 0)
  }

  /**
   * @param {Agent} whole as the server sent it
   * @param {Agent} agent as it is kept
   * @param {number} seq
   */
  #take(whole, agent, seq) {
    this.#whole.set(whole.id, whole.rev)
    this.#set(agent, seq)
  }

  /**
   * @param {Agent} agent
   * @param {number} seq
   */
  #set(agent, seq) {
    this.#agents.set(agent.id, agent)
    this.#nums.set(agent.num, agent.id)
    this.#seen.set(agent.id, seq)
    this.#removed.delete(agent.id)
    this.#changed.add(agent.id)
    this.#schedule()
    const early = this.#early.get(agent.num)
    if (early) {
      this.#early.delete(agent.num)
      this.#record(early.record, early.seq)
    }
  }

  /** @param {string} id */
  #remove(id) {
    const agent = this.#agents.get(id)
    if (!agent) return
    this.#agents.delete(id)
    if (this.#nums.get(agent.num) === id) this.#nums.delete(agent.num)
    this.#seen.delete(id)
    this.#whole.delete(id)
    this.#changed.delete(id)
    this.#removed.add(id)
    this.#schedule()
  }

  /** @param {Uint8Array} bytes */
  datagram(bytes) {
    const d = parseStatus(bytes)
    if (!d || d.epoch !== this.#hash) return
    if (d.seq > this.#lastSeq) this.#lost(this.#lastSeq + 1, d.seq)
    else this.#missing.delete(d.seq)
    this.#lastSeq = Math.max(this.#lastSeq, d.seq)
    for (const record of d.records) this.#record(record, d.seq)
  }

  /**
   * @param {StatusRecord} r
   * @param {number} seq
   */
  #record(r, seq) {
    const id = this.#nums.get(r.num)
    const old = id === undefined ? undefined : this.#agents.get(id)
    if (!old) {
      if ((this.#early.get(r.num)?.seq ?? 0) > seq) return
      this.#early.delete(r.num)
      this.#early.set(r.num, { record: r, seq })
      if (this.#early.size > MAX_EARLY) this.#early.delete(/** @type {number} */ (this.#early.keys().next().value))
      return
    }
    const seen = this.#seen.get(old.id) ?? 0
    if (r.rev < old.rev || (r.rev === old.rev && seq <= seen)) return
    this.#set(patch(old, r), Math.max(seq, seen))
  }

  /**
   * Datagrams are missing. They may be late only: if neither they nor a snapshot fill the gap soon, one is asked for.
   * @param {number} from
   * @param {number} to the one that came
   */
  #lost(from, to) {
    if (from >= to) return
    const waiting = this.#missing.size > 0
    for (let seq = Math.max(from, to - MAX_MISSING); seq < to && this.#missing.size < MAX_MISSING; seq++) this.#missing.add(seq)
    if (waiting) return
    clearTimeout(this.#lateTimer)
    this.#lateTimer = setTimeout(() => {
      if (this.#missing.size === 0) return
      this.#missing.clear()
      this.resync()
    }, LATE_MS)
  }

  /** Asks for a snapshot, once a second at most. */
  resync() {
    if (!this.#ask || this.#resyncTimer) return
    const wait = this.#resyncAt + RESYNC_MS - Date.now()
    if (wait > 0) {
      this.#resyncTimer = setTimeout(() => {
        this.#resyncTimer = undefined
        this.resync()
      }, wait)
      return
    }
    this.#resyncAt = Date.now()
    this.#ask()
  }

  #schedule() {
    if (this.#scheduled) return
    this.#scheduled = true
    const tell = () => {
      this.#scheduled = false
      const event = new FleetChangeEvent([...this.#changed], [...this.#removed])
      this.#changed.clear()
      this.#removed.clear()
      this.dispatchEvent(event)
    }
    // a hidden page has no animation frames
    if (globalThis.document?.visibilityState === 'visible') requestAnimationFrame(tell)
    else queueMicrotask(tell)
  }
}

/**
 * The record with a datagram's values. Properties keep their order and none is added for nothing: a fleet of two thousand
 * makes twenty thousand of these a second, and a copy of the same shape costs a browser half.
 * @param {Agent} old
 * @param {StatusRecord} r
 * @returns {Agent}
 */
function patch(old, r) {
  const agent = { ...old }
  agent.rev = r.rev
  agent.status = r.status
  if ((old.activity ?? '') !== r.activity) agent.activity = r.activity
  if ((old.reason ?? '') !== r.reason) agent.reason = r.reason
  const usage = { ...old.usage }
  usage.cpu = r.cpu
  usage.rss = r.rss
  usage.processes = r.processes
  agent.usage = usage
  agent.last_seq = Math.max(old.last_seq, r.lastSeq)
  agent.last_heartbeat = new Date(Date.now() - r.heartbeatMs).toISOString()
  if (r.activity !== 'requires_action' && old.question !== undefined) delete agent.question
  if (r.status === 'exited' && !old.exit) agent.exit = { code: r.exitCode }
  return agent
}

/**
 * A whole record with the values that a datagram brought of a later revision.
 * @param {Agent} agent
 * @param {Agent} by
 * @returns {Agent}
 */
function overtake(agent, by) {
  const { rev, status, activity, reason, last_heartbeat } = by
  const { cpu, rss, processes } = by.usage
  const last_seq = Math.max(agent.last_seq, by.last_seq)
  const exit = agent.exit ?? by.exit
  const merged = { ...agent, rev, status, activity, reason, last_heartbeat, last_seq, usage: { ...agent.usage, cpu, rss, processes }, ...(exit && { exit }) }
  if (activity !== 'requires_action') delete merged.question
  return merged
}
