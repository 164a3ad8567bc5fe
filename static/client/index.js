/**
 * The JavaScript client of Skein. A Skein object is one client: it finds its way to the server (WebTransport, or
 * WebSocket where UDP is blocked), keeps a session open over changes of network and restarts of the server, and offers
 * the agents: spawn, list, get, input, stop, their events, and the fleet's live status.
 *
 *     const skein = new Skein({ url: location.origin })
 *     const { agents } = await skein.spawn({ type: 'shell', argv: ['date'] })
 *     for await (const event of skein.events(agents[0].id)) console.log(event.type, event.data.text)
 *
 * connect.js fetches the document and runs the race, carrier.js opens a door, session.js says hello and keeps the
 * session alive, rpc.js carries requests over reconnects, events.js follows an agent, fleet.js keeps the live map.
 * docs/protocol.md is the protocol.
 */
import { Backoff, pause } from './backoff.js'
import { openWebSocket, openWebTransport } from './carrier.js'
import { CloseCode } from './codes.js'
import { DEFAULT_POLICY, fetchConnect, race } from './connect.js'
import { CloseError, ConnectError, RpcError, SkeinError, asError, messageOf } from './errors.js'
import { readEvents } from './events.js'
import { Fleet, FleetChangeEvent } from './fleet.js'
import { Requests } from './rpc.js'
import { Session } from './session.js'

export { CloseError, ConnectError, Fleet, FleetChangeEvent, RpcError, SkeinError }
export { CloseCode, ErrorCode, StreamCode, VERSION, reconnects } from './codes.js'

/** @import * as wire from './types.js' */
/** @import { CallOptions } from './rpc.js' */
/** @import { EventsOptions } from './events.js' */

/** The version of this library, as the server logs it. */
export const CLIENT_VERSION = '0.1.0'

/**
 * @typedef {object} SkeinOptions
 * @property {string} [url] the server's origin; in a page its own unless said otherwise
 * @property {string} [token] a bearer token, where there is no login cookie
 * @property {'auto' | wire.Transport} [transport]
 * @property {AbortSignal} [signal] closes the client
 * @property {string} [clientName] what the server's log calls this client
 * @property {typeof globalThis.fetch} [fetch]
 * @property {import('./carrier.js').WebSocketConstructor} [WebSocket] in Node 20: that of the package ws
 * @property {import('./carrier.js').WebTransportConstructor | null} [WebTransport] null: none
 * @property {(what: string, detail: object) => void} [log] told of every attempt, door, lane and close
 */

/** @typedef {'connecting' | 'open' | 'reconnecting' | 'closed'} State */

/**
 * The open session, as a person may want to know it; without one only `reason` is there, and is empty.
 *
 * @typedef {object} Connection
 * @property {wire.Transport} [transport]
 * @property {string} reason why it is not WebTransport, in words for a person; empty when it is
 * @property {number} [rtt] milliseconds, smoothed; undefined: not measured yet
 * @property {string} [session]
 * @property {string} [epoch]
 * @property {string} [node]
 * @property {string} [server] its version
 * @property {boolean} [recovered] the log is the one that the session before knew
 * @property {Date} [since]
 */

/** @typedef {{time: Date, what: string, detail: object}} TraceEntry */

/** Entries of `trace`. */
const MAX_TRACE = 100

/**
 * Events: `statechange`, when state, lastError or retryAt changed; `connectionchange`, when a session opened or ended; `rtt`, on every measurement.
 */
export class Skein extends EventTarget {
  #options
  #requests = new Requests()
  /** @type {State} */
  #state = 'connecting'
  /** @type {Session | undefined} */
  #session
  /** @type {Connection} */
  #connection = { reason: '' }
  #resume = /** @type {{session: string, epoch: string} | undefined} */ (undefined)
  #policy = DEFAULT_POLICY
  #client
  #over = new AbortController() // aborted when the client is closed for good
  #dialing = new AbortController() // aborted to give up a running attempt
  #wake = new AbortController() // aborted to end a pause between attempts
  #suspended = false
  /** @type {PromiseWithResolvers<Session>} the open session, or the next one */
  #next = resolvers()
  /** @type {PromiseWithResolvers<void>} */
  #ready = resolvers()
  /** @type {PromiseWithResolvers<{code: number, reason: string}>} */
  #closed = resolvers()
  /** @type {Error | undefined} */
  #lastError
  /** @type {Date | undefined} */
  #retryAt
  /** @type {TraceEntry[]} */
  #trace = []

  /** @param {SkeinOptions} [options] */
  constructor(options = {}) {
    super()
    const url = options.url ?? globalThis.location?.origin
    if (!url) throw new SkeinError('connect_failed', 'url is missing: where is the server?', { final: true })
    this.#options = { ...options, url, transport: options.transport ?? 'auto' }
    this.#client = { id: randomId(), name: options.clientName ?? 'skein-js', version: CLIENT_VERSION }
    /** The live map of agents. */
    this.fleet = new Fleet()
    /** Fulfils with the first welcome; rejects when there will be none. */
    this.ready = this.#ready.promise
    /** Fulfils with `{code, reason}` after close(); rejects with a SkeinError when the server refuses this client for good. */
    this.closed = this.#closed.promise
    for (const p of [this.ready, this.closed, this.#next.promise]) p.catch(() => {})

    options.signal?.addEventListener('abort', () => this.close(), { signal: this.#over.signal })
    this.#listen()
    if (options.signal?.aborted) this.close()
    else this.#run()
  }

  /** @returns {State} */
  get state() {
    return this.#state
  }

  get connection() {
    return this.#connection
  }

  /** Why there is no session now; undefined while there is one. */
  get lastError() {
    return this.#lastError
  }

  /** When the next attempt begins; undefined: now, or never. */
  get retryAt() {
    return this.#retryAt
  }

  /** The last things that happened to the connection, for a person who debugs. */
  get trace() {
    return [...this.#trace]
  }

  /**
   * Starts agents. A batch that can't be admitted whole is refused whole; those that then could not be started stand
   * in `failed`.
   * @param {wire.SpawnParams} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.SpawnResult>}
   */
  spawn(params, options) {
    return this.#call('agent.spawn', params, options)
  }

  /**
   * @param {wire.Filter} [filter]
   * @param {CallOptions} [options]
   * @returns {Promise<wire.ListResult>}
   */
  list(filter = {}, options) {
    return this.#call('agent.list', filter, options)
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Agent>}
   */
  get(id, options) {
    return this.#call('agent.get', { id }, options)
  }

  /**
   * Writes to an agent's standard input.
   * @param {string} id
   * @param {string | Uint8Array} data
   * @param {CallOptions & {eof?: boolean}} [options] eof: close its standard input afterwards
   * @returns {Promise<void>}
   */
  async input(id, data, { eof = false, ...options } = {}) {
    const end = eof ? { eof } : {}
    if (typeof data === 'string' && JSON.stringify(data).length < data.length * 1.5 + 64) {
      await this.#call('agent.input', { id, text: data, ...end }, options)
      return
    }
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
    await this.#call('agent.input', { id, base64: toBase64(bytes), ...end }, options)
  }

  /**
   * Stops agents: `{ids}`, `{scope: 'type', type}` or `{scope: 'all'}`. The answer comes after the fact, a report on each.
   * @param {wire.StopParams} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.StopReport[]>}
   */
  async stop(params, options) {
    return (await this.#call('agent.stop', params, options)).reports ?? []
  }

  /**
   * @param {CallOptions} [options]
   * @returns {Promise<wire.AgentType[]>}
   */
  async types(options) {
    return (await this.#call('types.list', {}, options)).types ?? []
  }

  /**
   * An agent's events in order, each once, over reconnects. Where that is impossible because the log is another one, an
   * event of type `gap` says so.
   * @param {string} id
   * @param {EventsOptions} [options]
   */
  events(id, options = {}) {
    return readEvents({ session: (signal) => this.#opened(signal), log: (what, detail) => this.#log(what, detail) }, id, options)
  }

  /**
   * Ends the client. What waits for an answer is rejected.
   * @param {string} [reason]
   */
  close(reason = 'closed by the client') {
    this.#finish(CloseCode.normal, reason)
  }

  /**
   * @param {string} method
   * @param {object} params
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  async #call(method, params, options) {
    if (this.#over.signal.aborted) throw this.#over.signal.reason
    return this.#requests.call(method, params, options)
  }

  /**
   * The open session, as soon as there is one.
   * @param {AbortSignal} [signal]
   * @returns {Promise<Session>}
   */
  async #opened(signal) {
    if (!signal) return this.#next.promise
    signal.throwIfAborted()
    let abort = () => {}
    const aborted = new Promise((_, reject) => {
      abort = () => reject(signal.reason)
      signal.addEventListener('abort', abort)
    })
    try {
      return await Promise.race([this.#next.promise, /** @type {Promise<never>} */ (aborted)])
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** The client's whole life: one session after the other. */
  async #run() {
    let backoff = new Backoff(this.#policy.backoff_min_ms, this.#policy.backoff_max_ms)
    while (!this.#over.signal.aborted) {
      let atLeast = 0
      if (!this.#suspended) {
        try {
          const session = await this.#dial()
          const { backoff_min_ms: min, backoff_max_ms: max } = this.#policy
          if (min !== backoff.minMs || max !== backoff.maxMs) backoff = new Backoff(min, max)
          const end = await session.closed
          this.#left(session, end)
          if (this.#over.signal.aborted) return
          const error = new CloseError(end.code, end.reason, end.reconnectAfterMs)
          if (error.final && !this.#suspended) throw error
          this.#lastError = error
          atLeast = error.retryAfterMs
          if (Date.now() - session.openedAt >= this.#policy.healthy_ms) backoff.reset()
        } catch (e) {
          if (this.#over.signal.aborted) return
          const error = asError(e)
          this.#lastError = error
          if (error instanceof SkeinError) {
            if (error.final) return this.#finish(error.code, error.message, error)
            atLeast = error.retryAfterMs
          }
          this.#log('attempt failed', { error: error.message })
        }
      }
      const ms = this.#suspended ? 2 ** 31 - 1 : atLeast + backoff.next()
      this.#wake = new AbortController()
      this.#retryAt = this.#suspended ? undefined : new Date(Date.now() + ms)
      this.dispatchEvent(new Event('statechange'))
      this.#log('pause', { ms, attempt: backoff.attempt })
      await pause(ms, AbortSignal.any([this.#wake.signal, this.#over.signal]))
      this.#retryAt = undefined
    }
  }

  /** Fetches the document, runs the race, and takes up the winner. */
  async #dial() {
    const { url, token, transport, WebSocket } = this.#options
    const WebTransport = this.#options.WebTransport === undefined ? globalThis.WebTransport : this.#options.WebTransport
    this.#dialing = new AbortController()
    const signal = AbortSignal.any([this.#dialing.signal, this.#over.signal])
    this.#log('connect', { url, transport })
    const fetch = this.#options.fetch ?? globalThis.fetch.bind(globalThis)
    const doc = await fetchConnect({ url, token, fetch, signal })
    this.#policy = doc.policy
    const { session, transport: taken, reason } = await race(doc, {
      transport,
      missing: WebTransport ? '' : missing(this.#options.WebTransport),
      signal,
      log: (what, detail) => this.#log(what, detail),
      open: (door, abort) => {
        const carrier = door.transport === 'webtransport' && WebTransport ? openWebTransport(WebTransport, door) : openWebSocket(WebSocket, door)
        const hello = { transport: door.transport, ticket: door.ticket, client: this.#client, resume: this.#resume }
        return Session.open(carrier, hello, this.#requests, abort)
      },
    })
    this.#took(session, taken, reason)
    return session
  }

  /**
   * @param {Session} session
   * @param {wire.Transport} transport
   * @param {string} reason
   */
  #took(session, transport, reason) {
    const { welcome } = session
    this.#session = session
    this.#resume = { session: welcome.session, epoch: welcome.epoch }
    this.#lastError = undefined
    this.#connection = {
      transport,
      reason,
      rtt: undefined,
      session: welcome.session,
      epoch: welcome.epoch,
      node: welcome.node,
      server: welcome.server,
      recovered: welcome.recovered,
      since: new Date(),
    }
    this.fleet.open(welcome.epoch)
    session.start(
      {
        onstatuslane: (lane) =>
          this.fleet.attach(() => {
            try {
              lane.write({ jsonrpc: '2.0', method: 'status.resync' })
            } catch (e) {
              this.#log('resync failed', { error: messageOf(e) })
            }
          }),
        onstatus: (message) => this.fleet.receive(message),
        ondatagram: (bytes) => this.fleet.datagram(bytes),
        onrtt: (ms) => this.#measured(ms),
      },
      this.#policy.ping_ms,
    )
    this.#log('open', { transport, reason, session: welcome.session, recovered: welcome.recovered })
    this.#setState('open')
    this.dispatchEvent(new Event('connectionchange'))
    this.#next.resolve(session)
    this.#ready.resolve()
  }

  /**
   * @param {Session} session
   * @param {import('./session.js').SessionEnd} end
   */
  #left(session, end) {
    this.#log('session ended', { ...end, lived: Date.now() - session.openedAt })
    this.#session = undefined
    this.#connection = { reason: '' }
    this.fleet.close()
    this.#next = resolvers()
    this.#next.promise.catch(() => {})
    if (this.#over.signal.aborted) this.#next.reject(this.#over.signal.reason)
    else this.#setState('reconnecting')
    this.dispatchEvent(new Event('connectionchange'))
  }

  /** @param {number} ms */
  #measured(ms) {
    const { rtt } = this.#connection
    this.#connection = { ...this.#connection, rtt: rtt === undefined ? ms : rtt * 0.7 + ms * 0.3 }
    this.dispatchEvent(new Event('rtt'))
  }

  /** @param {State} state */
  #setState(state) {
    if (this.#state === state) return
    this.#state = state
    this.dispatchEvent(new Event('statechange'))
  }

  /**
   * @param {number} code
   * @param {string} reason
   * @param {SkeinError} [error] the server's refusal; none: our own wish
   */
  #finish(code, reason, error) {
    if (this.#over.signal.aborted) return
    this.#log('closed', { code, reason })
    const why = error ?? new SkeinError('closed', reason, { code, final: true })
    this.#over.abort(why)
    this.#session?.close(code, reason)
    this.fleet.close()
    this.#requests.fail(why)
    this.#next.reject(why)
    this.#ready.reject(why)
    if (error) this.#closed.reject(error)
    else this.#closed.resolve({ code, reason })
    this.#setState('closed')
  }

  /** Follows what the page lives through: sleep, other networks, the back-forward cache. */
  #listen() {
    const { signal } = this.#over
    /** @param {EventTarget | undefined} target @param {string} type @param {(e: any) => void} then */
    const on = (target, type, then) => target?.addEventListener?.(type, then, { signal })
    const page = /** @type {any} */ (globalThis)
    on(page, 'online', () => this.#hurry('online'))
    on(page, 'offline', () => this.#session?.ping()) // a server on this machine still answers
    on(page.document, 'visibilitychange', () => page.document.visibilityState === 'visible' && this.#hurry('visible'))
    on(page, 'pagehide', () => {
      this.#suspended = true
      this.#session?.close(CloseCode.normal, 'the page was left')
      this.#dialing.abort(new ConnectError('connect_failed', 'the page was left'))
    })
    on(page, 'pageshow', () => {
      if (!this.#suspended) return
      this.#suspended = false
      this.#hurry('back')
    })
  }

  /**
   * The network or the page came back: ends a pause, or asks an open session whether it still lives.
   * @param {string} why
   */
  #hurry(why) {
    this.#log(why, {})
    this.#wake.abort()
    this.#session?.ping()
  }

  /**
   * @param {string} what
   * @param {object} detail
   */
  #log(what, detail) {
    this.#trace.push({ time: new Date(), what, detail })
    if (this.#trace.length > MAX_TRACE) this.#trace.shift()
    this.#options.log?.(what, detail)
  }
}

/**
 * A client that is open.
 * @param {string} url
 * @param {Omit<SkeinOptions, 'url'>} [options]
 */
export async function connect(url, options) {
  const skein = new Skein({ ...options, url })
  await skein.ready
  return skein
}

/**
 * Why there is no WebTransport on this side.
 * @param {unknown} option
 */
function missing(option) {
  if (option === null) return 'switched off by the page'
  if (typeof document === 'undefined') return 'this JavaScript runtime has no WebTransport'
  if (!globalThis.isSecureContext) return 'the browser has no WebTransport on a page without https'
  return 'this browser has no WebTransport'
}

function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
}

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  let binary = ''
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000))
  return btoa(binary)
}

/**
 * @template T
 * @returns {PromiseWithResolvers<T>}
 */
function resolvers() {
  return Promise.withResolvers()
}
