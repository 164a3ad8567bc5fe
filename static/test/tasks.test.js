import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Skein, isTerminal, payloadBytes, payloadText } from '../client/index.js'
import { toPayload } from '../client/payload.js'
import { Peer } from './peer.js'
import { eventually } from './until.js'

const limit = { timeout: 60_000 }
const transports = /** @type {const} */ (['webtransport', 'websocket'])

/**
 * @param {import('node:test').TestContext} t
 * @param {Peer} peer
 * @param {import('../client/index.js').SkeinOptions} [options]
 */
async function open(t, peer, options) {
  const skein = new Skein({ ...peer.options, ...options })
  t.after(() => skein.close())
  await skein.ready
  return skein
}

test('every call of tasks, as it goes over the wire', limit, async (t) => {
  const peer = new Peer()
  peer.onrequest = (session, m) => {
    const tasks = (m.params.tasks ?? []).map((/** @type {any} */ spec, /** @type {number} */ i) => ({ ...spec, id: `t${i + 1}` }))
    session.answer(m, { id: 't1', tasks, canceled: ['t1', 't2'], total: 0, counts: {} })
    return true
  }
  const skein = await open(t, peer)
  const { tasks } = skein
  assert.equal((await tasks.submit({ type: 'coder', input: 'fix it' })).id, 't1')
  const two = await tasks.submit([{ key: 'a', type: 'coder', input: Uint8Array.of(0, 255) }, { type: 'coder', depends_on: ['#a'], input: { text: 'x' } }])
  assert.deepEqual(two.map((x) => x.id), ['t1', 't2'])
  await tasks.get('t1')
  await tasks.list({ states: ['failed'] })
  assert.deepEqual(await tasks.cancel('t1', { reason: 'no need' }), ['t1', 't2'])
  await tasks.cancel(['t1', 't2'])
  await tasks.retry('t1')
  await tasks.orchestrate({ task: { type: 'coder' }, inputs: ['a', Uint8Array.of(1)], mode: 'reduce', reduce: { type: 'writer', input: 'sum up' } })
  assert.deepEqual(
    peer.requests.map((m) => [m.method, m.params]),
    [
      ['task.submit', { tasks: [{ type: 'coder', input: { text: 'fix it' } }] }],
      ['task.submit', { tasks: [{ key: 'a', type: 'coder', input: { base64: 'AP8=' } }, { type: 'coder', depends_on: ['#a'], input: { text: 'x' } }] }],
      ['task.get', { id: 't1' }],
      ['task.list', { states: ['failed'] }],
      ['task.cancel', { ids: ['t1'], reason: 'no need' }],
      ['task.cancel', { ids: ['t1', 't2'] }],
      ['task.retry', { id: 't1' }],
      ['task.orchestrate', { mode: 'reduce', task: { type: 'coder' }, inputs: [{ text: 'a' }, { base64: 'AQ==' }], reduce: { type: 'writer', input: { text: 'sum up' } } }],
    ],
  )
})

test('stop and admission, as they go over the wire', limit, async (t) => {
  const peer = new Peer()
  peer.onrequest = (session, m) => {
    session.answer(m, m.method === 'agent.stop' ? { reports: null, canceled: ['t1'], closed: true } : { closed: true, types: ['coder'] })
    return true
  }
  const skein = await open(t, peer)
  assert.deepEqual(await skein.stop({ scope: 'task', tasks: ['t1'], grace_ms: 0 }), { reports: [], canceled: ['t1'], closed: true })
  await skein.stop({ scope: 'node', node: 'kiln', reopen: true })
  assert.deepEqual(await skein.admission.get(), { closed: true, types: ['coder'] })
  await skein.admission.set({ type: 'coder', closed: true, reason: 'it loops' })
  assert.deepEqual(
    peer.requests.map((m) => [m.method, m.params]),
    [
      ['agent.stop', { scope: 'task', tasks: ['t1'], grace_ms: 0 }],
      ['agent.stop', { scope: 'node', node: 'kiln', reopen: true }],
      ['admission.get', {}],
      ['admission.set', { type: 'coder', closed: true, reason: 'it loops' }],
    ],
  )
})

test('payloads: text, bytes, and text that JSON would lengthen', () => {
  assert.deepEqual(toPayload('häh\n'), { text: 'häh\n' })
  assert.deepEqual(toPayload(new Uint8Array([104, 105]).buffer), { base64: 'aGk=' })
  const controls = '\u0000'.repeat(100)
  assert.deepEqual(Object.keys(toPayload(controls)), ['base64'])
  assert.equal(payloadText(toPayload(controls)), controls)
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7)
  assert.deepEqual(payloadBytes(toPayload(bytes)), bytes)
  assert.deepEqual(payloadBytes({ text: 'hä' }), Uint8Array.of(104, 195, 164))
  assert.deepEqual(payloadBytes(undefined), new Uint8Array(0))
  assert.equal(payloadText({}), '')
  assert.equal(payloadText({ base64: '/w==' }), '\ufffd')
  assert.deepEqual([isTerminal('working'), isTerminal('canceled'), isTerminal('of a later version')], [false, true, false])
})

/**
 * An orchestration whose results the test sends.
 * @param {Peer} peer
 */
function orchestration(peer) {
  const it = {
    /** @type {any[]} */ results: [],
    /** @type {any} */ task: undefined,
    /** @type {any[]} */ headers: [],
    news: Promise.withResolvers(),
    /** @param {number} ordinal */
    add(ordinal) {
      this.results.push({ ordinal, index: 100 - ordinal, task: `t${ordinal}`, state: 'completed', output: { text: `out ${ordinal}` } })
      this.tell()
    },
    tell() {
      const { resolve } = this.news
      this.news = Promise.withResolvers()
      resolve(undefined)
    },
  }
  peer.onlane = (lane) => {
    if (lane.header.lane !== 'result') return false
    it.headers.push(lane.header)
    if (lane.header.task !== 't0') {
      lane.refuse({ jsonrpc: '2.0' }, -32006, 'it is no orchestration', { kind: 'failed_precondition' }).then(() => lane.end())
      return true
    }
    const serve = async () => {
      let gone = false
      lane.gone.then(() => (gone = true))
      for (let after = lane.header.after ?? 0; !gone; ) {
        const news = it.news.promise
        const r = it.results.find((x) => x.ordinal === after + 1)
        if (r) {
          after++
          await lane.note('result', r)
        } else if (it.task) {
          await lane.note('aggregate', { task: it.task })
          return lane.end()
        } else await Promise.race([news, lane.gone])
      }
    }
    serve()
    return true
  }
  return it
}

for (const transport of transports) {
  test(`results come in the order of completion, each once, over lost connections, over ${transport}`, limit, async (t) => {
    const peer = new Peer()
    const all = orchestration(peer)
    const skein = await open(t, peer, { transport })
    const results = skein.tasks.results('t0')
    /** @type {number[]} */
    const got = []
    const reading = (async () => {
      for await (const { ordinal } of results) got.push(ordinal)
    })()
    for (let i = 1; i <= 12; i++) {
      all.add(i)
      if (i % 4 === 0) {
        await eventually(() => got.length >= i - 2)
        peer.session.drop()
      }
    }
    all.task = { id: 't0', state: 'completed', result: { text: '[]' } }
    all.tell()
    await reading
    assert.deepEqual(got, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    assert.deepEqual(await results.aggregate(), all.task)
    assert.ok(all.headers.length > 1 && all.headers.slice(1).every((h) => h.after > 0))
    assert.deepEqual(all.headers[0], { lane: 'result', task: 't0' })
  })
}

test('the aggregate without the results, with some, and as the return value', limit, async (t) => {
  const peer = new Peer()
  const all = orchestration(peer)
  for (let i = 1; i <= 3; i++) all.add(i)
  all.task = { id: 't0', state: 'completed' }
  const skein = await open(t, peer)
  assert.deepEqual(await skein.tasks.results('t0').aggregate(), all.task)
  const results = skein.tasks.results('t0')
  assert.equal((await results.next()).value.ordinal, 1)
  assert.deepEqual(await Promise.all([results.aggregate(), results.aggregate()]), [all.task, all.task])
  const later = skein.tasks.results('t0', { after: 2 })
  assert.equal((await later.next()).value.ordinal, 3)
  assert.deepEqual(await later.next(), { done: true, value: all.task })
  const left = skein.tasks.results('t0')
  for await (const result of left) if (result) break
  await assert.rejects(left.aggregate(), { kind: 'closed' })
})

test('results of a task that is not an orchestration fail', limit, async (t) => {
  const peer = new Peer()
  orchestration(peer)
  const skein = await open(t, peer)
  await assert.rejects(skein.tasks.results('t9').next(), { name: 'RpcError', kind: 'failed_precondition' })
  await assert.rejects(skein.tasks.results('t9').aggregate(), { kind: 'failed_precondition' })
})

test('aborting results', limit, async (t) => {
  const peer = new Peer()
  orchestration(peer)
  const skein = await open(t, peer)
  const stop = new AbortController()
  const waiting = skein.tasks.results('t0', { signal: stop.signal }).aggregate()
  setTimeout(() => stop.abort(), 5)
  await assert.rejects(waiting, { name: 'AbortError' })
})
