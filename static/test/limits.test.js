// Tests what exceeds the limit of a message: lists come in pages, and a message that can't be read or must not be sent
// fails with an error.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Skein } from '../client/index.js'
import { MAX_LINE, MAX_MESSAGE } from '../client/codes.js'
import { Peer } from './peer.js'
import { eventually } from './until.js'

const limit = { timeout: 60_000 }
const over = 'x'.repeat(MAX_LINE)

/**
 * @param {import('node:test').TestContext} t
 * @param {Peer} peer
 */
async function open(t, peer) {
  const skein = new Skein(peer.options)
  t.after(() => skein.close())
  await skein.ready
  return skein
}

test('a list is read page by page, to its end or to its limit', limit, async (t) => {
  const peer = new Peer()
  /** @type {any[]} */
  const asked = []
  peer.onrequest = (session, m) => {
    asked.push(m.params)
    const from = m.params.after ?? 10
    const nums = Array.from({ length: Math.min(3, m.params.limit ?? 3, from - 1) }, (_, i) => from - 1 - i)
    const records = nums.map((num) => ({ id: `x${num}`, num, name: String(num) }))
    const next = nums.at(-1) === 1 ? {} : { next: nums.at(-1) }
    session.answer(m, { agents: records, tasks: records, artifacts: records, types: records, namespaces: records, ...next, total: 9, counts: {}, bytes: 0 })
    return true
  }
  const skein = await open(t, peer)
  const all = await skein.list({ query: 'x' })
  assert.deepEqual(all.agents.map((a) => a.num), [9, 8, 7, 6, 5, 4, 3, 2, 1])
  assert.equal(all.total, 9)
  assert.equal(all.next, undefined)
  assert.deepEqual(asked, [{ query: 'x' }, { query: 'x', after: 7 }, { query: 'x', after: 4 }])
  const some = await skein.list({ limit: 5 })
  assert.deepEqual([some.agents.length, some.next], [5, 5])
  assert.deepEqual(asked.slice(3), [{ limit: 5 }, { limit: 2, after: 7 }])
  assert.deepEqual((await skein.list({ after: some.next, limit: 100 })).agents.map((a) => a.num), [4, 3, 2, 1])
  assert.equal((await skein.tasks.list()).tasks.length, 9)
  assert.equal((await skein.artifacts.list()).artifacts.length, 9)
  assert.equal((await skein.types()).length, 9)
  assert.equal((await skein.memory.namespaces()).length, 9)
})

test('an answer that is too long ends its request and no other, and is not asked for again', limit, async (t) => {
  const peer = new Peer()
  let sessions = 0
  peer.onrequest = (session, m) => {
    if (m.method === 'agent.list') session.answer(m, { agents: [], more: over })
    else if (m.method === 'agent.get') session.raw(`{"jsonrpc":"2.0","result":"${over}","id":${m.id}}\n`)
    else if (m.method === 'admission.get' && peer.sessions.length > sessions) session.answer(m, { closed: true })
    return true
  }
  const skein = await open(t, peer)
  sessions = peer.sessions.length
  const other = skein.admission.get()
  await eventually(() => peer.requests.length === 1)
  await assert.rejects(skein.list(), { name: 'RpcError', kind: 'too_large', message: new RegExp(String(MAX_LINE)) })
  assert.deepEqual(await other, { closed: true })
  await assert.rejects(skein.get('a1'), { name: 'RpcError', kind: 'too_large' }) // the request that it answers is unknown
  await skein.admission.get()
  assert.equal(peer.requests.filter((m) => m.method === 'agent.list').length, 1)
  assert.equal(peer.requests.filter((m) => m.method === 'agent.get').length, 1)
})

test('a watch whose message is too long ends', limit, async (t) => {
  const peer = new Peer()
  peer.onrequest = (session, m, lane) => {
    session.answer(m, { epoch: peer.epoch, recovered: true })
    lane.note('tasks', { tasks: [], more: over })
    return true
  }
  const skein = await open(t, peer)
  await assert.rejects(skein.tasks.watch().next(), { name: 'SkeinError', kind: 'too_large', message: new RegExp(String(MAX_LINE)) })
  assert.equal(peer.requests.length, 1)
})

test('a status lane whose message is too long closes the client for good', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  peer.session.note('status.update', { agents: [], more: over })
  await assert.rejects(skein.closed, { kind: 'closed', code: 3503, message: new RegExp(String(MAX_LINE)) })
  assert.equal(peer.connects, 1)
})

test('a request that is too long is not sent', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  const query = 'x'.repeat(MAX_MESSAGE)
  const refused = { kind: 'too_large', message: new RegExp(String(MAX_MESSAGE)) }
  await assert.rejects(skein.list({ query }), refused)
  await assert.rejects(skein.tasks.watch({ filter: { query } }).next(), refused)
  await assert.rejects(skein.events(query).next(), { kind: 'too_large', message: /4096/ })
  assert.equal(peer.requests.length, 0)
})
