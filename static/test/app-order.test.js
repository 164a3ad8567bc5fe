import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KEYS, Order } from '../app/fleet/order.js'

/** @import { Agent } from '../client/types.js' */

const START = Date.parse('2026-01-01T00:00:00Z')

/**
 * @param {number} num greater for newer agents
 * @param {Partial<Agent>} [more]
 * @returns {Agent}
 */
function agent(num, more) {
  return {
    id: `a${num}`, num, name: `agent-${num}`, type: 'shell', kind: 'exec', node: 'n', generation: 1, desired: 'run', status: 'running',
    created_at: new Date(START + num * 1000).toISOString(), usage: { cpu: 0, rss: 0, processes: 1, cpu_time: 0 }, last_seq: 0, rev: 1,
    ...more,
  }
}

/** @param {Partial<Agent>} [more] @returns {Partial<Agent>} */
const failed = (more) => ({ status: 'exited', reason: 'failed', exit: { code: 1 }, ...more })

/** @typedef {import('../app/fleet/order.js').Filter} Filter */

/** @param {Partial<Filter>} [filter] @returns {Filter} */
const by = (filter) => ({ query: '', type: '', label: '', node: '', state: '', sort: '', ...filter })

/** @param {Agent[]} agents */
function fleet(...agents) {
  const dismissed = new Set()
  const order = new Order((a) => dismissed.has(a.id))
  for (const a of agents) order.put(a)
  return { order, dismissed }
}

/**
 * The numbers of the agents in each group that has some.
 * @param {Order} order
 * @param {Partial<Filter>} [filter]
 */
function ids(order, filter) {
  const { groups } = order.arrange(by(filter))
  return Object.fromEntries(KEYS.flatMap((key) => (groups[key].length > 0 ? [[key, groups[key].map((e) => e.agent.num)]] : [])))
}

const ended = (/** @type {'completed' | 'stopped'} */ reason) => /** @type {const} */ ({ status: 'exited', reason, exit: { code: 0 } })

test('order: the groups, and the order in each', () => {
  const { order, dismissed } = fleet(
    agent(1), agent(2, failed()), agent(3, { activity: 'requires_action', asked_at: '2026-01-01T01:00:00Z' }), agent(4), agent(5, failed()),
    agent(6, { activity: 'requires_action', asked_at: '2026-01-01T00:30:00Z' }), agent(7, { stalled: true }), agent(8, { status: 'pending', crash_loop: true }),
    agent(9, ended('completed')), agent(10, ended('stopped')), agent(11, { for_task: 't1' }), agent(12, failed({ for_task: 't1' })),
    agent(13, { activity: 'requires_action', asked_at: '2026-01-01T02:00:00Z', for_task: 't1' }), agent(14, { status: 'pending', restart_at: 'soon' }),
    agent(15, { status: 'unknown' }), agent(16, { activity: 'idle' }),
  )
  const all = { needs: [6, 3, 13], failing: [15, 8, 7, 14, 5, 2], working: [4, 1, 16], finished: [9] }
  assert.deepEqual(ids(order), all)
  assert.deepEqual(ids(order, { state: 'ended' }), { ended: [10] })
  assert.deepEqual(ids(order, { state: 'tasks' }), { tasks: [12, 11] })
  assert.deepEqual(ids(order, { query: 'agent' }), { ...all, tasks: [12, 11], ended: [10] }, 'a word is looked for everywhere')
  for (const id of ['a3', 'a5', 'a7', 'a9']) dismissed.add(id)
  assert.deepEqual(ids(order), { needs: [6, 3, 13], failing: [15, 8, 14, 2], working: [7, 4, 1, 16] }, 'no question is dismissed')
  assert.deepEqual(ids(order, { state: 'ended' }), { ended: [10, 9, 5] })
  const { counts, living } = order.arrange(by())
  assert.deepEqual(counts, { '': 11, needs: 3, failing: 4, working: 4, ended: 3, tasks: 2, alive: 11 })
  assert.deepEqual([...living], [['shell', 11]])
})

test('order: a filter leaves out, and the counts stay', () => {
  const { order } = fleet(
    agent(1, { argv: ['sleep', '300'], node: 'east' }), agent(2, { type: 'coder', last_line: 'A Needle', labels: { team: 'a=b' } }),
    agent(3, failed({ labels: { team: 'core', tier: '' } })), agent(4, ended('completed')),
  )
  assert.deepEqual(ids(order, { query: 'needle' }), { working: [2] })
  assert.deepEqual(ids(order, { query: 'SLEEP 3' }), { working: [1] })
  assert.deepEqual(ids(order, { type: 'coder' }), { working: [2] })
  assert.deepEqual(ids(order, { state: 'working' }), { working: [2, 1] })
  assert.deepEqual(ids(order, { state: 'failing' }), { failing: [3] })
  assert.deepEqual(ids(order, { query: 'nowhere' }), {})
  assert.deepEqual(ids(order, { node: 'east' }), { working: [1] })
  assert.deepEqual(ids(order, { label: 'team=core' }), { failing: [3] })
  assert.deepEqual(ids(order, { label: 'team=a=b' }), { working: [2] })
  assert.deepEqual(ids(order, { label: 'tier=' }), { failing: [3] })
  assert.deepEqual(ids(order, { label: 'constructor=' }), {})
  const { counts, labels, nodes } = order.arrange(by({ query: 'nowhere' }))
  assert.equal(counts.working, 2)
  assert.deepEqual([[...labels].sort(), [...nodes].sort()], [['team=a=b', 'team=core', 'tier='], ['east', 'n']])
})

test('order: who has nothing to do stands below, but moves only on request', () => {
  const { order } = fleet(agent(1, { activity: 'running' }), agent(2, { activity: 'idle' }), agent(3, { activity: 'running' }))
  assert.deepEqual(ids(order), { working: [3, 1, 2] })
  assert.deepEqual([order.put(agent(3, { activity: 'idle' })), order.stale], [false, true])
  assert.deepEqual(ids(order), { working: [3, 1, 2] }, 'rows do not jump each time that an agent takes a breath')
  order.again()
  assert.deepEqual(ids(order), { working: [1, 3, 2] })
  assert.equal(order.stale, false)
  assert.deepEqual(ids(order, { sort: 'name' }), { working: [1, 2, 3] }, 'another order is what it says')
})

test('order: every order, and its reverse', () => {
  const { order } = fleet(
    agent(1, { name: 'demo-10', usage: { cpu: 0.5, rss: 1, processes: 1, cpu_time: 0 } }),
    agent(2, { name: 'Demo-9', type: 'coder', usage: { cpu: 0.9, rss: 3, processes: 1, cpu_time: 0 } }),
    agent(3, { name: 'beta', status: 'stopping', usage: { cpu: 0.1, rss: 2, processes: 1, cpu_time: 0 } }),
  )
  for (const [sort, want] of Object.entries({
    '': [3, 2, 1], age: [3, 2, 1], '-age': [1, 2, 3], name: [3, 2, 1], '-name': [1, 2, 3], type: [2, 3, 1], '-type': [3, 1, 2],
    status: [2, 1, 3], '-status': [3, 2, 1], cpu: [2, 1, 3], '-cpu': [3, 1, 2], memory: [2, 3, 1], '-memory': [1, 3, 2], nonsense: [3, 2, 1],
  })) assert.deepEqual(ids(order, { sort }).working, want, sort)
})

test('order: put says whether anything can have moved', () => {
  const { order } = fleet(agent(1), agent(2))
  ids(order, { query: 'agent' })
  const a = agent(1, { rev: 2, last_seq: 9, last_heartbeat: 'now', reason: '', usage: { cpu: 1, rss: 1, processes: 2, cpu_time: 0 } })
  assert.equal(order.put(a), false, 'numbers that the order does not go by')
  assert.equal(order.put({ ...a, last_line: 'another' }), false, 'it matched and matches')
  assert.equal(order.put({ ...a, status: 'stopping' }), false, 'its group stays')
  assert.equal(order.put({ ...a, status: 'exited', reason: 'failed' }), true)
  assert.equal(order.put({ ...a, activity: 'requires_action', asked_at: 'then' }), true)
  assert.equal(order.put({ ...a, activity: 'requires_action', asked_at: 'now' }), true, 'it asks something else')
  assert.equal(order.put({ ...a, name: 'other' }), true, 'it matches no more')
  assert.equal(order.put({ ...a, name: 'other', last_line: 'an agent' }), true, 'it matches again')
  assert.equal(order.put({ ...a, name: 'other', last_line: 'else' }), true, 'and no more')
  assert.equal(order.put({ ...a, name: 'other', last_line: 'else', summary: 'Asks an Agent' }), true, 'and by what it does')
  assert.equal(order.put(agent(3)), true)
  assert.equal(order.delete('a3'), true)
  assert.equal(order.delete('a3'), false)
})

test('order: in an order by changing values, agents move only on request', () => {
  const use = (/** @type {number} */ cpu) => ({ usage: { cpu, rss: 0, processes: 1, cpu_time: 0 } })
  const { order } = fleet(agent(1, use(3)), agent(2, use(2)), agent(3, use(1)))
  assert.deepEqual(ids(order, { sort: 'cpu' }).working, [1, 2, 3])
  assert.equal(order.put(agent(3, use(9))), false)
  assert.equal(order.put(agent(4, use(2.5))), true)
  assert.deepEqual(ids(order, { sort: 'cpu' }).working, [1, 4, 2, 3], 'the new one has its place, the others keep theirs')
  order.again()
  assert.deepEqual(ids(order, { sort: 'cpu' }).working, [3, 1, 4, 2])
})

test('order: after any changes it is what it would be from the start', () => {
  let seed = 7
  const random = (/** @type {number} */ n) => (seed = (seed * 48271) % 0x7fffffff) % n
  const statuses = /** @type {const} */ (['running', 'stopping', 'starting', 'exited', 'lost'])
  const reasons = /** @type {const} */ (['completed', 'failed', 'stopped'])
  const change = (/** @type {number} */ num) => {
    const status = statuses[random(statuses.length)]
    return agent(num, {
      status, reason: status === 'exited' ? reasons[random(3)] : '', name: `agent-${random(40)}`,
      activity: status === 'running' && random(9) === 0 ? 'requires_action' : '', last_line: `line ${random(5)}`,
    })
  }
  for (const filter of [{}, { sort: 'name' }, { sort: '-status' }, { query: 'line 3', sort: 'type' }, { query: 'agent-1', state: 'working' }]) {
    const { order } = fleet()
    /** @type {Map<number, Agent>} */
    const now = new Map()
    for (let round = 0; round < 60; round++) {
      for (let i = random(8); i >= 0; i--) {
        const num = random(50)
        if (random(6) === 0) {
          now.delete(num)
          order.delete(`a${num}`)
        } else {
          const a = change(num)
          now.set(num, a)
          order.put(a)
        }
      }
      const { order: fresh } = fleet(...now.values())
      assert.deepEqual(ids(order, filter), ids(fresh, filter), JSON.stringify({ filter, round }))
      assert.deepEqual(order.arrange(by(filter)).counts, fresh.arrange(by(filter)).counts)
    }
  }
})
