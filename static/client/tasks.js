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

/** Tasks submits, reads and follows tasks. */
export class Tasks {
  #host

  /** @param {Host} host */
  constructor(host) {
    this.#host = host
  }

  /**
   * Submits one task, or several: all or none of them. For a spec whose idempotency key was used before, it makes no task
   * and returns the earlier one. If the records of many tasks do not fit one message, they are `trimmed`, and get() returns
   * each in full.
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
   * Lists the tasks that match, newest first: all of them, or `limit`. It sends as many requests as it takes. Tasks that
   * are submitted while the list is read are not in it. The records have only the beginning of each payload; get() returns
   * them in full.
   * @param {wire.TaskFilter} [filter]
   * @param {CallOptions} [options]
   * @returns {Promise<wire.TaskListResult>}
   */
  list(filter = {}, options) {
    return pages(this.#host.call, 'task.list', 'tasks', filter, options)
  }

  /**
   * Cancels tasks, each with all tasks below it. It returns the ids of the canceled ones, without those that had ended before.
   * @param {string | string[]} ids
   * @param {CallOptions & {reason?: string}} [options]
   * @returns {Promise<string[]>}
   */
  async cancel(ids, { reason, ...options } = {}) {
    const params = { ids: typeof ids === 'string' ? [ids] : ids, ...(reason && { reason }) }
    return (await this.#host.call('task.cancel', params, options)).canceled ?? []
  }

  /**
   * Starts a task again that has ended, with a new set of attempts.
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Task>}
   */
  retry(id, options) {
    return this.#host.call('task.retry', { id }, options)
  }

  /**
   * Fans out inputs, one child task each. It returns the parent task; results() has the children's results as they complete.
   * @param {OrchestrateInit} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Task>}
   */
  orchestrate({ task, inputs, reduce, ...rest }, options) {
    const params = { ...rest, task: toSpec(task), inputs: inputs.map(toPayload), ...(reduce && { reduce: toSpec(reduce) }) }
    return this.#host.call('task.orchestrate', params, options)
  }

  /**
   * Watches the tasks that match: first those that exist, then every change, as updates. `tasks` are new or changed,
   * `removed` no longer exist, and `reset` says to forget everything from before. The watch goes on over reconnects until
   * its iteration is left or aborted.
   * @param {object} [options]
   * @param {wire.TaskFilter} [options.filter]
   * @param {number} [options.after] the `cursor` of an earlier update: only later changes follow
   * @param {string} [options.epoch] the epoch of that update
   * @param {wire.TaskHTML} [options.html] a component of Skein's own pages: updates have the changed tasks as HTML, too
   * @param {AbortSignal} [options.signal]
   * @returns {AsyncGenerator<wire.TaskUpdate & Position, never, void>}
   */
  watch({ filter = {}, html, after, epoch, signal } = {}) {
    return watch(this.#host, { lane: 'task', method: 'task.watch', note: 'tasks', params: { filter, html }, after, epoch, signal })
  }

  /**
   * Renders tasks as parts of Skein's own pages. It takes at most 100 ids and returns the HTML by id; tasks that are gone
   * are left out.
   * @param {string[]} ids
   * @param {wire.TaskHTML} html
   * @param {CallOptions} [options]
   * @returns {Promise<Record<string, string>>}
   */
  async render(ids, html, options) {
    return (await this.#host.call('task.render', { ids, html }, options)).html
  }

  /**
   * Reads the results of an orchestration in the order of completion, each once, over reconnects:
   *
   *     const results = skein.tasks.results(task.id)
   *     for await (const { index, output } of results) console.log(index, payloadText(output))
   *     const all = await results.aggregate()
   * @param {string} id
   * @param {object} [options]
   * @param {number} [options.after] the ordinal of the last result to skip
   * @param {boolean} [options.html] whether results have their part of Skein's own page, too
   * @param {AbortSignal} [options.signal]
   */
  results(id, options) {
    return new Results(readResults(this.#host, id, options))
  }
}

/**
 * Results iterates over the results of an orchestration, once. The return value of the iteration is the orchestration's
 * task as it ended; aggregate() returns it too.
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
   * Returns the task as it ended; its `result` combines the results according to the mode. It reads to the end and skips
   * the results that were not iterated over.
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
