// A server in memory that speaks skein.v1, as the peer of the tests. Its WebTransport is a pair of carriers with the W3C's
// API; its WebSocket is a pair of message sockets with @moq/qmux at both ends.
import Session, { StreamError } from '@moq/qmux'
import '../client/carrier.js' // Promise.withResolvers
import { LineReader } from '../client/lines.js'
import { epochHash, formatStatus } from '../client/status.js'

/** @import { Agent, Message } from '../client/types.js' */
/** @import { StatusRecord } from '../client/status.js' */

/** @typedef {{readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>}} Bidi */

const encoder = new TextEncoder()

/** A byte stream in one direction. */
function pipe() {
  /** @type {ReadableStreamDefaultController<Uint8Array>} */
  let out
  /** @type {WritableStreamDefaultController} */
  let into
  let open = true
  const readable = new ReadableStream({
    start: (c) => void (out = c),
    cancel: (reason) => fail(coded(reason) ?? new Error('the peer reads no more')),
  })
  const writable = new WritableStream({
    start: (c) => void (into = c),
    write: (chunk) => out.enqueue(chunk.slice()),
    close: () => ((open = false), out.close()),
    abort: (reason) => fail(coded(reason) ?? new Error('the peer gave up its stream')),
  })
  /** @param {unknown} e */
  const fail = (e) => {
    if (!open) return
    open = false
    try {
      out.error(e)
    } catch {
      // it was already read to its end
    }
    into.error(e)
  }
  return { readable, writable, fail }
}

/**
 * The reason of a reset, if it has a stream code.
 * @param {any} reason
 */
function coded(reason) {
  return reason?.streamErrorCode === undefined ? undefined : reason
}

/** One end of a WebTransport session. */
class MemoryCarrier {
  /** @type {MemoryCarrier | undefined} */
  peer
  /** @type {PromiseWithResolvers<void>} */
  #ready = Promise.withResolvers()
  /** @type {PromiseWithResolvers<{closeCode: number, reason: string}>} */
  #closed = Promise.withResolvers()
  /** @type {((e: unknown) => void)[]} */
  #pipes = []
  /** @type {ReadableStreamDefaultController<Bidi>} */
  #incoming = /** @type {any} */ (undefined)
  #packets = pipe()
  over = false

  ready = this.#ready.promise
  closed = this.#closed.promise
  incomingBidirectionalStreams = new ReadableStream({ start: (c) => void (this.#incoming = c) })
  datagrams = { readable: this.#packets.readable, writable: this.#packets.writable }

  constructor() {
    this.ready.catch(() => {})
    this.closed.catch(() => {})
  }

  open() {
    this.#ready.resolve()
  }

  /** @type {number[]} the send order of each stream that was opened */
  orders = []

  /** @param {{sendOrder?: number}} [options] */
  async createBidirectionalStream({ sendOrder = 0 } = {}) {
    await this.ready
    if (this.over || !this.peer) throw new Error('the session is over')
    this.orders.push(sendOrder)
    const there = pipe()
    const back = pipe()
    this.#pipes.push(there.fail, back.fail)
    this.peer.#incoming.enqueue({ readable: there.readable, writable: back.writable })
    return { readable: back.readable, writable: there.writable }
  }

  /** @param {{closeCode?: number, reason?: string}} [info] */
  close({ closeCode = 0, reason = '' } = {}) {
    for (const end of [this, this.peer]) if (end) end.#end(() => end.#closed.resolve({ closeCode, reason }))
  }

  /** Breaks the network: neither side gets a reason. */
  drop() {
    const e = new Error('Connection lost.')
    for (const end of [this, this.peer]) if (end) end.#end(() => end.#closed.reject(e))
  }

  /** @param {() => void} settle */
  #end(settle) {
    if (this.over) return
    this.over = true
    const e = new Error('Connection lost.')
    this.#ready.reject(e)
    this.#pipes.forEach((fail) => fail(e))
    this.#packets.fail(e)
    this.#incoming.error(e)
    settle()
  }
}

/** One end of a WebSocket. */
class MemorySocket {
  binaryType = 'arraybuffer'
  extensions = ''
  bufferedAmount = 0
  readyState = 0
  /** @type {((ev: any) => void) | null} */
  onopen = null
  /** @type {((ev: any) => void) | null} */
  onmessage = null
  /** @type {((ev: any) => void) | null} */
  onerror = null
  /** @type {((ev: any) => void) | null} */
  onclose = null
  /** @type {MemorySocket | undefined} */
  peer

  /**
   * @param {string} url
   * @param {string} protocol
   */
  constructor(url, protocol) {
    this.url = url
    this.protocol = protocol
  }

  open() {
    this.readyState = 1
    this.onopen?.({})
  }

  /** @param {any} data */
  send(data) {
    const copy = new Uint8Array(data).buffer
    const to = this.peer
    setImmediate(() => to?.readyState === 1 && to.onmessage?.({ data: copy }))
  }

  close(code = 1005, reason = '') {
    for (const end of [this, this.peer]) {
      if (!end || end.readyState === 3) continue
      end.readyState = 3
      setImmediate(() => end.onclose?.({ code, reason }))
    }
  }
}

/** PeerLane is a stream that the client opened, after its header. */
export class PeerLane {
  #stream
  #writer
  /** @type {PromiseWithResolvers<void>} fulfils when the client has ended or reset its side */
  over = Promise.withResolvers()

  /**
   * @param {Bidi} stream
   * @param {LineReader} lines
   * @param {any} header
   */
  constructor(stream, lines, header) {
    this.#stream = stream
    this.#writer = stream.writable.getWriter()
    this.lines = lines
    this.header = header
    this.gone = this.#writer.closed.then(
      () => {},
      () => {},
    )
  }

  /** @param {object | string} line */
  send(line) {
    return this.bytes(encoder.encode(typeof line === 'string' ? line : JSON.stringify(line) + '\n'))
  }

  /** @param {Uint8Array} bytes */
  async bytes(bytes) {
    await this.#writer.write(bytes).catch(() => {})
  }

  /**
   * @param {string} method
   * @param {object} params
   */
  note(method, params) {
    return this.send({ jsonrpc: '2.0', method, params })
  }

  /**
   * @param {Message} m
   * @param {any} result
   */
  answer(m, result) {
    return this.send({ jsonrpc: '2.0', id: m.id, result })
  }

  /**
   * @param {Message} m
   * @param {number} code
   * @param {string} message
   * @param {object} [data]
   */
  refuse(m, code, message, data) {
    return this.send({ jsonrpc: '2.0', id: m.id ?? null, error: { code, message, data } })
  }

  async end() {
    await this.#writer.close().catch(() => {})
  }

  /**
   * Resets both directions of the stream.
   * @param {number} code
   */
  async reset(code) {
    const reason = new StreamError(code)
    this.lines.release()
    await Promise.allSettled([this.#writer.abort(reason), this.#stream.readable.cancel(reason)])
  }
}

/** PeerSession is the server's side of one session. */
export class PeerSession {
  #peer
  #carrier
  /** @type {PeerLane | undefined} */
  #control
  /** @type {WeakMap<Message, PeerLane>} where each request came */
  #from = new WeakMap()
  /** @type {WritableStreamDefaultWriter<Uint8Array> | undefined} */
  #status
  /** @type {WritableStreamDefaultWriter<Uint8Array> | undefined} */
  #packets
  /** @type {any} */
  hello
  /** @type {Message[]} what came on the status lane */
  asked = []
  datagramSeq = 0

  /**
   * @param {Peer} peer
   * @param {any} carrier
   * @param {string} transport
   */
  constructor(peer, carrier, transport) {
    this.#peer = peer
    this.#carrier = carrier
    this.transport = transport
    this.id = `s${peer.sessions.length + 1}`
    /** @type {Promise<any>} what the client closed with */
    this.closed = carrier.closed.catch((/** @type {Error} */ e) => ({ lost: e.message }))
    this.#accept()
  }

  async #accept() {
    try {
      const reader = this.#carrier.incomingBidirectionalStreams.getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        this.#serve(value).catch(() => {})
      }
    } catch {
      // the session is over
    }
  }

  /** @param {Bidi} stream */
  async #serve(stream) {
    const lines = new LineReader(stream.readable, 1 << 24)
    const header = JSON.parse((await lines.read()) ?? '{}')
    const lane = new PeerLane(stream, lines, header)
    if (header.lane === 'agent') return this.#serveAgent(lane)
    this.#peer.lanes.push({ session: this.id, header })
    if (this.#peer.onlane(lane, this)) return
    if (header.lane === 'control') this.#control = lane
    try {
      for (let line = await lines.read(); line !== undefined; line = await lines.read()) await this.#take(JSON.parse(line), lane)
    } finally {
      lane.over.resolve()
    }
  }

  /**
   * @param {Message} m
   * @param {PeerLane} lane
   */
  async #take(m, lane) {
    this.#from.set(m, lane)
    this.#peer.routes.push(`${lane.header.lane} ${m.method}`)
    if (this.#peer.mute.has(this)) return
    if (m.method === 'hello') await this.#greet(m)
    else if (m.method === 'ping') this.#peer.answersPings && this.answer(m, m.params)
    else this.#peer.request(this, m, lane)
  }

  /** @param {Message} m */
  async #greet(m) {
    this.hello = m.params
    const verdict = this.#peer.onhello(this, m.params)
    if (verdict === 'silence') return
    if (verdict) {
      this.#control?.send({ jsonrpc: '2.0', id: m.id, error: verdict.error })
      await new Promise((resolve) => setImmediate(resolve))
      this.close(verdict.close ?? 3500, verdict.error.message)
      return
    }
    const { epoch } = this.#peer
    this.answer(m, {
      version: 'skein.v1',
      session: this.id,
      epoch,
      recovered: m.params.resume?.epoch === epoch,
      node: 'node-1',
      server: 'test',
      limits: { max_message: 1 << 20, max_streams: 1000, max_batch: 1000, max_input: 256 << 10, max_datagram: 1100 },
    })
    const stream = await this.#carrier.createBidirectionalStream()
    this.#status = stream.writable.getWriter()
    this.#status?.closed.catch(() => {})
    this.#send(this.#status, { lane: 'status' })
    this.snapshot()
    this.#serveStatus(new LineReader(stream.readable, 1 << 20)).catch(() => {})
  }

  /** @param {LineReader} lines */
  async #serveStatus(lines) {
    for (let line = await lines.read(); line !== undefined; line = await lines.read()) {
      this.asked.push(JSON.parse(line))
      this.snapshot()
    }
  }

  snapshot() {
    const agents = [...this.#peer.agents.values()].map((a) => a.agent)
    this.note('status.snapshot', { seq: this.datagramSeq, part: 0, parts: 1, agents, epoch: this.#peer.epoch, admission: this.#peer.admission })
  }

  /**
   * On the status lane.
   * @param {string} method
   * @param {object} params
   */
  note(method, params) {
    this.#send(this.#status, { jsonrpc: '2.0', method, params })
  }

  /** @param {StatusRecord[]} records */
  datagram(records) {
    const bytes = formatStatus({ epoch: epochHash(this.#peer.epoch), seq: ++this.datagramSeq, records })
    if (this.transport === 'webtransport') this.#packets ??= this.#carrier.peer.datagrams.writable.getWriter()
    else this.#packets ??= this.#carrier.datagrams.writable.getWriter()
    this.#packets?.write(bytes).catch(() => {})
  }

  /** @param {PeerLane} lane */
  async #serveAgent(lane) {
    const { header } = lane
    const { epoch } = this.#peer
    const log = this.#peer.agents.get(header.agent)
    this.#peer.attaches.push(header)
    if (!log) {
      lane.refuse({ jsonrpc: '2.0' }, -32002, `there is no agent ${header.agent}`, { kind: 'not_found' })
      return lane.end()
    }
    let gone = false
    lane.lines.read().catch(() => (gone = true))
    lane.gone.then(() => (gone = true))
    const recovered = !(header.epoch && header.epoch !== epoch)
    let cursor = recovered ? (header.after ?? 0) : 0
    if (cursor === 0 && header.tail) cursor = log.events.at(-header.tail - 1)?.seq ?? 0
    const last = log.events.at(-1)?.seq ?? 0
    lane.note('attached', { agent: log.agent, epoch, first: log.events[0]?.seq ?? 0, last, recovered })
    while (!gone) {
      const news = log.news.promise
      const events = log.events.filter((e) => e.seq > cursor).slice(0, 5)
      if (events.length > 0) {
        cursor = events[events.length - 1].seq
        lane.note('events', { events, cursor })
        await new Promise((resolve) => setImmediate(resolve))
      } else if (log.ended || !header.follow) {
        lane.note('end', { agent: log.agent, cursor })
        return lane.end()
      } else {
        await Promise.race([news, lane.gone])
      }
    }
  }

  /**
   * @param {Message} m
   * @param {any} result
   */
  answer(m, result) {
    const lane = this.#from.get(m) ?? this.#control
    lane?.answer(m, result)
  }

  /**
   * @param {Message} m
   * @param {number} code
   * @param {string} message
   * @param {object} [data]
   */
  refuse(m, code, message, data) {
    const lane = this.#from.get(m) ?? this.#control
    lane?.refuse(m, code, message, data)
  }

  /**
   * @param {number} code
   * @param {string} reason
   * @param {number} [reconnect_after_ms]
   */
  async goodbye(code, reason, reconnect_after_ms = 0) {
    this.#control?.note('goodbye', { code, reason, reconnect_after_ms })
    await new Promise((resolve) => setTimeout(resolve, 5))
    this.close(code, reason)
  }

  /** @param {string} line raw, on the control lane */
  raw(line) {
    this.#control?.send(line)
  }

  /**
   * @param {number} closeCode
   * @param {string} reason
   */
  close(closeCode, reason) {
    this.#carrier.close({ closeCode, reason })
  }

  /** Breaks the network. */
  drop() {
    if (this.transport === 'webtransport') this.#carrier.drop()
    else this.#carrier.socket.close(1006)
  }

  /**
   * @param {WritableStreamDefaultWriter<Uint8Array> | undefined} writer
   * @param {object} message
   */
  #send(writer, message) {
    writer?.write(encoder.encode(JSON.stringify(message) + '\n')).catch(() => {})
  }
}

/**
 * @typedef {object} Log
 * @property {Agent} agent
 * @property {{seq: number, type: string, subject: string, time: string, data: {text?: string}}[]} events
 * @property {PromiseWithResolvers<void>} news
 * @property {boolean} ended
 */

/** The server. Its fields may be changed while it runs. */
export class Peer {
  epoch = 'e5xk3'
  /** @type {Map<string, Log>} */
  agents = new Map()
  /** @type {PeerSession[]} */
  sessions = []
  /** @type {any[]} headers of agent lanes */
  attaches = []
  /** @type {Message[]} every request as it came, repeated ones too */
  requests = []
  /** @type {string[]} lane and method of each message, hellos and pings included */
  routes = []
  /** @type {{session: string, header: any}[]} the lanes that clients opened, except agent lanes */
  lanes = []
  /** @type {Map<string, any>} answers by client and request id */
  record = new Map()
  answersPings = true
  /** @type {Set<PeerSession>} the sessions whose requests, pings included, are lost on their way */
  mute = new Set()
  /** @type {import('../client/types.js').Admission} */
  admission = { closed: false }
  connects = 0
  /** @type {any} how the document was fetched last */
  lastConnect
  /** @type {any} how WebTransport was dialled last */
  lastDial
  /** The URL of the last WebSocket. */
  lastSocket = ''
  seq = 0
  /** How the endpoints behave: open, never answer, or fail. @type {Record<string, 'open' | 'hang' | 'fail'>} */
  door = { webtransport: 'open', websocket: 'open' }
  /** @type {Record<string, string>[]} */
  doors = [
    { transport: 'webtransport', url: 'https://127.0.0.1:4433/wt' },
    { transport: 'websocket', url: 'ws://127.0.0.1:4480/ws' },
  ]
  /** @type {Record<string, number>} what /connect says; for race_delay_ms see fetch */
  policy = { backoff_min_ms: 1, backoff_max_ms: 10, healthy_ms: 1000, ping_ms: 1000 }
  /** @type {(session: PeerSession, hello: any) => undefined | 'silence' | {error: any, close?: number}} */
  onhello = () => undefined
  /** @type {(session: PeerSession, m: Message, lane: PeerLane) => boolean} returns true if it has handled the request */
  onrequest = () => false
  /** @type {(lane: PeerLane, session: PeerSession) => boolean} returns true if it handles the lane */
  onlane = () => false
  /** @type {() => Response | undefined} */
  onconnect = () => undefined

  /** The latest session. */
  get session() {
    return this.sessions[this.sessions.length - 1]
  }

  /** @type {any} */
  fetch = async (/** @type {string} */ url, /** @type {any} */ init) => {
    this.connects++
    this.lastConnect = { url, ...init }
    const other = this.onconnect()
    if (other) return other
    const doors = this.doors.map((d, i) => ({ ticket: `t${this.connects}-${i}`, ticket_expires_ms: 30_000, ...d }))
    // On a busy machine a short delay brings sessions over both transports, and the test does not know which one lasts.
    const policy = { race_delay_ms: this.door.webtransport === 'hang' ? 30 : 60_000, ...this.policy }
    return Response.json({ version: 'skein.v1', node: 'node-1', doors, policy })
  }

  /** @type {any} */
  WebTransport = (() => {
    const peer = this
    return class {
      /** @param {string} url @param {any} options */
      constructor(url, options) {
        const ours = new MemoryCarrier()
        const theirs = new MemoryCarrier()
        ours.peer = theirs
        theirs.peer = ours
        peer.lastDial = { url, options }
        setImmediate(() => {
          if (peer.door.webtransport === 'hang') return
          if (peer.door.webtransport === 'fail') return theirs.drop()
          if (ours.over) return
          ours.open()
          theirs.open()
          peer.sessions.push(new PeerSession(peer, theirs, 'webtransport'))
        })
        return ours
      }
    }
  })()

  /** @type {any} */
  WebSocket = (() => {
    const peer = this
    return class {
      /** @param {string} url @param {string[]} protocols */
      constructor(url, protocols) {
        peer.lastSocket = url
        const ours = new MemorySocket(url, protocols[0])
        const theirs = new MemorySocket(url, protocols[0])
        ours.peer = theirs
        theirs.peer = ours
        setImmediate(() => {
          if (peer.door.websocket === 'hang') return
          if (peer.door.websocket === 'fail') {
            ours.onerror?.({})
            return ours.close(1006)
          }
          if (ours.readyState !== 0) return
          const carrier = Session.accept(theirs)
          Object.assign(carrier, { socket: theirs })
          theirs.open()
          ours.open()
          peer.sessions.push(new PeerSession(peer, carrier, 'websocket'))
        })
        return ours
      }
    }
  })()

  /**
   * @param {PeerSession} session
   * @param {Message} m
   * @param {PeerLane} lane
   */
  request(session, m, lane) {
    this.requests.push(m)
    if (this.onrequest(session, m, lane)) return
    const key = `${session.hello.client.id} ${JSON.stringify(m.id)}`
    if (!this.record.has(key)) this.record.set(key, this.#work(m))
    session.answer(m, this.record.get(key))
  }

  /** @param {Message} m */
  #work(m) {
    switch (m.method) {
      case 'agent.spawn':
        return { agents: Array.from({ length: m.params.count || 1 }, () => this.spawn(m.params.type)) }
      case 'agent.list':
        return { agents: [...this.agents.values()].map((a) => a.agent), total: this.agents.size }
      case 'agent.get':
        return this.agents.get(m.params.id)?.agent
      case 'agent.stop':
        return { reports: m.params.ids.map((/** @type {string} */ id) => ({ id, status: 'exited', reason: 'stopped', took_ms: 1 })) }
      case 'types.list':
        return { types: [{ name: 'shell', kind: 'exec', stop_grace_ms: 5000, running: 0 }] }
    }
    return {}
  }

  /** @param {string} type */
  spawn(type) {
    const num = this.agents.size + 1
    /** @type {Agent} */
    const agent = {
      id: `a${num}`,
      num,
      name: `${type}-${num}`,
      type,
      kind: 'exec',
      node: 'node-1',
      generation: 1,
      desired: 'run',
      status: 'running',
      created_at: '2026-01-01T00:00:00Z',
      usage: { cpu: 0, rss: 0, processes: 1, cpu_time: 0 },
      last_seq: 0,
      rev: 1,
    }
    this.agents.set(agent.id, { agent, events: [], news: Promise.withResolvers(), ended: false })
    return agent
  }

  /**
   * Makes the agent print a text.
   * @param {string} id
   * @param {...string} texts
   */
  print(id, ...texts) {
    const log = this.agents.get(id)
    if (!log) throw new Error(`no agent ${id}`)
    for (const text of texts) {
      this.seq += 3 // the log has gaps
      log.events.push({ seq: this.seq, type: 'output.stdout', subject: id, time: '2026-01-01T00:00:00Z', data: { text } })
    }
    this.#tell(log)
  }

  /** @param {string} id */
  exit(id) {
    const log = this.agents.get(id)
    if (!log) throw new Error(`no agent ${id}`)
    log.ended = true
    log.agent = { ...log.agent, status: 'exited', reason: 'completed', exit: { code: 0 } }
    this.#tell(log)
  }

  /** @param {Log} log */
  #tell(log) {
    const { news } = log
    log.news = Promise.withResolvers()
    news.resolve()
  }

  /** The options for a client of this server. */
  get options() {
    const { fetch, WebTransport, WebSocket } = this
    return { url: 'http://localhost:4480', fetch, WebTransport, WebSocket }
  }
}
