import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Skein } from '../client/index.js'
import { Peer } from './peer.js'
import { eventually, until } from './until.js'

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

/**
 * The lanes that one session opened, without health, which may open at any time.
 * @param {Peer} peer
 * @param {string} session
 */
function opened(peer, session) {
  return peer.lanes.filter((l) => l.session === session && l.header.lane !== 'health').map((l) => l.header.lane)
}

for (const transport of transports) {
  test(`requests go by lanes, each opened when it is needed and once, over ${transport}`, limit, async (t) => {
    const peer = new Peer()
    const skein = await open(t, peer, { transport })
    await skein.list()
    assert.deepEqual(opened(peer, 's1'), ['control'])
    await Promise.all([skein.tasks.get('t1'), skein.tasks.list(), skein.memory.namespaces()])
    await skein.memory.retrieve({ namespace: 'team', key: 'a' })
    await skein.admission.get()
    await skein.artifacts.get('f1')
    assert.deepEqual(opened(peer, 's1').sort(), ['control', 'memory', 'task'])
    assert.deepEqual(
      peer.routes.filter((r) => !/hello|ping/.test(r)).sort(),
      ['control admission.get', 'control agent.list', 'control artifact.get', 'memory memory.namespaces', 'memory memory.retrieve', 'task task.get', 'task task.list'],
    )
  })

  test(`pings go on the health lane, over ${transport}`, limit, async (t) => {
    const peer = new Peer()
    peer.policy.ping_ms = 40
    const skein = await open(t, peer, { transport })
    await until(skein, 'rtt', () => peer.routes.filter((r) => r === 'health ping').length > 3)
    assert.deepEqual(peer.routes.filter((r) => r.includes('ping') && r !== 'health ping'), [])
    const health = peer.lanes.filter((l) => l.header.lane === 'health').map((l) => l.session)
    assert.equal(health.length, new Set(health).size)
  })

  test(`unanswered requests of every lane are sent again on theirs, with their ids, over ${transport}`, limit, async (t) => {
    const peer = new Peer()
    const skein = await open(t, peer, { transport })
    peer.onrequest = () => true // leave all requests without an answer
    const all = [skein.list(), skein.tasks.submit({ type: 'coder' }), skein.memory.store({ namespace: 'n', key: 'k', value: 'v' }), skein.tasks.cancel('t1')]
    await eventually(() => peer.requests.length === 4)
    const first = peer.routes.filter((r) => !/hello|ping/.test(r))
    const sent = [...peer.requests]
    peer.onrequest = (session, m) => {
      session.answer(m, { method: m.method, tasks: ['t'], canceled: [] })
      return true
    }
    peer.session.drop()
    await Promise.all(all)
    const byId = (/** @type {any} */ a, /** @type {any} */ b) => a.id - b.id
    assert.deepEqual(peer.requests.slice(4).sort(byId), sent.sort(byId))
    assert.deepEqual(peer.routes.filter((r) => !/hello|ping/.test(r)).slice(4).sort(), first.sort())
    assert.deepEqual(opened(peer, 's2').sort(), ['control', 'memory', 'task'])
  })

  test(`a lane that is reset costs the session, and its requests go on in the next, over ${transport}`, limit, async (t) => {
    const peer = new Peer()
    const skein = await open(t, peer, { transport })
    let breaks = 1
    peer.onrequest = (session, m, lane) => {
      if (breaks-- > 0) lane.reset(6)
      else session.answer(m, { tasks: [], total: 7, counts: {} })
      return true
    }
    assert.equal((await skein.tasks.list()).total, 7)
    assert.equal(skein.connection.session, 's2')
    assert.equal(peer.requests[1].id, peer.requests[0].id)
  })

  test(`a lane that ends costs the session too, over ${transport}`, limit, async (t) => {
    const peer = new Peer()
    const skein = await open(t, peer, { transport })
    let breaks = 1
    peer.onrequest = (session, m, lane) => {
      if (breaks-- > 0) lane.end()
      else session.answer(m, { namespaces: [{ name: 'team' }] })
      return true
    }
    assert.equal((await skein.memory.namespaces())[0].name, 'team')
    assert.equal(skein.connection.session, 's2')
  })

  test(`a lane that the server does not have costs its requests only, over ${transport}`, limit, async (t) => {
    const peer = new Peer()
    peer.onlane = (lane) => {
      if (lane.header.lane !== 'memory') return false
      lane.reset(2)
      return true
    }
    const skein = await open(t, peer, { transport })
    const refused = { name: 'SkeinError', kind: 'bad_stream', code: 2, message: 'the server has no memory lane' }
    await assert.rejects(skein.memory.namespaces(), refused)
    await assert.rejects(skein.memory.retrieve({ namespace: 'n', key: 'k' }), refused)
    assert.equal((await skein.list()).total, 0)
    assert.equal(skein.connection.session, 's1')
    assert.equal(opened(peer, 's1').filter((l) => l === 'memory').length, 1)
    // the next server may have the lane
    peer.onlane = () => false
    peer.session.drop()
    await until(skein, 'connectionchange', () => skein.connection.session === 's2')
    assert.deepEqual(await skein.memory.namespaces(), [])
  })
}

test('requests from before the session wait for their lanes', limit, async (t) => {
  const peer = new Peer()
  const skein = new Skein(peer.options)
  t.after(() => skein.close())
  await Promise.all([skein.memory.namespaces(), skein.tasks.list(), skein.list()])
  assert.deepEqual(opened(peer, 's1').sort(), ['control', 'memory', 'task'])
})

test('lanes have send orders: control first, bulk last', limit, async (t) => {
  const peer = new Peer()
  /** @type {any} */
  let carrier
  const Real = peer.WebTransport
  const skein = await open(t, peer, {
    WebTransport: /** @type {any} */ (
      class {
        /** @param {string} url @param {any} options */
        constructor(url, options) {
          return (carrier = new Real(url, options))
        }
      }
    ),
  })
  await eventually(() => carrier.orders.length === 2)
  await skein.tasks.list()
  peer.onlane = (lane) => {
    if (lane.header.lane !== 'bulk') return false
    lane.send({ offset: 0, error: { code: -32002, message: 'no such artifact', data: { kind: 'not_found' } } })
    return true
  }
  await assert.rejects(new Response(skein.artifacts.download('f1')).text(), { kind: 'not_found' })
  const [control, health, task, bulk] = carrier.orders
  assert.ok(control === health && control > task && task > bulk, `send orders ${carrier.orders}`)
})

test('a task that waited longer than the server remembers is not submitted again; reads and cancels are', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  peer.onrequest = () => true
  const submit = skein.tasks.submit({ type: 'coder' })
  const store = skein.memory.store({ namespace: 'n', key: 'k', value: 'v' })
  const cancel = skein.tasks.cancel('t1')
  const get = skein.memory.getMany([{ namespace: 'n', key: 'k' }])
  await eventually(() => peer.requests.length === 4)
  peer.onrequest = (session, m) => (session.answer(m, { results: [], canceled: ['t1'] }), true)
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 10 * 60_000 })
  peer.session.drop()
  await assert.rejects(submit, { kind: 'outcome_unknown' })
  await assert.rejects(store, { kind: 'outcome_unknown' })
  assert.deepEqual(await cancel, ['t1'])
  assert.deepEqual(await get, [])
})
