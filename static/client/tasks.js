import { RpcError, SkeinError } from './errors.js'
import { pages } from './pages.js'
import { toPayload } from './payload.js'
import { resume } from './resume.js'
import { watch } from './watch.js'

/** @import * as wire from './types.js' */
/** @import { Host } from './resume.js' */
/** @import { Lane } from './lane.js' */
/** @import { CallOptions } from './rpc.js' */
/** @import { PayloadInit } from './payload.js' */
/** @import { Position } from './watch.js' */

/**
 * @typedef {Omit<wire.TaskSpec, 'input'> & {input?: PayloadInit}} TaskInit a task's spec; its input may be a string or bytes
 *
 * @typedef {Omit<wire.OrchestrateParams, 'task' | 'inputs' | 'reduce'> & {task: TaskInit, inputs: PayloadInit[], reduce?: TaskInit}} OrchestrateInit
 */

/** The tasks of a client. */
export class Tasks {
  #host

  /** @param {Host} host */
  constructor(host) {
    this.#host = host
  }

  /**
   * Submits one task, or several, all or none. One whose idempotency key is there already is not made: the earlier task
   * is given. Where the records of many do not fit into one message, they are `trimmed`: get() has the rest of each.
   * @overload
   * @param {TaskInit} spec
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Task>}
   */
  /**
   * @overload
   * @param {TaskInit[]} spec
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Task[]>}
   */
  /**
   * @param {TaskInit | TaskInit[]} spec
   * @param {CallOptions} [options]
   */
  async submit(spec, options) {
    const specs = Array.isArray(spec) ? spec : [spec]
    const { tasks } = await this.#host.call('task.submit', { tasks: specs.map(toSpec) }, options)
    return Array.isArray(spec) ? tasks : tasks[0]
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Task>}
   */
  get(id, options) {
    return this.#host.call('task.get', { id }, options)
  }

  /**
   * The tasks that match, newest first, however many messages they take: all, or `limit`. One that comes while the pages are
   * read is not among them. They have the beginnings of their payloads; get() has all of them.
   * @param {wire.TaskFilter} [filter]
   * @param {CallOptions} [options]
   * @returns {Promise<wire.TaskListResult>}
   */
  list(filter = {}, options) {
    return pages(this.#host.call, 'task.list', 'tasks', filter, options)
  }

  /**
   * Cancels tasks, each with all below it. Gives the ids of those that were canceled: the ones that were over are left out.
   * @param {string | string[]} ids
   * @param {CallOptions & {reason?: string}} [options]
   * @returns {Promise<string[]>}
   */
  async cancel(ids, { reason, ...options } = {}) {
    const params = { ids: typeof ids === 'string' ? [ids] : ids, ...(reason && { reason }) }
    return (await this.#host.call('task.cancel', params, options)).canceled ?? []
  }

  /**
   * Gives a task that is over new attempts.
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Task>}
   */
  retry(id, options) {
    return this.#host.call('task.retry', { id }, options)
  }

  /**
   * Fans inputs out, one child task each. The answer is the task that stands for all of them; results() has the
   * children's results as they complete.
   * @param {OrchestrateInit} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Task>}
   */
  orchestrate({ task, inputs, reduce, ...rest }, options) {
    const params = { ...rest, task: toSpec(task), inputs: inputs.map(toPayload), ...(reduce && { reduce: toSpec(reduce) }) }
    return this.#host.call('task.orchestrate', params, options)
  }

  /**
   * The tasks that match, and then every change, as updates: `tasks` are new or changed, `removed` are forgotten, and
   * `reset` says that what came before is void. It goes on over reconnects until it is left or aborted.
   * @param {object} [options]
   * @param {wire.TaskFilter} [options.filter]
   * @param {number} [options.after] the `cursor` of an update from before: what changed since follows
   * @param {string} [options.epoch] its epoch
   * @param {wire.TaskHTML} [options.html] a component of Skein's own pages: updates have what changes as that, too
   * @param {AbortSignal} [options.signal]
   * @returns {AsyncGenerator<wire.TaskUpdate & Position, never, void>}
   */
  watch({ filter = {}, html, after, epoch, signal } = {}) {
    return watch(this.#host, { lane: 'task', method: 'task.watch', note: 'tasks', params: { filter, html }, after, epoch, signal })
  }

  /**
   * Tasks as parts of Skein's own pages, by id; 100 at most are asked for at once. Those that are gone are left out.
   * @param {string[]} ids
   * @param {wire.TaskHTML} html
   * @param {CallOptions} [options]
   * @returns {Promise<Record<string, string>>}
   */
  async render(ids, html, options) {
    return (await this.#host.call('task.render', { ids, html }, options)).html
  }

  /**
   * The results of an orchestration in the order of completion, each once, over reconnects:
   *
   *     const results = skein.tasks.results(task.id)
   *     for await (const { index, output } of results) console.log(index, payloadText(output))
   *     const all = await results.aggregate()
   * @param {string} id
   * @param {object} [options]
   * @param {number} [options.after] the ordinal of the last result that is known already
   * @param {boolean} [options.html] results have a part of Skein's own page, too
   * @param {AbortSignal} [options.signal]
   */
  results(id, options) {
    return new Results(readResults(this.#host, id, options))
  }
}

/**
 * The results of an orchestration, to be iterated once. The iteration's return value is the orchestration's task as it
 * ended; aggregate() gives it too.
 * @implements {AsyncGenerator<wire.Result, wire.Task, void>}
 */
export class Results {
  #results
  /** @type {wire.Task | undefined} */
  #task

  /** @param {AsyncGenerator<wire.Result, wire.Task, void>} results */
  constructor(results) {
    this.#results = results
  }

  [Symbol.asyncIterator]() {
    return this
  }

  async [Symbol.asyncDispose]() {
    await this.#results.return(/** @type {any} */ (undefined))
  }

  /** @returns {Promise<IteratorResult<wire.Result, wire.Task>>} */
  async next() {
    const step = await this.#results.next()
    if (step.done && step.value) this.#task = step.value
    return step
  }

  /** @param {wire.Task | PromiseLike<wire.Task>} value */
  return(value) {
    return this.#results.return(value)
  }

  /** @param {unknown} error */
  throw(error) {
    return this.#results.throw(error)
  }

  /**
   * The task as it ended, with what its mode made of the results in `result`. It reads on to the end: results that
   * nobody took are passed over.
   * @returns {Promise<wire.Task>}
   */
  async aggregate() {
    while (!this.#task) {
      const step = await this.next()
      if (step.done && !this.#task) throw new SkeinError('closed', 'the results were left before their end')
    }
    return this.#task
  }
}

/**
 * @param {Host} host
 * @param {string} task
 * @param {{after?: number, html?: boolean, signal?: AbortSignal}} [options]
 * @returns {AsyncGenerator<wire.Result, wire.Task, void>}
 */
function readResults(host, task, { after = 0, html, signal } = {}) {
  /**
   * @param {Lane} lane
   * @returns {AsyncGenerator<wire.Result, {value: wire.Task} | void, void>}
   */
  async function* read(lane) {
    for (let m = await lane.read(); m; m = await lane.read()) {
      signal?.throwIfAborted()
      if (m.error) throw new RpcError(m.error)
      if (m.method === 'aggregate') return { value: m.params.task }
      if (m.method !== 'result' || m.params.ordinal <= after) continue
      after = m.params.ordinal
      yield m.params
    }
  }
  return resume(host, { header: () => ({ lane: 'result', task, html, ...(after > 0 && { after }) }), read, detail: () => ({ task, after }), signal })
}

/**
 * @param {TaskInit} spec
 * @returns {wire.TaskSpec}
 */
function toSpec({ input, ...rest }) {
  return input === undefined ? rest : { ...rest, input: toPayload(input) }
}
