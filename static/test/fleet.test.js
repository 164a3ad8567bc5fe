import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fleet } from '../client/fleet.js'
import { epochHash, formatStatus } from '../client/status.js'
import { eventually } from './until.js'

const epoch = 'e5xk3'

/**
 * @param {number} num
 * @param {number} rev
 * @param {object} [more]
 * @returns {import('../client/types.js').Agent}
 */
function agent(num, rev, more) {
  return {
    id: `a${num}`,
    num,
    name: `agent ${num}`,
    type: 'shell',
    kind: 'exec',
    node: 'node-1',
    generation: 1,
    desired: 'run',
    status: 'running',
    created_at: '2026-01-01T00:00:00Z',
    usage: { cpu: 0, rss: 0, processes: 1, cpu_time: 5 },
    last_seq: 0,
    rev,
    ...more,
  }
}

/**
 * @param {number} seq
 * @param {import('../client/types.js').Agent[]} agents
 * @param {{part?: number, parts?: number, epoch?: string, admission?: object}} [more]
 */
function snapshot(seq, agents, more) {
  return { jsonrpc: /** @type {const} */ ('2.0'), method: 'status.snapshot', params: { seq, part: 0, parts: 1, agents, epoch, ...more } }
}

/** @param {{agents?: import('../client/types.js').Agent[], removed?: string[], admission?: object}} params */
function update(params) {
  return { jsonrpc: /** @type {const} */ ('2.0'), method: 'status.update', params }
}

/**
 * @param {number} seq
 * @param {Partial<import('../client/status.js').StatusRecord>[]} records
 * @param {string} [of]
 */
function datagram(seq, records, of = epoch) {
  const base = { num: 1, rev: 1, status: /** @type {const} */ ('running'), activity: /** @type {const} */ (''), reason: /** @type {const} */ (''), processes: 1, cpu: 0, exitCode: 0, rss: 0, heartbeatMs: 0, lastSeq: 0 }
  return formatStatus({ epoch: epochHash(of), seq, records: records.map((r) => ({ ...base, ...r })) })
}

/** @param {import('../client/types.js').Agent[]} agents */
function open(...agents) {
  const fleet = new Fleet()
  let asked = 0
  fleet.open(epoch)
  fleet.attach(() => asked++)
  fleet.receive(snapshot(0, agents))
  return { fleet, asked: () => asked }
}

test('a snapshot in parts replaces the fleet when it is whole', () => {
  const { fleet } = open(agent(1, 1), agent(2, 1))
  let told = 0
  fleet.addEventListener('snapshot', () => told++)
  fleet.receive(snapshot(5, [agent(2, 2)], { parts: 2 }))
  assert.deepEqual([...fleet.agents.keys()], ['a1', 'a2'])
  fleet.receive(snapshot(5, [agent(3, 1)], { part: 1, parts: 2 }))
  assert.deepEqual([...fleet.agents.keys()].sort(), ['a2', 'a3'])
  assert.equal(fleet.agents.get('a2')?.rev, 2)
  assert.equal(told, 1)
})

test('a snapshot with a part missing is asked for again', () => {
  const { fleet, asked } = open(agent(1, 1))
  fleet.receive(snapshot(5, [agent(2, 1)], { parts: 3 }))
  fleet.receive(snapshot(5, [agent(3, 1)], { part: 2, parts: 3 }))
  assert.deepEqual([...fleet.agents.keys()], ['a1'])
  assert.equal(asked(), 1)
})

test('what comes between the parts of a snapshot is kept', () => {
  const { fleet } = open(agent(1, 1), agent(2, 1))
  fleet.receive(snapshot(5, [agent(1, 1), agent(2, 1)], { parts: 2 }))
  fleet.receive(update({ agents: [agent(1, 4), agent(9, 1)], removed: ['a2'] }))
  fleet.receive(snapshot(5, [agent(3, 1)], { part: 1, parts: 2 }))
  assert.deepEqual([...fleet.agents.keys()].sort(), ['a1', 'a3', 'a9'])
  assert.equal(fleet.agents.get('a1')?.rev, 4)
})

test('the greater revision wins, whatever brought it', () => {
  const { fleet } = open(agent(1, 5))
  const rev = () => fleet.agents.get('a1')?.rev
  fleet.receive(update({ agents: [agent(1, 4)] }))
  assert.equal(rev(), 5)
  fleet.datagram(datagram(1, [{ rev: 4 }]))
  assert.equal(rev(), 5)
  fleet.datagram(datagram(2, [{ rev: 7, status: 'exited' }]))
  assert.equal(rev(), 7)
  fleet.receive(update({ agents: [agent(1, 6)] }))
  assert.equal(fleet.agents.get('a1')?.status, 'exited')
  fleet.receive(snapshot(2, [agent(1, 6)]))
  assert.equal(rev(), 7)
  fleet.receive(update({ agents: [agent(1, 8, { name: 'renamed' })] }))
  assert.equal(fleet.agents.get('a1')?.name, 'renamed')
})

test('a complete record that a datagram overtook has the values that datagrams do not', () => {
  const { fleet } = open(agent(1, 1), agent(2, 1))
  const a = (/** @type {string} */ id) => fleet.agents.get(id)
  fleet.datagram(datagram(1, [{ rev: 3, cpu: 0.5, activity: 'running', lastSeq: 9 }, { num: 2, rev: 3, status: 'exited', exitCode: 1, lastSeq: 5 }]))
  fleet.receive(update({ agents: [agent(1, 2, { last_line: 'one', activity: 'requires_action', question: 'go on?', last_seq: 8, usage: { cpu: 9, rss: 9, processes: 9, cpu_time: 7 } })] }))
  const { rev, last_line, activity, question, last_seq, usage } = a('a1') ?? agent(0, 0)
  assert.deepEqual({ rev, last_line, activity, question, last_seq, usage }, { rev: 3, last_line: 'one', activity: 'running', question: undefined, last_seq: 9, usage: { cpu: 0.5, rss: 0, processes: 1, cpu_time: 7 } })
  fleet.receive(snapshot(1, [agent(1, 2), agent(2, 2, { last_line: 'two' })]))
  assert.equal(a('a1')?.last_line, 'one', 'the same revision says nothing new')
  assert.equal(a('a2')?.last_line, 'two')
  assert.equal(a('a2')?.status, 'exited')
  assert.equal(a('a2')?.exit?.code, 1)
  fleet.receive(update({ agents: [agent(2, 1, { last_line: 'none' })] }))
  assert.equal(a('a2')?.last_line, 'two', 'an older record changes nothing')
  fleet.receive(update({ agents: [agent(1, 4, { last_line: 'three' })] }))
  assert.equal(a('a1')?.last_line, 'three')
})

test('at the same revision the later datagram wins', () => {
  const { fleet } = open(agent(1, 1))
  fleet.datagram(datagram(1, [{ cpu: 0.1 }]))
  fleet.datagram(datagram(3, [{ cpu: 0.3 }]))
  fleet.datagram(datagram(2, [{ cpu: 0.2 }]))
  assert.equal(fleet.agents.get('a1')?.usage.cpu, 0.3)
})

test('a datagram changes what it carries, and nothing else', () => {
  const { fleet } = open(agent(1, 1, { activity: 'requires_action', question: 'go on?', last_line: 'hm' }))
  const before = fleet.agents.get('a1')
  const from = Date.now()
  fleet.datagram(datagram(1, [{ rev: 2, activity: 'running', cpu: 1.5, rss: 4096, processes: 3, lastSeq: 12, heartbeatMs: 1000 }]))
  const to = Date.now()
  const after = fleet.agents.get('a1')
  assert.notEqual(after, before)
  assert.deepEqual(after?.usage, { cpu: 1.5, rss: 4096, processes: 3, cpu_time: 5 })
  assert.equal(after?.activity, 'running')
  assert.equal(after?.question, undefined)
  assert.equal(after?.last_line, 'hm')
  assert.equal(after?.last_seq, 12)
  const heartbeat = Date.parse(after?.last_heartbeat ?? '')
  assert.ok(from - 1000 <= heartbeat && heartbeat <= to - 1000, after?.last_heartbeat)
  assert.equal(before?.activity, 'requires_action')
})

test('records of agents that are not known yet wait for them', () => {
  const { fleet } = open()
  fleet.datagram(datagram(1, [{ num: 7, rev: 3, status: 'exited', reason: 'failed', exitCode: 2 }]))
  assert.equal(fleet.agents.size, 0)
  fleet.receive(update({ agents: [agent(7, 2)] }))
  assert.equal(fleet.agents.get('a7')?.status, 'exited')
  assert.equal(fleet.agents.get('a7')?.exit?.code, 2)
})

test('datagrams of another epoch, and broken ones, are dropped', () => {
  const { fleet } = open(agent(1, 1))
  fleet.datagram(datagram(1, [{ rev: 9 }], 'another'))
  fleet.datagram(datagram(1, [{ rev: 9 }]).subarray(0, 40))
  fleet.datagram(new Uint8Array(0))
  assert.equal(fleet.agents.get('a1')?.rev, 1)
})

test('a gap asks for a snapshot, once a second', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1e12 })
  const { fleet, asked } = open(agent(1, 1))
  fleet.datagram(datagram(1, []))
  fleet.datagram(datagram(3, []))
  assert.equal(asked(), 0)
  t.mock.timers.tick(100)
  assert.equal(asked(), 1)
  fleet.datagram(datagram(5, []))
  t.mock.timers.tick(100)
  fleet.datagram(datagram(9, []))
  t.mock.timers.tick(100)
  assert.equal(asked(), 1)
  t.mock.timers.tick(800)
  assert.equal(asked(), 2)
  t.mock.timers.tick(5000)
  assert.equal(asked(), 2)
})

test('a gap that late datagrams or a snapshot fill causes no request', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1e12 })
  const { fleet, asked } = open(agent(1, 1))
  fleet.datagram(datagram(3, []))
  fleet.datagram(datagram(2, []))
  fleet.datagram(datagram(1, []))
  t.mock.timers.tick(5000)
  assert.equal(asked(), 0)
  fleet.datagram(datagram(6, []))
  fleet.receive(snapshot(5, [agent(1, 1)]))
  t.mock.timers.tick(5000)
  assert.equal(asked(), 0)
  fleet.receive(snapshot(20, [agent(1, 1)]))
  fleet.datagram(datagram(21, []))
  t.mock.timers.tick(5000)
  assert.equal(asked(), 0)
})

test('a new session accepts the first snapshot as it is, and counts datagrams from 1', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1e12 })
  const { fleet, asked } = open(agent(1, 50), agent(2, 1))
  fleet.datagram(datagram(1, [{ rev: 51 }]))
  fleet.close()
  assert.equal(fleet.agents.size, 2)
  fleet.open(epoch)
  assert.equal(fleet.ready, false)
  fleet.attach(() => assert.fail('no gap'))
  fleet.datagram(datagram(1, [{ rev: 8, cpu: 2 }]))
  assert.equal(fleet.agents.get('a1')?.rev, 51)
  fleet.receive(snapshot(0, [agent(1, 7)]))
  assert.equal(fleet.ready, true)
  assert.equal(fleet.agents.size, 1)
  assert.equal(fleet.agents.get('a1')?.rev, 8)
  t.mock.timers.tick(5000)
  assert.equal(asked(), 0)
})

test('admission comes with snapshots and updates; what is newer stays', () => {
  const fleet = new Fleet()
  /** @type {any[]} */
  const told = []
  fleet.addEventListener('admission', () => told.push(fleet.admission))
  fleet.open(epoch)
  assert.equal(fleet.admission, undefined)
  const since = '2026-01-01T00:00:00Z'
  fleet.receive(snapshot(0, [], { admission: { closed: false } }))
  fleet.receive(update({ admission: { closed: true, since } }))
  fleet.receive(update({ agents: [agent(1, 1)] }))
  fleet.receive(snapshot(1, [], { admission: { closed: true, since } })) // unchanged
  assert.deepEqual(told, [{ closed: false }, { closed: true, since }])
  fleet.receive(snapshot(2, [], { parts: 2, admission: { closed: true, since } }))
  fleet.receive(update({ admission: { closed: false, types: ['coder'] } }))
  fleet.receive(snapshot(2, [], { part: 1, parts: 2, admission: { closed: true, since } }))
  assert.deepEqual(fleet.admission, { closed: false, types: ['coder'] })
  assert.equal(told.length, 3)
})

test('many changes come as one event', async () => {
  const { fleet } = open(agent(1, 1), agent(2, 1))
  /** @type {[string[], string[]][]} */
  const told = []
  fleet.addEventListener('change', (/** @type {any} */ e) => told.push([e.agents, e.removed]))
  fleet.receive(update({ agents: [agent(1, 2)] }))
  fleet.receive(update({ agents: [agent(1, 3), agent(3, 1)], removed: ['a2'] }))
  await eventually(() => told.length > 0)
  assert.deepEqual(told, [[['a1', 'a3'], ['a2']]])
})
