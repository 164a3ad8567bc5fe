import { pause } from './backoff.js'
import { CloseCode, MAX_MESSAGE, StreamCode, VERSION } from './codes.js'
import { CloseError, RpcError, SkeinError, messageOf } from './errors.js'
import { Lane } from './lane.js'
import { LineTooLong } from './lines.js'
import { DATAGRAM_REQUEST, DATAGRAM_RESPONSE, messageDatagram, parseMessageDatagram } from './message.js'
import { MAX_MISSED, Pulse } from './pulse.js'

/** @import { Carrier, Goodbye, Header, Message, Transport, Welcome } from './types.js' */
/** @import { Requests } from './rpc.js' */

/**
 * @typedef {object} SessionEnd
 * @property {number} code
 * @property {string} reason
 * @property {number} reconnectAfterMs -1: do not come back
 */

/**
 * @typedef {object} SessionHandlers
 * @property {(message: Message) => void} onstatus what comes on the status lane
 * @property {(lane: Lane) => void} onstatuslane
 * @property {(bytes: Uint8Array) => void} ondatagram
 * @property {(ms: number) => void} onrtt
 */

/** How long a goodbye may precede the close it announces: a server that stops ends its agents in between. */
const GOODBYE_GRACE_MS = 40_000

/** How long the last bytes of a session may take to be read, and a broken lane to be explained by its carrier. */
const LAST_BYTES_MS = 50
const EXPLAIN_MS = 200

/** The pauses before the copies of a critical request, in milliseconds: a burst of loss rarely outlasts them. */
const RACE_PAUSES_MS = [0, 8, 17]

/**
 * One session: a carrier whose hello was answered. It ends once, for whatever reason, and is never used again; what
 * outlives it (requests, cursors, the fleet) stands elsewhere.
 *
 * Events: `doubt`, when nobody on the other side seems to be there any more (pulse.js), and `relief`, when somebody is.
 */
export class Session extends EventTarget {
  #carrier
  #control
  #requests
  /** @type {Set<string>} the lanes for requests that are open, or about to be */
  #requestLanes = new Set()
  /** @type {Lane | undefined} */
  #health
  /** @type {WritableStreamDefaultWriter<Uint8Array> | undefined} */
  #datagrams
  /** @type {Map<string | number, number>} ids of pings and when they went */
  #pings = new Map()
  /** @type {Pulse | undefined} */
  #pulse
  /** @type {SessionHandlers | undefined} */
  #handlers
  /** @type {Goodbye | undefined} */
  #goodbye
  /** @type {(end: SessionEnd) => void} */
  #settle = () => {}
  #over = new AbortController() // aborted when the session has ended

  /**
   * @param {Carrier} carrier
   * @param {Lane} control
   * @param {Welcome} welcome
   * @param {Transport} transport
   * @param {Requests} requests
   */
  constructor(carrier, control, welcome, transport, requests) {
    super()
    this.#carrier = carrier
    this.#control = this.#heed(control)
    this.#requests = requests
    this.welcome = welcome
    this.transport = transport
    this.openedAt = Date.now()
    /** @type {Promise<SessionEnd>} fulfils however the session ends */
    this.closed = new Promise((resolve) => (this.#settle = resolve))
  }

  /**
   * Says hello on a fresh carrier and waits for the welcome. On failure, and when `signal` is aborted, the carrier is
   * closed.
   * @param {Carrier} carrier
   * @param {{transport: Transport, ticket: string, client: object, resume?: object}} hello
   * @param {Requests} requests
   * @param {AbortSignal} signal
   */
  static async open(carrier, { transport, ticket, client, resume }, requests, signal) {
    const ended = carrier.closed.then(
      (info) => {
        throw new CloseError(info?.closeCode || CloseCode.lost, info?.reason)
      },
      (e) => {
        throw new SkeinError('connection_lost', messageOf(e), { cause: e })
      },
    )
    ended.catch(() => {})
    /** @type {Promise<never>} */
    const aborted = new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    aborted.catch(() => {})
    try {
      await Promise.race([carrier.ready, ended, aborted])
      const id = requests.nextId()
      const params = { versions: [VERSION], ticket, client, ...(resume && { resume }) }
      const greet = async () => {
        const control = await Lane.open(carrier, { lane: 'control' }, { jsonrpc: '2.0', id, method: 'hello', params })
        return new Session(carrier, control, await readWelcome(control, id), transport, requests)
      }
      // What the server said counts more than how the stream broke, and what it said last more than that it left.
      const greeting = greet().catch(async (e) => {
        if (e instanceof RpcError || e instanceof CloseError) throw e
        await Promise.race([ended, pause(LAST_BYTES_MS, signal)])
        throw e
      })
      const closed = ended.catch(async (e) => {
        await Promise.race([greeting, pause(LAST_BYTES_MS, signal)])
        throw e
      })
      greeting.catch(() => {})
      closed.catch(() => {})
      return await Promise.race([greeting, closed, aborted])
    } catch (e) {
      closeCarrier(carrier, CloseCode.normal, signal.aborted ? 'not needed' : 'hello failed')
      throw e
    }
  }

  /**
   * Starts to read. Before this nothing but the hello's answer is consumed, so that a session that loses the race
   * costs nothing.
   * @param {SessionHandlers} handlers
   * @param {number} pingMs
   */
  start(handlers, pingMs) {
    this.#handlers = handlers
    this.#pulse = new Pulse({
      pingMs,
      ping: () => this.#ping(),
      doubt: () => this.dispatchEvent(new Event('doubt')),
      relief: () => this.dispatchEvent(new Event('relief')),
      dead: () => this.close(CloseCode.lost, `the server did not answer ${MAX_MISSED} pings`),
    })
    const reading = this.#readRequests('control', this.#control)
    this.#acceptLanes()
    this.#readDatagrams()
    this.#carrier.closed.then(
      async (info) => {
        await Promise.race([reading, pause(LAST_BYTES_MS, this.#over.signal)])
        this.#end(info?.closeCode ?? 0, info?.reason ?? '')
      },
      async (e) => {
        await Promise.race([reading, pause(LAST_BYTES_MS, this.#over.signal)])
        this.#end(0, messageOf(e))
      },
    )
    this.#requestLanes.add('control')
    this.#requests.attach(this, this.welcome.limits?.max_message || MAX_MESSAGE)
    this.#requests.opened(this, 'control', this.#control)
    this.openRequests('health')
    this.#pulse.start()
  }

  /** Aborted when the session has ended. */
  get over() {
    return this.#over.signal
  }

  /** Whether nobody on the other side seems to be there. */
  get doubted() {
    return this.#pulse?.doubted ?? false
  }

  /**
   * Opens a lane of this session.
   * @param {Header} header
   * @param {...Message} messages
   */
  async openLane(header, ...messages) {
    const lane = this.#heed(await Lane.open(this.#carrier, header, ...messages))
    if (header.lane !== 'health') this.asked() // the server says something on each
    return lane
  }

  /** @param {Lane} lane whose bytes are signs of life */
  #heed(lane) {
    lane.onbytes = () => this.#pulse?.heard()
    return lane
  }

  /** Something was sent that the server answers. */
  asked() {
    this.#pulse?.asked()
  }

  /**
   * Opens a lane that carries requests, once a session.
   * @param {string} name
   */
  async openRequests(name) {
    if (this.#requestLanes.has(name)) return
    this.#requestLanes.add(name)
    try {
      const lane = await this.openLane({ lane: name })
      if (name === 'health') {
        this.#health = lane
        this.#pulse?.start() // the pings before were not sent
      } else {
        this.#requests.opened(this, name, lane)
      }
      await this.#readRequests(name, lane)
    } catch (e) {
      this.#broken(name, e)
    }
  }

  /**
   * Sends a request as datagrams beside its lane, for a datagram waits for no lost packet before it. On a WebSocket it would.
   * @param {Uint8Array} line
   * @param {() => boolean} waits whether it has no answer yet
   */
  async race(line, waits) {
    if (this.transport !== 'webtransport') return
    const datagram = messageDatagram(DATAGRAM_REQUEST, line)
    if (!datagram) return
    try {
      this.#datagrams ??= this.#carrier.datagrams.writable?.getWriter()
      for (const ms of RACE_PAUSES_MS) {
        if (ms > 0) await pause(ms, this.#over.signal)
        if (!waits() || this.#over.signal.aborted) return
        this.#datagrams?.write(datagram).catch(() => {})
      }
    } catch {
      // the lane has it
    }
  }

  /** Asks whether the session still lives: the network, or the page, may not be what it was. */
  probe() {
    this.#pulse?.probe()
  }

  #ping() {
    if (!this.#health) return
    const id = this.#requests.nextId()
    this.#pings.set(id, performance.now())
    try {
      this.#health.write({ jsonrpc: '2.0', id, method: 'ping', params: { time: performance.now() } })
    } catch (e) {
      this.#broken('health', e)
    }
  }

  /**
   * Ends the session. Code 3006 stays on this side: the peer is told a normal close.
   * @param {number} code
   * @param {string} reason
   */
  close(code, reason) {
    this.#finish({ code, reason, reconnectAfterMs: 0 }, code === CloseCode.lost ? CloseCode.normal : code)
  }

  /**
   * The session ended without our doing.
   * @param {number} code what the carrier says; 0: nothing
   * @param {string} reason
   */
  #end(code, reason) {
    const bye = this.#goodbye
    // A carrier that just ends says 0 as well: without a goodbye nobody meant it.
    const meant = code || (bye ? bye.code : CloseCode.lost)
    this.#finish({ code: meant, reason: bye?.reason || reason, reconnectAfterMs: bye?.reconnect_after_ms ?? 0 }, CloseCode.normal)
  }

  /**
   * @param {SessionEnd} end
   * @param {number} tell the close code for the peer
   */
  #finish(end, tell) {
    if (this.#over.signal.aborted) return
    this.#over.abort()
    this.#pulse?.stop()
    this.#requests.detach(this)
    closeCarrier(this.#carrier, tell, end.reason)
    this.#settle(end)
  }

  /**
   * A lane that the session can't do without broke.
   * @param {string} lane
   * @param {unknown} e
   */
  async #broken(lane, e) {
    const reason = `${lane} lane: ${messageOf(e)}`
    if (e instanceof SkeinError && e.kind !== 'bad_stream' && e.kind !== 'connection_lost') {
      this.#finish({ code: CloseCode.lost, reason, reconnectAfterMs: 0 }, CloseCode.protocol)
      return
    }
    // As a rule the carrier ended, and says so with a code in a moment.
    await pause(EXPLAIN_MS, this.#over.signal)
    this.#end(0, reason)
  }

  /**
   * Reads the answers that come on a lane. The session can't go on without it, for what waits for an answer there would
   * wait for ever.
   * @param {string} name
   * @param {Lane} lane
   */
  async #readRequests(name, lane) {
    try {
      for (let m = await lane.read(); m; m = await lane.read()) this.#receive(m)
      this.#broken(name, new SkeinError('bad_stream', 'it ended'))
    } catch (e) {
      if (e instanceof LineTooLong) this.#requests.unreadable(name, e)
      if (name !== 'control' && name !== 'health' && e instanceof SkeinError && e.code === StreamCode.bad_lane) {
        this.#requests.refused(this, name, new SkeinError('bad_stream', `the server has no ${name} lane`, { code: e.code, cause: e }))
      } else {
        this.#broken(name, e)
      }
    }
  }

  /** @param {Message} m */
  #receive(m) {
    if (m.id !== undefined && !m.method) {
      const sent = this.#pings.get(m.id)
      if (sent === undefined) {
        this.#requests.settle(m)
        return
      }
      this.#pings.clear() // an answer vouches for the pings before it too
      const ms = performance.now() - sent
      this.#pulse?.answered(ms)
      this.#handlers?.onrtt(ms)
    } else if (m.method === 'goodbye') {
      this.#goodbye = m.params
      pause(GOODBYE_GRACE_MS, this.#over.signal).then(() => this.#end(0, ''))
    }
  }

  async #acceptLanes() {
    try {
      const reader = this.#carrier.incomingBidirectionalStreams.getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        this.#readLane(this.#heed(new Lane(value)))
      }
    } catch {
      // the session's end is told by its carrier
    }
  }

  /** @param {Lane} lane */
  async #readLane(lane) {
    try {
      const header = await lane.header()
      if (header?.lane !== 'status') return await lane.cancel() // of a later version
      this.#handlers?.onstatuslane(lane)
      for (let m = await lane.read(); m; m = await lane.read()) this.#handlers?.onstatus(m)
    } catch (e) {
      // Another session would bring the same: that is for good.
      if (e instanceof LineTooLong) return this.close(CloseCode.too_much, `status lane: ${e.message}`)
      this.#broken('status', e)
    }
  }

  async #readDatagrams() {
    try {
      const reader = this.#carrier.datagrams.readable.getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        this.#pulse?.heard()
        const answer = parseMessageDatagram(DATAGRAM_RESPONSE, value)
        if (answer) this.#receive(answer)
        else this.#handlers?.ondatagram(value)
      }
    } catch {
      // likewise
    }
  }
}

/**
 * @param {Lane} control
 * @param {number} id
 * @returns {Promise<Welcome>}
 */
async function readWelcome(control, id) {
  for (let m = await control.read(); m; m = await control.read()) {
    if (m.method === 'goodbye') throw new CloseError(m.params.code, m.params.reason, m.params.reconnect_after_ms)
    if (m.error && (m.id === id || m.id === undefined)) throw new RpcError(m.error)
    if (m.id !== id || m.method) continue
    if (m.result?.version !== VERSION) {
      throw new SkeinError('unsupported_version', `the server speaks ${m.result?.version}, this client ${VERSION}`, { final: true })
    }
    return m.result
  }
  throw new SkeinError('connection_lost', 'the server ended the control lane without an answer')
}

/**
 * @param {Carrier} carrier
 * @param {number} closeCode
 * @param {string} reason
 */
function closeCarrier(carrier, closeCode, reason) {
  try {
    carrier.close({ closeCode, reason: reason.slice(0, 256) })
  } catch {
    // it is closed, or never was open
  }
}
