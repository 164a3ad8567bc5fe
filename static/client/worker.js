/**
 * A program that is an agent and does tasks (docs/protocol.md, "The worker lane"). This module is part of extra.js, and imports nothing.
 *
 * Each side numbers its messages, keeps those that the other has not acknowledged, and sends them again on the next lane. So each
 * message arrives once and in order, as long as the program is not away for longer than its lease.
 */

/** @import { Message, Payload, Priority } from './types.js' */
/** @import { Host } from './resume.js' */
/** @import { CallOptions } from './rpc.js' */
/** @import { Lane } from './lane.js' */
/** @import { Memory } from './memory.js' */

/**
 * @typedef {object} WorkerOptions
 * @property {string} [type] an agent type of kind remote; `remote` if it is left out
 * @property {string} [name] for people
 * @property {Record<string, string>} [labels] of the agent
 * @property {string[]} [capabilities] that tasks may ask for, in addition to those of the type
 * @property {number} [concurrency] tasks at the same time; as many as the type says if it is left out
 * @property {(input: {text: string, bytes: Uint8Array, eof: boolean}) => void} [oninput] called with what people write to the agent
 * @property {(joined: {agent: string, name: string, lease_ms: number}) => void} [onjoin] called when the program has become an agent, and whenever it has come back
 * @property {AbortSignal} [signal] ends the agent; its tasks are given to others
 */

/** @typedef {(task: Work) => unknown} Handler does a task. It returns the result, or a promise of it: a string, bytes, or anything that JSON can hold. An error fails the task; one whose `retryable` is true lets it be tried again. */

/** @typedef {{option?: string, text?: string, by: string}} WorkerAnswer */

/** @typedef {{resume: typeof import('./resume.js').resume, RpcError: typeof import('./errors.js').RpcError, Memory: typeof import('./memory.js').Memory, toPayload: typeof import('./payload.js').toPayload, payloadBytes: typeof import('./payload.js').payloadBytes}} Library the parts of the library that this one needs */

/** The longest message, in bytes, and how much may wait for the server. */
const MAX_MESSAGE = 1 << 20
const MAX_KEPT = 16 << 20

/** The longest result of a task, in bytes. */
const MAX_RESULT = 256 << 10

/** How long a handler may go on after a cancellation before its place counts as free, and how long a program that leaves waits for the server to know. */
const CANCEL_MS = 3000
const LEAVE_MS = 2000

const encoder = new TextEncoder()

/** @param {object} message @returns {Uint8Array} */
function lineOf(message) {
  return encoder.encode(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n')
}

/**
 * What an error says. Anything can be thrown.
 * @param {any} e
 */
function wordsOf(e) {
  try {
    return String(e?.message ?? e)
  } catch {
    return 'it failed'
  }
}

/** Work is a task that the program does. */
class Work {
  #worker
  #over = new AbortController()

  /**
   * @param {Worker} worker
   * @param {{task: string, attempt: number, name?: string, input?: string, input_base64?: string, priority: Priority, labels?: Record<string, string>, deadline?: string}} run
   * @param {Memory} memory
   * @param {Uint8Array} bytes
   */
  constructor(worker, run, memory, bytes) {
    this.#worker = worker
    this.id = run.task
    /** From 1. */
    this.attempt = run.attempt
    this.name = run.name ?? ''
    /** The input as a text. */
    this.input = run.input_base64 === undefined ? (run.input ?? '') : new TextDecoder().decode(bytes)
    /** The input as bytes. */
    this.bytes = bytes
    this.priority = run.priority
    this.labels = run.labels ?? {}
    this.deadline = run.deadline ? new Date(run.deadline) : undefined
    /** Memory, as the agent, within the namespaces of its type. */
    this.memory = memory
  }

  /** It is aborted when the task was canceled, its time is over, or the agent has ended: then the handler returns soon. */
  get signal() {
    return this.#over.signal
  }

  /** @param {Error} why */
  cancel(why) {
    this.#over.abort(why)
  }

  /**
   * Reports how far the task is.
   * @param {string} text for people
   * @param {number} [fraction] from 0 to 1
   */
  progress(text, fraction = 0) {
    if (this.signal.aborted) return
    this.#worker.say('task.progress', { task: this.id, text, fraction })
  }

  /**
   * Shows output on the agent's page, and in its log.
   * @param {string} text
   */
  print(text) {
    for (let at = 0; at < text.length && !this.signal.aborted; at += 64_000) this.#worker.say('worker.output', { text: text.slice(at, at + 64_000) })
  }

  /**
   * Asks people a question and waits for the answer: a text, or the id of one of the options.
   * @param {string} text
   * @param {{id: string, name: string, kind: 'allow_once' | 'allow_always' | 'reject_once' | 'reject_always'}[]} [options]
   * @returns {Promise<WorkerAnswer>}
   */
  ask(text, options) {
    return this.call('worker.ask', { task: this.id, text, ...(options && { options }) })
  }

  /**
   * Makes a request as the agent, such as task.submit, within what its type may do. It is carried out once.
   * @param {string} method
   * @param {object} params
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  call(method, params, options) {
    return this.#worker.call(method, params, { ...options, signal: options?.signal ? AbortSignal.any([options.signal, this.signal]) : this.signal })
  }
}

/** Worker is a program that is an agent. */
class Worker {
  #options
  #handler
  #library
  #key = crypto.randomUUID()
  /** The agent that this program is, or was; empty until it has joined. */
  agent = ''
  #known = false // whether the server knows it as that agent
  /** @type {Uint8Array[]} */
  #kept = [] // messages that the server has not acknowledged
  #size = 0 // of them, in bytes
  #before = 0 // how many it has
  #sent = 0 // how many of #kept were sent on the present lane
  #received = 0 // how many messages of the server were handled
  #due = false // the server does not know that yet
  #leaving = false
  #gone = false // the program is no agent any more
  #stopped = ''
  #lastId = 0
  /** @type {Map<string, Work>} */
  #works = new Map()
  /** @type {Map<number, PromiseWithResolvers<any>>} */
  #waits = new Map()
  #wake = () => {}
  /** @type {Set<() => void>} */
  #settled = new Set() // called when a task has ended
  #over = new AbortController()

  /** Settles when the agent has ended: with 'stopped' if somebody has stopped it. @type {Promise<string>} */
  ended

  /**
   * @param {Host} host
   * @param {Library} library
   * @param {WorkerOptions} options
   * @param {Handler} handler
   * @param {() => void} joined
   */
  constructor(host, library, options, handler, joined) {
    this.#options = options
    this.#handler = handler
    this.#library = library
    const view = library.resume(host, {
      header: () => ({ lane: 'worker' }),
      request: () => this.#join(),
      read: (lane) => this.#read(lane, joined),
      detail: () => ({ agent: this.agent }),
      signal: this.#over.signal,
    })
    this.ended = (async () => {
      try {
        const end = await view.next()
        return /** @type {string} */ (end.value)
      } catch (e) {
        if (this.#leaving) return ''
        throw e
      } finally {
        this.#gone = true
        this.#lose('the agent has ended')
      }
    })()
    this.ended.catch(() => {}) // for those who don't look
    options.signal?.addEventListener('abort', () => void this.close())
    if (options.signal?.aborted) void this.close()
  }

  /** @returns {Message} */
  #join() {
    const { type, name, labels, capabilities, concurrency } = this.#options
    return /** @type {Message} */ ({
      jsonrpc: '2.0',
      id: 'join',
      method: 'worker.join',
      params: { type, name, labels, capabilities, concurrency, key: this.#key, ...(this.#known && { agent: this.agent, received: this.#received }) },
    })
  }

  /**
   * @param {Lane} lane
   * @param {() => void} joined
   * @returns {AsyncGenerator<never, {value: string} | void, void>}
   */
  async *#read(lane, joined) {
    const answer = await lane.read()
    if (!answer) return
    if (answer.error) return this.#refused(answer.error)
    const { received, ...rest } = /** @type {any} */ (answer.result)
    this.agent = rest.agent
    this.#known = true
    this.#acknowledge(received)
    this.#sent = 0
    this.#due = false
    this.#options.onjoin?.(rest)
    if (!this.#leaving) joined()
    const over = new AbortController()
    const writing = this.#write(lane, over.signal)
    try {
      for (let m = await lane.read(); m; m = await lane.read()) this.#hear(m)
    } finally {
      over.abort()
      this.#wake()
      await writing
    }
    if (this.#stopped === 'restart') {
      this.#lose('the server was stopped')
      return
    }
    if (this.#leaving) return { value: this.#stopped }
  }

  /** @param {NonNullable<Message['error']>} error */
  #refused(error) {
    const kind = error.data?.kind
    if (this.#stopped === 'restart') return this.#lose('the server was stopped')
    if (this.#leaving) return { value: this.#stopped }
    if (this.#known && kind === 'failed_precondition') return { value: 'stopped' }
    if (this.#known && kind === 'not_found') this.#lose('the server has given the agent up')
    else if (kind !== 'resource_exhausted') throw new this.#library.RpcError(error)
    return undefined
  }

  /**
   * Ends what the agent does that has ended, and begins another one.
   * @param {string} why
   */
  #lose(why) {
    const works = this.#works
    const waits = this.#waits
    this.#key = crypto.randomUUID()
    this.#known = false
    this.#kept = []
    this.#size = this.#before = this.#sent = this.#received = 0
    this.#due = this.#leaving = false
    this.#stopped = ''
    this.#works = new Map()
    this.#waits = new Map()
    for (const work of works.values()) work.cancel(new Error(why))
    for (const wait of waits.values()) wait.reject(new Error(`${why}; it is not known whether the request was carried out`))
    for (const told of this.#settled) told()
  }

  /** @param {number} received */
  #acknowledge(received) {
    const n = Math.min(received - this.#before, this.#kept.length)
    if (n <= 0) return
    for (const line of this.#kept.splice(0, n)) this.#size -= line.length
    this.#before += n
    this.#sent = Math.max(0, this.#sent - n)
  }

  /**
   * Sends what there is to send, as fast as the lane takes it.
   * @param {Lane} lane
   * @param {AbortSignal} over
   */
  async #write(lane, over) {
    try {
      while (!over.aborted) {
        if (this.#due) {
          this.#due = false
          await lane.push(lineOf({ method: 'worker.ack', params: { received: this.#received } }))
        } else if (this.#sent < this.#kept.length) {
          await lane.push(this.#kept[this.#sent++])
        } else {
          await new Promise((resolve) => (this.#wake = () => resolve(undefined)))
        }
      }
    } catch {
      // the end of the lane says why, and the next one brings the rest
    }
  }

  /**
   * @param {Uint8Array} line
   * @param {boolean} [last] it ends something, and is kept however much waits
   */
  #keep(line, last) {
    if (this.#leaving) return
    if (line.length > MAX_MESSAGE) throw new RangeError(`a message of ${line.length} bytes; ${MAX_MESSAGE} are allowed`)
    if (!last && this.#size + line.length > MAX_KEPT) throw new RangeError(`the server does not take what the agent says: ${this.#size} bytes wait`)
    this.#kept.push(line)
    this.#size += line.length
    this.#wake()
  }

  /**
   * Says something to the server, now or when there is a session again.
   * @param {string} method
   * @param {object} params
   * @param {boolean} [last] it ends something
   */
  say(method, params, last) {
    this.#keep(lineOf({ method, params }), last)
  }

  /**
   * Makes a request as the agent. It is carried out once.
   * @param {string} method
   * @param {object} params
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  async call(method, params, { signal, timeout } = {}) {
    const late = timeout === undefined ? undefined : AbortSignal.timeout(timeout)
    const until = late && signal ? AbortSignal.any([late, signal]) : (late ?? signal)
    until?.throwIfAborted()
    if (this.#leaving || this.#gone) throw new Error('the agent has ended')
    const id = ++this.#lastId
    const wait = /** @type {PromiseWithResolvers<any>} */ ({})
    wait.promise = new Promise((resolve, reject) => Object.assign(wait, { resolve, reject }))
    this.#keep(lineOf({ id, method, params }))
    this.#waits.set(id, wait)
    const abort = () => {
      this.#waits.delete(id)
      if (method === 'worker.ask') this.say('worker.unask', { id: String(id) }, true)
      wait.reject(until?.reason)
    }
    until?.addEventListener('abort', abort)
    try {
      return await wait.promise
    } finally {
      until?.removeEventListener('abort', abort)
    }
  }

  /** @param {Message} m */
  #hear(m) {
    const params = /** @type {any} */ (m.params ?? {})
    if (m.method === 'worker.ack') {
      this.#acknowledge(params.received)
      return
    }
    switch (m.method ?? '') {
      case '': {
        const wait = this.#waits.get(/** @type {number} */ (m.id))
        this.#waits.delete(/** @type {number} */ (m.id))
        if (m.error) wait?.reject(new this.#library.RpcError(m.error))
        else wait?.resolve(m.result)
        break
      }
      case 'task.run':
        void this.#run(params)
        break
      case 'task.cancel':
        this.#works.get(params.task)?.cancel(new Error('the task was canceled'))
        break
      case 'worker.input': {
        const bytes = this.#library.payloadBytes(params)
        this.#options.oninput?.({ text: new TextDecoder().decode(bytes), bytes, eof: Boolean(params.eof) })
        break
      }
      case 'worker.stop':
        this.#stopped = params.restart ? 'restart' : 'stopped'
        void this.#end('the agent was stopped', params.grace_ms * 0.9)
    }
    this.#received++
    this.#due = true
    this.#wake()
  }

  /** @param {any} run */
  async #run(run) {
    const { Memory, payloadBytes, toPayload } = this.#library
    const bytes = payloadBytes(run.input_base64 === undefined ? { text: run.input } : { base64: run.input_base64 })
    /** @type {Work} */
    const work = new Work(this, run, new Memory(/** @type {any} */ ({ call: (/** @type {string} */ method, /** @type {object} */ params, /** @type {CallOptions} */ options) => work.call(method, params, options) })), bytes)
    const works = this.#works
    works.set(work.id, work)
    /** @param {string} method @param {object} params */
    const end = (method, params) => {
      if (works.get(work.id) !== work) return
      works.delete(work.id)
      if (works !== this.#works) return // of an agent that has ended
      this.say(method, { task: work.id, ...params }, true)
      for (const told of this.#settled) told()
    }
    /** @param {any} e */
    const failed = (e) => end('task.error', { message: wordsOf(e).slice(0, 500), ...(e?.retryable && { retryable: true }) })
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let late
    work.signal.addEventListener('abort', () => (late = setTimeout(() => failed(work.signal.reason), CANCEL_MS)))
    try {
      const result = await this.#handler(work)
      /** @type {Payload} */
      const payload = toPayload(typeof result === 'string' || result instanceof Uint8Array || result instanceof ArrayBuffer ? result : result === undefined ? '' : JSON.stringify(result))
      const size = payloadBytes(payload).length
      if (size > MAX_RESULT) throw new RangeError(`the result has ${size} bytes, ${MAX_RESULT} are allowed; put it into memory or an artifact`)
      end('task.result', payload.base64 === undefined ? { output: payload.text ?? '' } : { output_base64: payload.base64 })
    } catch (e) {
      failed(e)
    } finally {
      clearTimeout(late)
    }
  }

  /**
   * Cancels the tasks, waits for their handlers, and leaves.
   * @param {string} why
   * @param {number} patience in milliseconds
   */
  async #end(why, patience) {
    const key = this.#key
    for (const work of this.#works.values()) work.cancel(Object.assign(new Error(why), { retryable: true })) // it has not failed by itself
    await this.#idle(patience)
    if (key === this.#key) this.#leave() // otherwise the program is another agent meanwhile
  }

  /**
   * Waits until there is no task, or for so many milliseconds.
   * @param {number} [patience]
   */
  async #idle(patience) {
    if (this.#works.size === 0) return
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let late
    let told = () => {}
    await new Promise((resolve) => {
      told = () => void (this.#works.size === 0 && resolve(undefined))
      this.#settled.add(told)
      if (patience !== undefined) late = setTimeout(() => resolve(undefined), patience)
    })
    this.#settled.delete(told)
    clearTimeout(late)
  }

  #leave() {
    if (this.#leaving || this.#gone) return
    this.say('worker.leave', {}, true)
    this.#leaving = true
  }

  /** Lets the agent do the tasks that it has, and take no more. Then it ends. */
  async drain() {
    if (!this.#leaving && !this.#gone) {
      await this.call('worker.drain', {})
      await this.#idle()
      this.#leave()
    }
    await this.ended
  }

  /** Ends the agent. Its tasks are given to others. */
  async close() {
    for (const work of this.#works.values()) work.cancel(new Error('the agent was closed'))
    this.#leave()
    const late = setTimeout(() => this.#over.abort(new Error('closed')), LEAVE_MS)
    await this.ended.catch(() => {})
    clearTimeout(late)
  }
}

/**
 * @param {Host} host
 * @param {Library} library
 * @param {WorkerOptions} options
 * @param {Handler} handler
 * @returns {Promise<Worker>}
 */
export function serve(host, library, options, handler) {
  return new Promise((resolve, reject) => {
    /** @type {Worker} */
    const worker = new Worker(host, library, options, handler, () => resolve(worker))
    worker.ended.then(() => reject(options.signal?.aborted ? options.signal.reason : new Error('the agent was stopped before it began')), reject)
  })
}
