/**
 * The JavaScript client of Skein. A Skein object is one client. It connects to the server (by WebTransport, or by WebSocket
 * where UDP is blocked), keeps a session open when the network changes or the server restarts, and offers the agents
 * (spawn, list, get, input, stop, their events), the live status of the fleet, and tasks, memory and artifacts.
 *
 *     const skein = new Skein({ url: location.origin })
 *     const { agents } = await skein.spawn({ type: 'shell', argv: ['date'] })
 *     for await (const event of skein.events(agents[0].id)) console.log(event.type, event.data.text)
 *
 * connect.js fetches the connect document and runs the race between the endpoints, choice.js remembers the result of that
 * race, carrier.js opens an endpoint, and load.js loads the code that many clients never need. session.js says hello and
 * keeps the session alive, and pulse.js notices when the other side stops answering. rpc.js sends requests, each on its
 * lane (lane.js), and sends them again after a reconnect. resume.js reopens a lane after a reconnect, for events.js,
 * watch.js, tasks.js and artifacts.js. fleet.js keeps the live map of agents. docs/javascript.md shows how to use the
 * library; docs/protocol.md describes the protocol.
 */
import { Artifacts } from './artifacts.js'
import { TRY_MS, attemptsOf, untilTry } from './attempts.js'
import { Backoff, pause } from './backoff.js'
import { openWebSocket, openWebTransport } from './carrier.js'
import { choiceOf, networkType } from './choice.js'
import { CloseCode } from './codes.js'
import { DEFAULT_POLICY, fetchConnect, patience, race } from './connect.js'
import { CloseError, ConnectError, RpcError, SkeinError, asError, isStale, messageOf } from './errors.js'
import { readEvents } from './events.js'
import { Fleet, FleetChangeEvent } from './fleet.js'
import { Memory } from './memory.js'
import { extra } from './load.js'
import { pages } from './pages.js'
import { payloadBytes, toPayload } from './payload.js'
import { resume } from './resume.js'
import { Requests } from './rpc.js'
import { usableWebTransport } from './runtime.js'
import { Session } from './session.js'
import { schedules } from './schedules.js'
import { Tasks } from './tasks.js'

export { CloseError, ConnectError, Fleet, FleetChangeEvent, RpcError, SkeinError }
export { CloseCode, ErrorCode, PRIORITIES, StreamCode, TASK_STATES, VERSION, isTerminal, reconnects } from './codes.js'
export { payloadBytes, payloadText } from './payload.js'

/** @import * as wire from './types.js' */
/** @import { CallOptions } from './rpc.js' */
/** @import { EventsOptions } from './events.js' */
/** @import { Host } from './resume.js' */
/** @import { Winner } from './connect.js' */

/** The version of this library, as the server logs it. */
export const CLIENT_VERSION = '0.1.0'

/**
 * @typedef {object} SkeinOptions
 * @property {string} [url] where the server is, with its base path if it has one; the default in a page is the page's origin
 * @property {string} [token] a bearer token, for programs without a login cookie
 * @property {'auto' | wire.Transport} [transport]
 * @property {AbortSignal} [signal] closes the client when it is aborted
 * @property {string} [clientName] the name of this client in the server's log
 * @property {typeof globalThis.fetch} [fetch]
 * @property {import('./carrier.js').WebSocketConstructor} [WebSocket] needed in Node 20, which has none: pass the one of the package ws
 * @property {import('./carrier.js').WebTransportConstructor | null} [WebTransport] null: use no WebTransport
 * @property {(what: string, detail: object) => void} [log] called for every attempt, endpoint, lane and close
 */

/** @typedef {'connecting' | 'open' | 'reconnecting' | 'closed'} State */

/**
 * What a person may want to know about the open session. While there is none, only `reason` is set, and it is empty.
 *
 * @typedef {object} Connection
 * @property {wire.Transport} [transport]
 * @property {string} reason why the transport is not WebTransport, in words for a person; empty when it is
 * @property {number} [rtt] smoothed round-trip time in milliseconds; undefined until it was measured
 * @property {string} [session]
 * @property {string} [epoch]
 * @property {string} [node]
 * @property {string} [server] the server's version
 * @property {boolean} [recovered] whether the server still has the log that the previous session read
 * @property {Date} [since]
 */

/** @typedef {{time: Date, what: string, detail: object}} TraceEntry */

/** The number of entries that `trace` keeps. */
const MAX_TRACE = 100

/**
 * A flap is a return to WebTransport whose session ended within FLAP_MS. Each flap in a row doubles the pauses before the
 * next tries, at most MAX_FLAPS times.
 */
const FLAP_MS = 60_000
const MAX_FLAPS = 4

/**
 * How old a WebTransport session must be before the client fetches the module that a WebSocket needs, in milliseconds.
 * Until then the page has other things to load.
 */
const AHEAD_MS = 2000

/**
 * Skein is a client. It dispatches `statechange` when state, lastError or retryAt changed, `connectionchange` when a
 * session opened or ended, and `rtt` on every measurement.
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
  /** @type {Host} */
  #host = {
    call: (method, params, options) => this.call(method, params, options),
    session: (signal) => this.#opened(signal),
    nextId: () => this.#requests.nextId(),
    log: (what, detail) => this.#log(what, detail),
  }
  #over = new AbortController() // aborted when the client is closed for good
  #dialing = new AbortController() // aborted to give up the current attempt
  #wake = new AbortController() // aborted to end a pause between attempts
  #suspended = false
  #returned = false // whether a session moved from a WebSocket to WebTransport
  #flaps = 0 // returns to WebTransport in a row that did not last
  #changing = false // use() asked for another transport, so the next attempt starts without a pause
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
    this.tasks = new Tasks(this.#host)
    this.memory = new Memory(this.#host)
    this.artifacts = new Artifacts(this.#host)
    /** Tasks at set times; `id` is the id of a schedule or its name. */
    this.schedules = schedules(this.#host.call)
    /** Whether agents may be spawned and tasks started; `fleet.admission` follows it live. */
    this.admission = {
      /** @param {wire.AdmissionGetParams & CallOptions} [options] @returns {Promise<wire.AdmissionResult>} */
      get: ({ html, ...options } = {}) => this.call('admission.get', { html }, options),
      /** @param {wire.AdmissionParams} params @param {CallOptions} [options] @returns {Promise<wire.Admission>} */
      set: (params, options) => this.call('admission.set', params, options),
    }
    /** Fulfils when the first session opens; rejects when the client ends before that. */
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

  /** The latest events of the connection, for debugging. */
  get trace() {
    return [...this.#trace]
  }

  /**
   * Starts agents. The server refuses the whole batch if it can't admit all of it. Agents that were admitted but could not
   * be started are listed in `failed`.
   * @param {wire.SpawnParams} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.SpawnResult>}
   */
  spawn(params, options) {
    return this.call('agent.spawn', params, options)
  }

  /**
   * Lists the agents that match, newest first: all of them, or `limit`. It sends as many requests as it takes. Agents that
   * are spawned while the list is read are not in it.
   * @param {wire.Filter} [filter]
   * @param {CallOptions} [options]
   * @returns {Promise<wire.ListResult>}
   */
  list(filter = {}, options) {
    return pages(this.#host.call, 'agent.list', 'agents', filter, options)
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Agent>}
   */
  get(id, options) {
    return this.call('agent.get', { id }, options)
  }

  /**
   * Writes to an agent's standard input.
   * @param {string} id
   * @param {string | Uint8Array} data
   * @param {CallOptions & {eof?: boolean, interrupt?: boolean}} [options] eof: close its standard input afterwards; interrupt: cancel
   *   the turn of an agent of kind acp first
   * @returns {Promise<void>}
   */
  async input(id, data, { eof, interrupt, ...options } = {}) {
    await this.call('agent.input', { id, ...toPayload(data), ...(eof && { eof }), ...(interrupt && { interrupt }) }, options)
  }

  /**
   * Lists what agents wait for a person to say, the oldest first. With the `position` of an earlier list as `since`, it waits for a
   * change, for `wait_ms` at most.
   * @param {wire.AskListParams} [params]
   * @param {CallOptions} [options]
   * @returns {Promise<wire.AskListResult>}
   */
  asks(params = {}, options) {
    return this.call('ask.list', params, options)
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Ask>}
   */
  ask(id, options) {
    return this.call('ask.get', { id }, options)
  }

  /**
   * Answers a question, which is answered once: whoever comes second gets an RpcError of kind `conflict`, and so does who was
   * shown another question.
   * @param {wire.AskAnswerParams} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Ask>}
   */
  answer(params, options) {
    return this.call('ask.answer', params, options)
  }

  /**
   * Drops a prompt that waits for its turn, one of the agent's `prompts`.
   * @param {string} id
   * @param {string} prompt its id
   * @param {CallOptions} [options]
   * @returns {Promise<{text: string}>} its whole text
   */
  drop(id, prompt, options) {
    return this.call('agent.drop', { id, prompt }, options)
  }

  /**
   * Pauses agents: they get no more prompts and tasks. With `freeze`, their processes are stopped, too.
   * @param {{ids: string[], freeze?: boolean, reason?: string}} params
   * @param {CallOptions} [options]
   * @returns {Promise<{reports: wire.PauseReport[]}>}
   */
  pause(params, options) {
    return this.call('agent.pause', params, options)
  }

  /**
   * Lets paused agents go on.
   * @param {{ids: string[]}} params
   * @param {CallOptions} [options]
   * @returns {Promise<{reports: wire.PauseReport[]}>}
   */
  resume(params, options) {
    return this.call('agent.resume', params, options)
  }

  /**
   * Stops agents: `{ids}`, `{scope: 'task', tasks}`, `{scope: 'type', type}`, `{scope: 'node', node}` or `{scope: 'all'}`.
   * The answer comes when the agents are gone, with a report on each. The last three close admission and leave it closed,
   * unless `reopen` is set.
   * @param {wire.StopParams} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.StopResult>}
   */
  async stop(params, options) {
    const result = await this.call('agent.stop', params, options)
    return { ...result, reports: result.reports ?? [] }
  }

  /**
   * @param {CallOptions} [options]
   * @returns {Promise<wire.AgentType[]>}
   */
  async types(options) {
    return (await pages(this.#host.call, 'types.list', 'types', {}, options)).types
  }

  /**
   * What the server knows about the network path of the session, and the traffic of its lanes.
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Network>}
   */
  network(options) {
    return this.call('session.network', {}, options)
  }

  /**
   * Follows an agent's events: in order, each once, over reconnects. Where that is impossible, because the server has a new
   * log or has dropped the events behind the cursor, an event of type `gap` says so. The `dropped` of an event describes
   * the events right before it that the log no longer has.
   * @param {string} id
   * @param {EventsOptions} [options]
   */
  events(id, options = {}) {
    return readEvents(this.#host, id, options)
  }

  /**
   * Views an agent's terminal, over reconnects, until the agent ends or the view is closed.
   * @param {string} agent
   * @param {import('./terminal.js').TerminalOptions} options
   */
  async terminal(agent, options) {
    return (await extra.get(options.signal)).viewTerminal(this.#host, resume, RpcError, agent, options)
  }

  /**
   * Shows what an agent shows, as pictures of a few rows, over reconnects: always the newest one. It resolves when the agent has ended.
   * @param {string} agent
   * @param {import('./glance.js').GlanceOptions} options
   */
  async glance(agent, options) {
    return (await extra.get(options.signal)).glance(this.#host, resume, RpcError, agent, options)
  }

  /**
   * Makes this program an agent that does tasks, over reconnects. It resolves when the program has become one.
   * @param {import('./worker.js').WorkerOptions} options
   * @param {import('./worker.js').Handler} handler
   */
  async serve(options, handler) {
    return (await extra.get(options.signal)).serve(this.#host, { resume, RpcError, Memory, toPayload, payloadBytes }, options, handler)
  }

  /**
   * Reads one page of an agent's events without following them: the first `limit` after `after` or, with `newest`, the last
   * ones before `before`.
   * @param {string} id
   * @param {Omit<wire.AgentEventsParams, 'id'> & CallOptions} [options]
   * @returns {Promise<wire.AgentEventsResult>}
   */
  readEvents(id, { signal, timeout, ...params } = {}) {
    return this.call('agent.events', { id, ...params }, { signal, timeout })
  }

  /**
   * Searches the output of an agent in the whole log, line by line, as a terminal shows it. One request searches a bounded
   * part of the log: while the answer has `more`, ask again with `{...options, after: cursor, offset}`, both from the
   * answer.
   * @param {string} id
   * @param {string} query the text to find, in upper or lower case unless the options say otherwise
   * @param {Omit<wire.AgentSearchParams, 'id' | 'query'> & CallOptions} [options]
   * @returns {Promise<wire.AgentSearchResult>}
   */
  searchEvents(id, query, { signal, timeout, ...params } = {}) {
    return this.call('agent.search', { id, query, ...params }, { signal, timeout })
  }

  /**
   * Renders agents as parts of Skein's own pages. It takes at most 100 ids and returns the HTML by id; agents that are gone
   * are left out.
   * @param {string[]} ids
   * @param {wire.AgentHTML} html
   * @param {CallOptions} [options]
   * @returns {Promise<Record<string, string>>}
   */
  async render(ids, html, options) {
    return (await this.call('agent.render', { ids, html }, options)).html
  }

  /**
   * Changes which transports may be used. The client leaves a session over any other transport; whatever follows events or
   * changes goes on in the next session where it left off.
   * @param {'auto' | wire.Transport} transport
   */
  use(transport) {
    this.#options.transport = transport
    this.#choice?.forget() // a person who chooses a transport wants it tried
    this.#log('use', { transport })
    const now = this.#session?.transport
    if (now && (now === transport || (transport === 'auto' && now === 'webtransport'))) return
    this.#changing = true
    this.#dialing.abort(new ConnectError('connect_failed', `the page asks for ${transport}`))
    this.#session?.close(CloseCode.lost, `the page asks for ${transport}`)
    this.#wake.abort()
  }

  /**
   * Closes the client and rejects every request that has no answer yet.
   * @param {string} [reason]
   */
  close(reason = 'closed by the client') {
    this.#finish(CloseCode.normal, reason)
  }

  /**
   * Makes a request by any method of the protocol, also one that has no function of its own here. It is carried out once, also when a
   * connection breaks meanwhile.
   * @param {string} method such as `agent.options`
   * @param {object} params
   * @param {CallOptions} [options]
   * @returns {Promise<any>} its result
   */
  async call(method, params, options) {
    if (this.#over.signal.aborted) throw this.#over.signal.reason
    return this.#requests.call(method, params, options)
  }

  /**
   * Waits for the open session.
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

  /** Keeps a session open until the client is closed: one session after the other. */
  async #run() {
    let backoff = new Backoff(this.#policy.backoff_min_ms, this.#policy.backoff_max_ms)
    /** @type {number | undefined} */
    let retries
    while (!this.#over.signal.aborted) {
      let atLeast = 0
      if (!this.#suspended) {
        try {
          const { session, end } = await this.#stay(await this.#dial(patience(retries)))
          retries = 0
          this.#left(session, end)
          if (this.#over.signal.aborted) return
          const error = new CloseError(end.code, end.reason, end.reconnectAfterMs)
          if (error.final && !this.#suspended) throw error
          this.#lastError = error
          atLeast = error.retryAfterMs
          if (Date.now() - session.openedAt >= this.#policy.healthy_ms) backoff.reset()
        } catch (e) {
          if (this.#over.signal.aborted) return
          if (retries !== undefined) retries++
          const error = asError(e)
          this.#lastError = error
          if (error instanceof SkeinError) {
            // A client that has had a session waits for the server's next certificate. One that has had none fails at once.
            if (error.final && (retries === undefined || error.kind !== 'untrusted_certificate')) return this.#finish(error.code, error.message, error)
            atLeast = error.retryAfterMs
          }
          this.#log('attempt failed', { error: error.message })
        }
      }
      const { backoff_min_ms: min, backoff_max_ms: max } = this.#policy
      if (min !== backoff.minMs || max !== backoff.maxMs) backoff = new Backoff(min, max)
      const ms = this.#suspended ? 2 ** 31 - 1 : this.#changing ? 0 : atLeast + backoff.next()
      this.#wake = new AbortController()
      this.#retryAt = this.#suspended ? undefined : new Date(Date.now() + ms)
      this.dispatchEvent(new Event('statechange'))
      this.#log('pause', { ms, attempt: backoff.attempt })
      await pause(ms, AbortSignal.any([this.#wake.signal, this.#over.signal]))
      this.#retryAt = undefined
    }
  }

  /**
   * Stays with a session until it ends, and moves to a better one: to WebTransport when that works again, or to whatever
   * opens while the session is silent. The new session is open before the old one ends.
   * @param {Session} session
   */
  async #stay(session) {
    for (;;) {
      const stop = new AbortController()
      const ended = session.closed
      const signal = AbortSignal.any([stop.signal, this.#over.signal])
      const others = [this.#better(session, signal), this.#beside(session, signal)]
      const next = await Promise.race([ended.then(() => undefined), ...others])
      stop.abort(new ConnectError('connect_failed', 'not needed any more'))
      for (const other of others) other.then((late) => late && late !== next && late.session.close(CloseCode.normal, 'not needed'))
      if (session.transport === 'webtransport' && this.#returned) {
        this.#flaps = Date.now() - session.openedAt < FLAP_MS ? Math.min(this.#flaps + 1, MAX_FLAPS) : 0
      }
      if (!next) return { session, end: await ended }
      const returns = session.transport === 'websocket' && next.transport === 'webtransport'
      const reason = returns && !session.doubted ? 'WebTransport works again' : 'it fell silent'
      this.#returned ||= returns
      this.#log('session left', { transport: session.transport, reason })
      this.#session = undefined // from now on its messages are ignored
      this.#next = resolvers()
      this.#next.promise.catch(() => {})
      session.close(CloseCode.normal, reason)
      session = next.session
      this.#took(session, next.transport, next.reason)
    }
  }

  /**
   * Tries WebTransport from time to time while the session is on a WebSocket. Fulfils with a session whose hello was
   * answered, or with undefined after `signal` was aborted.
   * @param {Session} session
   * @param {AbortSignal} signal
   * @returns {Promise<Winner | undefined>}
   */
  async #better(session, signal) {
    const over = aborted(signal)
    if (session.transport === 'webtransport' || !this.#WebTransport) return over
    for (let tries = 0; !signal.aborted; tries++) {
      this.#wake = new AbortController()
      await pause(untilTry(tries, this.#flaps), AbortSignal.any([signal, this.#wake.signal]))
      if (signal.aborted || this.#options.transport !== 'auto' || attemptsOf(this.#WebTransport).hopeless) continue
      try {
        const better = await this.#race('webtransport', signal, () => {}, TRY_MS)
        if (this.#options.transport === 'auto') return better
        better.session.close(CloseCode.normal, 'not needed') // use() chose another transport meanwhile
      } catch (e) {
        const error = asError(e)
        if (error instanceof SkeinError && error.final) return over // if the refusal still holds, the next session reports it
        if (error instanceof ConnectError && error.failures.length > 0 && !signal.aborted) this.#choice?.renew()
      }
    }
    return undefined
  }

  /**
   * Opens a second session beside one that has fallen silent, by the usual race, for as long as the silence lasts. The
   * first of the two that the server answers on is kept. Fulfils like #better.
   * @param {Session} session
   * @param {AbortSignal} signal
   * @returns {Promise<Winner | undefined>}
   */
  async #beside(session, signal) {
    const over = aborted(signal)
    while (!signal.aborted) {
      if (!session.doubted) await Promise.race([over, new Promise((resolve) => session.addEventListener('doubt', resolve, { once: true }))])
      if (signal.aborted) break
      this.#log('silent', { transport: session.transport })
      const speaks = new AbortController()
      session.addEventListener('relief', () => speaks.abort(new ConnectError('connect_failed', 'the session speaks again')), { once: true, signal })
      const attempt = AbortSignal.any([signal, speaks.signal])
      const backoff = new Backoff(this.#policy.backoff_min_ms, this.#policy.backoff_max_ms)
      for (let retries = 0; !attempt.aborted; retries++) {
        try {
          return await this.#race(this.#options.transport, attempt, (what, detail) => this.#log(what, detail), patience(retries))
        } catch (e) {
          if (!attempt.aborted) this.#log('attempt failed', { error: messageOf(e) })
        }
        await pause(backoff.next(), attempt)
      }
      if (speaks.signal.aborted) this.#log('speaks again', { transport: session.transport })
    }
    return undefined
  }

  get #WebTransport() {
    return usableWebTransport(this.#options.WebTransport).WebTransport
  }

  /** The remembered choice for this server. Without WebTransport there is no choice to remember. */
  get #choice() {
    return this.#WebTransport ? choiceOf(this.#WebTransport, this.#options.url) : undefined
  }

  /**
   * Runs the race and makes the winner the client's session.
   * @param {number} timeoutMs
   */
  async #dial(timeoutMs) {
    const { url, transport } = this.#options
    this.#dialing = new AbortController()
    this.#changing = false
    const signal = AbortSignal.any([this.#dialing.signal, this.#over.signal])
    this.#log('connect', { url, transport })
    const { session, transport: taken, reason } = await this.#race(transport, signal, (what, detail) => this.#log(what, detail), timeoutMs)
    this.#took(session, taken, reason)
    return session
  }

  /**
   * Opens an endpoint. When one refuses its ticket, #race fetches a fresh document and tries again, but only once, since
   * callers pause between their own attempts.
   * @param {'auto' | wire.Transport} transport
   * @param {AbortSignal} signal
   * @param {(what: string, detail: object) => void} log
   * @param {number} [timeoutMs]
   */
  async #race(transport, signal, log, timeoutMs) {
    try {
      return await this.#raceOnce(transport, signal, log, timeoutMs)
    } catch (e) {
      if (signal.aborted || !(e instanceof ConnectError) || !e.failures.some(({ error }) => isStale(error))) throw e
      log('stale tickets', { error: e.message })
      return await this.#raceOnce(transport, signal, log, timeoutMs, true)
    }
  }

  /**
   * Fetches the connect document and opens an endpoint.
   * @param {'auto' | wire.Transport} transport
   * @param {AbortSignal} signal
   * @param {(what: string, detail: object) => void} log
   * @param {number} [timeoutMs]
   * @param {boolean} [patient] see RaceOptions
   */
  async #raceOnce(transport, signal, log, timeoutMs, patient) {
    const { url, token, WebSocket } = this.#options
    const { WebTransport, missing } = usableWebTransport(this.#options.WebTransport)
    const fetch = this.#options.fetch ?? globalThis.fetch.bind(globalThis)
    const socketFirst = transport === 'websocket' || !WebTransport || attemptsOf(WebTransport).hopeless || this.#choice?.recall()
    // The module is fetched at the same time as the document, since the page has just come from the server. Later, a
    // captive portal's page may answer instead.
    if (socketFirst && !this.#resume) extra.get(signal).catch(() => {}) // openWebSocket reports why it could not be loaded
    const doc = await fetchConnect({ url, token, fetch, signal, timeoutMs })
    this.#policy = doc.policy
    const choice = this.#choice
    const remembered = choice?.recall() // has no effect when the page asked for one transport
    const winner = await race(doc, {
      transport,
      missing,
      hopeless: WebTransport ? attemptsOf(WebTransport).hopeless : '',
      remembered,
      signal,
      timeoutMs,
      patient,
      log,
      open: async (endpoint, abort, connected) => {
        const carrier = endpoint.transport === 'webtransport' && WebTransport ? openWebTransport(WebTransport, endpoint) : await openWebSocket(WebSocket, endpoint, abort)
        const hello = { transport: endpoint.transport, ticket: endpoint.ticket, client: this.#client, resume: this.#resume }
        carrier.ready.then(connected, () => {})
        return Session.open(carrier, hello, this.#requests, abort)
      },
    })
    if (winner.transport === 'webtransport') choice?.forget()
    else if (winner.silent && !remembered) choice?.remember(winner.reason)
    return winner
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
        onstatus: (message) => this.#session === session && this.fleet.receive(message),
        ondatagram: (bytes) => this.#session === session && this.fleet.datagram(bytes),
        onrtt: (ms) => this.#session === session && this.#measured(ms),
      },
      this.#policy.ping_ms,
    )
    this.#log('open', { transport, reason, session: welcome.session, recovered: welcome.recovered })
    this.#setState('open')
    this.dispatchEvent(new Event('connectionchange'))
    this.#next.resolve(session)
    this.#ready.resolve()
    if (transport === 'webtransport') this.#fetchAhead(session)
  }

  /**
   * Fetches the module that a WebSocket needs while the network is good, so that the client does not depend on that fetch
   * when it comes back on a network that blocks UDP.
   * @param {Session} session
   */
  async #fetchAhead(session) {
    await pause(AHEAD_MS, session.over)
    if ('requestIdleCallback' in globalThis) await new Promise((resolve) => requestIdleCallback(resolve, { timeout: AHEAD_MS }))
    if (session.over.aborted || session.doubted || this.#options.transport === 'webtransport') return
    extra.get(session.over).catch((e) => this.#log('not fetched ahead', { error: messageOf(e) }))
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
   * @param {SkeinError} [error] the server's refusal; none when the client was closed on this side
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

  /** Reacts to what happens to the page: sleep, changes of network, the back-forward cache. */
  #listen() {
    const { signal } = this.#over
    /** @param {EventTarget | undefined} target @param {string} type @param {(e: any) => void} then */
    const on = (target, type, then) => target?.addEventListener?.(type, then, { signal })
    const page = /** @type {any} */ (globalThis)
    on(page, 'online', () => {
      this.#choice?.forget() // it may be another network
      this.#hurry('online')
    })
    on(page, 'offline', () => this.#session?.probe()) // a server on this machine may still answer
    let network = networkType()
    on(page.navigator?.connection, 'change', () => {
      if (network === networkType()) return // the browser reports new bandwidth estimates too
      network = networkType()
      this.#choice?.forget()
      this.#hurry('online')
    })
    on(page.document, 'visibilitychange', () => page.document.visibilityState === 'visible' && this.#hurry('visible'))
    on(page.document, 'resume', () => this.#hurry('visible')) // the tab was frozen
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
   * The network or the page came back: ends a pause, or pings the server over the open session.
   * @param {string} why
   */
  #hurry(why) {
    this.#log(why, {})
    this.#wake.abort()
    this.#session?.probe()
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
 * Creates a client and waits until its first session is open.
 * @param {string} url
 * @param {Omit<SkeinOptions, 'url'>} [options]
 */
export async function connect(url, options) {
  const skein = new Skein({ ...options, url })
  await skein.ready
  return skein
}

/**
 * Waits until a signal is aborted.
 * @param {AbortSignal} signal
 * @returns {Promise<undefined>}
 */
function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}

function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
}

/**
 * @template T
 * @returns {PromiseWithResolvers<T>}
 */
function resolvers() {
  return Promise.withResolvers()
}
