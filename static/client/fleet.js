import { epochHash, parseStatus } from './status.js'

/** @import { Admission, Agent, Message, Snapshot } from './types.js' */
/** @import { StatusRecord } from './status.js' */

/**
 * How long to wait for a datagram that may only be late, and the shortest time between two requests for a snapshot, in
 * milliseconds.
 */
const LATE_MS = 100
const RESYNC_MS = 1000

/** How many datagram records of unknown agents are kept; the newest are. */
const MAX_EARLY = 4096

/** How many missing datagrams are tracked. */
const MAX_MISSING = 64

/**
 * FleetChangeEvent has the ids of the agents that changed: `agents` were added or changed, `removed` are gone. One event
 * may have many changes.
 */
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
 * Fleet is the live state of the fleet: `agents` by id, kept up to date from the status lane and from datagrams. A record
 * that changes is replaced by a new object, so that comparing identities detects the change.
 *
 * It dispatches `change` (FleetChangeEvent), at most once per animation frame, `snapshot` when the whole fleet was
 * replaced, and `admission` when that changed.
 */
export class Fleet extends EventTarget {
  /** @type {Map<string, Agent>} */
  #agents = new Map()
  /** @type {Map<number, string>} ids by number */
  #nums = new Map()
  /** @type {Map<string, number>} the seq of the datagram or snapshot that an agent's values came with */
  #seen = new Map()
  /** @type {Map<string, number>} the revision of the last complete record of an agent */
  #whole = new Map()
  /** @type {Map<number, {record: StatusRecord, seq: number}>} records that came before their agent */
  #early = new Map()
  /** @type {{seq: number, next: number, parts: number, epoch: string, agents: Map<string, Agent>, admission: Admission | undefined} | undefined} */
  #incoming
  #epoch = ''
  #hash = 0
  #lastSeq = 0
  /** @type {Set<number>} datagrams that are lost or late */
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

  /** The agents by id. The map belongs to the fleet and changes with it. */
  get agents() {
    return /** @type {ReadonlyMap<string, Agent>} */ (this.#agents)
  }

  /** Whether agents may be spawned and tasks started; undefined until the server has said so. */
  get admission() {
    return this.#admission
  }

  /** Whether a whole snapshot arrived since the session opened. Until then the agents are those of the last session. */
  get ready() {
    return this.#ready
  }

  /**
   * Prepares for a new session, whose datagrams count from 1 again. The agents stay until the session's snapshot arrives.
   * @param {string} epoch
   */
  open(epoch) {
    this.close()
    this.#hash = epochHash(epoch)
    this.#lastSeq = 0
    this.#ready = false
    this.#incoming = undefined
    // A restarted server may count numbers and revisions from an older record than the one here. So datagrams wait for the
    // snapshot, and the snapshot is accepted whatever its revisions.
    this.#nums.clear()
    this.#early.clear()
  }

  /**
   * Attaches the status lane of a session.
   * @param {() => void} ask
   */
  attach(ask) {
    this.#ask = ask
  }

  /** Ends the waits of a session that has ended. */
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
    if (this.#incoming) this.#incoming.admission = admission // it is newer than the snapshot that is still arriving
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
    this.#incoming?.agents.set(agent.id, agent) // it is newer than the parts that are still to come
    const old = this.#agents.get(agent.id)
    if (!old || !this.#ready || agent.rev >= old.rev) this.#take(agent, agent, this.#seen.get(agent.id) ?? 0)
    else this.#overtaken(agent, old)
  }

  /**
   * Takes a complete record that a datagram has overtaken. The values of the datagram are newer; all others come from the record.
   * @param {Agent} agent
   * @param {Agent} old
   */
  #overtaken(agent, old) {
    if (agent.rev > (this.#whole.get(agent.id) ?? 0)) this.#take(agent, overtake(agent, old), this.#seen.get(agent.id) ?? 0)
  }

  /**
   * @param {Agent} whole the record as the server sent it
   * @param {Agent} agent the record that is kept
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
   * Notes the datagrams that are missing. They may only be late: if neither they nor a snapshot arrive soon, it asks for a
   * snapshot.
   * @param {number} from
   * @param {number} to the one that arrived
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

  /** Asks for a snapshot, at most once a second. */
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
 * Copies a record with the values of a datagram. Properties keep their order and none is added needlessly: a fleet of two
 * thousand agents makes twenty thousand copies a second, and a copy of the same shape costs a browser half as much.
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
 * Copies a complete record with the values of a later revision that came by datagram.
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
