// Tests the program's side of a worker lane against a server that the test plays.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { RpcError, SkeinError } from '../client/errors.js'
import { Memory } from '../client/memory.js'
import { payloadBytes, toPayload } from '../client/payload.js'
import { resume } from '../client/resume.js'
import { serve } from '../client/worker.js'

const limit = { timeout: 20_000 }
const awake = setInterval(() => {}, 1000) // a test that waits for ever fails by its own limit
after(() => clearInterval(awake))
const library = { resume, RpcError, Memory, toPayload, payloadBytes }

/** A lane, as its server sees it. */
class Played {
  /** @type {any[]} */
  heard = []
  /** @type {any[]} */
  #queue = []
  #wake = () => {}
  #told = () => {}

  /** @param {any} join */
  constructor(join) {
    this.join = join
    this.say({ id: 'join', result: { agent: 'a1', name: 'far', received: 0, lease_ms: 30_000 } })
  }

  /** @param {object} message */
  say(message) {
    this.#queue.push({ jsonrpc: '2.0', ...message })
    this.#wake()
  }

  end() {
    this.#queue.push(undefined)
    this.#wake()
  }

  break() {
    this.#queue.push(new SkeinError('connection_lost', 'cut by the test'))
    this.#wake()
  }

  async read() {
    while (this.#queue.length === 0) await new Promise((resolve) => (this.#wake = () => resolve(undefined)))
    const m = this.#queue.shift()
    if (m instanceof Error) throw m
    return m
  }

  /** @param {Uint8Array} bytes */
  async push(bytes) {
    this.heard.push(JSON.parse(new TextDecoder().decode(bytes)))
    this.#told()
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** Waits for a message with this method. @param {string} method */
  async hears(method) {
    for (;;) {
      const m = this.heard.find((x) => x.method === method)
      if (m) return m
      await new Promise((resolve) => (this.#told = () => resolve(undefined)))
    }
  }

  async cancel() {}
}

/** @param {(lane: Played, n: number) => void} [opened] */
function server(opened = () => {}) {
  /** @type {Played[]} */
  const lanes = []
  const over = new AbortController()
  const session = {
    over: over.signal,
    openLane: async (/** @type {any} */ _, /** @type {any} */ join) => {
      const lane = new Played(join)
      lanes.push(lane)
      opened(lane, lanes.length)
      return lane
    },
  }
  const host = /** @type {any} */ ({ session: async () => session, call: async () => ({}), nextId: () => 1, log: () => {} })
  return { host, lanes }
}

const forever = () => new Promise(() => {})

test('a drain and a stop at the same time both end', limit, async () => {
  const { host, lanes } = server()
  const worker = await serve(host, library, {}, (task) => new Promise((_, reject) => task.signal.addEventListener('abort', () => reject(task.signal.reason))))
  lanes[0].say({ method: 'task.run', params: { task: 't1', attempt: 1, input: '', priority: 'normal' } })
  const drained = [worker.drain(), worker.drain()]
  for (const id of [1, 2]) lanes[0].say({ id, result: {} })
  await new Promise((resolve) => setTimeout(resolve, 10))
  lanes[0].say({ method: 'worker.stop', params: { grace_ms: 5000 } })
  const failed = await lanes[0].hears('task.error')
  assert.equal(failed.params.retryable, true, 'the task has not failed by itself')
  await lanes[0].hears('worker.leave')
  lanes[0].end()
  await Promise.all(drained)
  assert.equal(await worker.ended, 'stopped')
  await worker.drain()
  await worker.close()
  await worker.close()
})

test('the end of a task is said, however much waits for the server, and whatever is thrown', limit, async () => {
  const { host, lanes } = server()
  /** @type {Record<string, () => unknown>} */
  const handlers = {
    much: () => { throw null },
    bare: () => { throw Object.create(null) },
    nothing: () => undefined,
    code: () => () => 1,
  }
  await serve(host, library, { concurrency: 9 }, (task) => {
    if (task.id === 'much') for (;;) task.print('a line that is short\n')
    return handlers[task.id]()
  })
  for (const task of ['much', 'bare', 'nothing', 'code']) lanes[0].say({ method: 'task.run', params: { task, attempt: 1, input: '', priority: 'normal' } })
  await new Promise((resolve) => setTimeout(resolve, 100))
  lanes[0].break()
  while (lanes.length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
  const ends = new Set()
  lanes[1].push = async (bytes) => {
    const m = JSON.parse(new TextDecoder().decode(bytes))
    if (m.method.startsWith('task.')) ends.add(m.params.task)
  }
  while (ends.size < 4) await new Promise((resolve) => setTimeout(resolve, 10))
  lanes[1].end()
})

for (const busy of [false, true]) {
  test(`a program that the server has told to stop because it restarts joins again, though the connection breaks, ${busy ? 'and it has a task' : 'after it has left'}`, limit, async () => {
    const { host, lanes } = server((lane, n) => {
      if (n !== 2) return
      lane.read = async () => /** @type {any} */ ({ id: 'join', error: { code: -32000, message: 'agent a1 was stopped', data: { kind: 'failed_precondition' } } })
    })
    let ended = false
    const worker = await serve(host, library, {}, forever)
    worker.ended.then(() => (ended = true), () => {})
    if (busy) lanes[0].say({ method: 'task.run', params: { task: 't1', attempt: 1, input: '', priority: 'normal' } })
    lanes[0].say({ method: 'worker.stop', params: { grace_ms: 5000, restart: true } })
    if (!busy) await lanes[0].hears('worker.leave')
    lanes[0].break()
    while (lanes.length < 3 && !ended) await new Promise((resolve) => setTimeout(resolve, 10))
    assert.ok(!ended)
    assert.equal(lanes[2].join.params.agent, undefined)
    assert.notEqual(lanes[2].join.params.key, lanes[0].join.params.key)
    lanes[2].say({ method: 'task.run', params: { task: 't2', attempt: 1, input: '', priority: 'normal' } })
    lanes[2].say({ method: 'task.cancel', params: { task: 't2' } })
    const { params } = await lanes[2].hears('task.error')
    assert.equal(params.task, 't2')
    assert.ok(!lanes[2].heard.some((m) => m.method === 'worker.leave'))
    const closed = worker.close()
    await lanes[2].hears('worker.leave')
    lanes[2].end()
    await closed
  })
}

test('a program whose signal is aborted while it joins has not become an agent', limit, async () => {
  const over = new AbortController()
  const { host, lanes } = server((lane) => {
    over.abort(new Error('enough'))
    void lane.hears('worker.leave').then(() => lane.end())
  })
  await assert.rejects(serve(host, library, { signal: over.signal }, forever), { message: 'enough' })
  assert.equal(lanes.length, 1)
})
