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
 * @property {number} reconnectAfterMs -1: do not connect again
 */

/**
 * @typedef {object} SessionHandlers
 * @property {(message: Message) => void} onstatus called with each message of the status lane
 * @property {(lane: Lane) => void} onstatuslane
 * @property {(bytes: Uint8Array) => void} ondatagram
 * @property {(ms: number) => void} onrtt
 */

/** How long after a goodbye the close may come, in milliseconds: a server that stops ends its agents in between. */
const GOODBYE_GRACE_MS = 40_000

/**
 * How long to wait for the last bytes of a session to be read, and for a carrier's close to explain why a lane broke, in
 * milliseconds.
 */
const LAST_BYTES_MS = 50
const EXPLAIN_MS = 200

/** The pauses before the copies of a critical request, in milliseconds. A burst of loss is rarely longer than all of them. */
const RACE_PAUSES_MS = [0, 8, 17]

/**
 * A Session is a carrier whose hello was answered. It ends once, for whatever reason, and is never used again. What
 * outlives it (requests, cursors, the fleet) is kept elsewhere.
 *
 * It dispatches `doubt` when the other side has fallen silent (pulse.js), and `relief` when that side answers again.
 */
export class Session extends EventTarget {
  #carrier
  #control
  #requests
  /** @type {Set<string>} names of the request lanes that are open or being opened */
  #requestLanes = new Set()
  /** @type {Lane | undefined} */
  #health
  /** @type {WritableStreamDefaultWriter<Uint8Array> | undefined} */
  #datagrams
  /** @type {Map<string | number, number>} when each unanswered ping was sent, by id */
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
    /** @type {Promise<SessionEnd>} fulfils when the session ends, for any reason */
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
      // Prefer the server's answer to the error of the stream, and the server's last message to the error of the carrier.
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
   * Starts to read. Until then the session reads only the answer to its hello, so that a session that loses the race costs
   * little.
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

  /** Whether the other side has fallen silent. */
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
    if (header.lane !== 'health') this.asked() // the server sends something on every other lane
    return lane
  }

  /** @param {Lane} lane a lane whose bytes count as signs of life */
  #heed(lane) {
    lane.onbytes = () => this.#pulse?.heard()
    return lane
  }

  /** Records that something was sent that the server answers. */
  asked() {
    this.#pulse?.asked()
  }

  /**
   * Opens a lane that carries requests, unless the session has it already.
   * @param {string} name
   */
  async openRequests(name) {
    if (this.#requestLanes.has(name)) return
    this.#requestLanes.add(name)
    try {
      const lane = await this.openLane({ lane: name })
      if (name === 'health') {
        this.#health = lane
        this.#pulse?.start() // earlier pings could not be sent
      } else {
        this.#requests.opened(this, name, lane)
      }
      await this.#readRequests(name, lane)
    } catch (e) {
      this.#broken(name, e)
    }
  }

  /**
   * Sends a request as datagrams too, beside its lane, because a datagram does not wait for packets that were lost before
   * it.
   * @param {Uint8Array} line
   * @param {() => boolean} waits whether the request still waits for its answer
   */
  async race(line, waits) {
    const datagram = messageDatagram(DATAGRAM_REQUEST, line)
    if (datagram) await this.repeat(() => (waits() ? datagram : undefined))
  }

  /**
   * Sends a datagram several times. Over a WebSocket, where it would wait for packets that were lost, it sends nothing.
   * @param {() => Uint8Array | undefined} next what to send now; undefined: no more is needed
   */
  async repeat(next) {
    if (this.transport !== 'webtransport') return
    try {
      this.#datagrams ??= this.#carrier.datagrams.writable?.getWriter()
      for (const ms of RACE_PAUSES_MS) {
        if (ms > 0) await pause(ms, this.#over.signal)
        const datagram = next()
        if (!datagram || this.#over.signal.aborted) return
        this.#datagrams?.write(datagram).catch(() => {})
      }
    } catch {
      // it is on its lane all the same
    }
  }

  /** Checks at once whether the session is still alive, for example after the network or the page changed. */
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
   * Ends the session. Code 3006 is never sent: the peer gets a normal close instead.
   * @param {number} code
   * @param {string} reason
   */
  close(code, reason) {
    this.#finish({ code, reason, reconnectAfterMs: 0 }, code === CloseCode.lost ? CloseCode.normal : code)
  }

  /**
   * Ends the session after the peer or the network ended it.
   * @param {number} code the carrier's close code; 0 if it has none
   * @param {string} reason
   */
  #end(code, reason) {
    const bye = this.#goodbye
    // A carrier that breaks reports 0 as well. Without a goodbye this is a lost connection.
    const meant = code || (bye ? bye.code : CloseCode.lost)
    this.#finish({ code: meant, reason: bye?.reason || reason, reconnectAfterMs: bye?.reconnect_after_ms ?? 0 }, CloseCode.normal)
  }

  /**
   * @param {SessionEnd} end
   * @param {number} tell the close code that the peer gets
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
   * Ends the session because a lane broke that it can't do without.
   * @param {string} lane
   * @param {unknown} e
   */
  async #broken(lane, e) {
    const reason = `${lane} lane: ${messageOf(e)}`
    if (e instanceof SkeinError && e.kind !== 'bad_stream' && e.kind !== 'connection_lost') {
      this.#finish({ code: CloseCode.lost, reason, reconnectAfterMs: 0 }, CloseCode.protocol)
      return
    }
    // Usually the carrier has ended too, and reports a close code in a moment.
    await pause(EXPLAIN_MS, this.#over.signal)
    this.#end(0, reason)
  }

  /**
   * Reads the answers on a request lane. The session can't go on without the lane, since its requests would wait forever.
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
      this.#pings.clear() // the answer counts for all earlier pings too
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
      // carrier.closed reports the end of the session
    }
  }

  /** @param {Lane} lane */
  async #readLane(lane) {
    try {
      const header = await lane.header()
      if (header?.lane !== 'status') return await lane.cancel() // a lane of a later version of the protocol
      this.#handlers?.onstatuslane(lane)
      for (let m = await lane.read(); m; m = await lane.read()) this.#handlers?.onstatus(m)
    } catch (e) {
      // The same line would come in every other session, so the client does not connect again.
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
      // carrier.closed reports the end of the session
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
  throw new SkeinError('connection_lost', 'the lane ended without an answer')
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
    // it is closed already, or never opened
  }
}
