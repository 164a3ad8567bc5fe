import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Skein } from '../client/index.js'
import { Feed } from './feed.js'
import { Peer } from './peer.js'
import { eventually, until } from './until.js'

const limit = { timeout: 60_000 }
const transports = /** @type {const} */ (['webtransport', 'websocket'])

/**
 * A server with a feed of tasks or memory, and its client.
 * @param {import('node:test').TestContext} t
 * @param {'task' | 'memory'} kind
 * @param {import('../client/index.js').SkeinOptions} [options]
 */
async function open(t, kind, options) {
  const peer = new Peer()
  const feed = new Feed()
  peer.onrequest = (session, m, lane) => {
    if (m.method !== `${kind}.watch`) return false
    feed.serve(m, lane, kind === 'task' ? tasks : entries, () => session.drop())
    return true
  }
  const skein = new Skein({ ...peer.options, ...options })
  t.after(() => skein.close())
  await skein.ready
  return { peer, feed, skein }
}

/** @param {any[]} changed @param {number} cursor @param {boolean} more @returns {[string, object]} */
function tasks(changed, cursor, more) {
  return ['tasks', { tasks: changed, cursor, ...(more && { more }) }]
}

/** @param {any[]} changed @param {number} cursor @returns {[string, object]} */
function entries(changed, cursor) {
  return ['memory', { watch: 1, entries: changed, cursor }]
}

/**
 * @template T
 * @param {AsyncGenerator<T, any, void>} all
 * @returns {Promise<T>}
 */
async function next(all) {
  const { value, done } = await all.next()
  assert.equal(done, false)
  return value
}

/**
 * Waits until the client has reconnected, and checks that the next session has no error.
 * @param {Skein} skein
 * @param {string} session
 */
function back(skein, session) {
  return until(skein, 'connectionchange', () => skein.connection.session === session)
}

for (const transport of transports) {
  test(`tasks are watched over ten lost connections, over ${transport}: the latest state of each, none lost`, limit, async (t) => {
    const { peer, feed, skein } = await open(t, 'task', { transport })
    /** @type {Map<string, any>} */
    const got = new Map()
    let resets = 0
    const reading = (async () => {
      for await (const { tasks, reset } of skein.tasks.watch({ filter: { queue: 'q' } })) {
        if (reset) resets++
        for (const task of tasks ?? []) got.set(task.id, task)
      }
    })()
    for (let i = 1; i <= 10; i++) {
      feed.set(`t${i}`, { id: `t${i}`, state: 'working' })
      feed.set('t1', { id: 't1', state: `round ${i}` })
      if (i % 2) await eventually(() => got.get('t1')?.state === `round ${i}`)
      peer.session.drop()
      await back(skein, `s${i + 1}`)
    }
    await eventually(() => got.size === 10 && got.get('t1')?.state === 'round 10')
    assert.equal(resets, 1)
    assert.ok(feed.watches.length > 5, 'the connection broke between the updates')
    assert.deepEqual(feed.watches[0], { filter: { queue: 'q' } })
    assert.deepEqual(
      feed.watches.filter((w) => w.after > 0 && w.epoch !== 'e1'),
      [],
    )
    skein.close()
    await assert.rejects(reading, { kind: 'closed' })
  })

  test(`memory is watched at its cursor, over ${transport}`, limit, async (t) => {
    const { peer, feed, skein } = await open(t, 'memory', { transport })
    feed.set('a', { key: 'a' })
    feed.set('b', { key: 'b' })
    const updates = skein.memory.watch({ namespace: 'team', prefix: 'x/', values: true })
    const first = await next(updates)
    assert.deepEqual([first.entries.map((e) => e.key), first.cursor, first.epoch, first.reset], [['a', 'b'], 2, 'e1', true])
    peer.session.drop()
    await back(skein, 's2')
    feed.set('a', { key: 'a', deleted: true })
    const second = await next(updates)
    if (second.entries.length === 0) assert.deepEqual((await next(updates)).entries.map((e) => e.deleted), [true])
    else assert.deepEqual(second.entries.map((e) => e.deleted), [true])
    assert.equal(second.reset, false)
    const params = { namespace: 'team', prefix: 'x/', values: true }
    assert.deepEqual(feed.watches, [params, { ...params, after: 2, epoch: 'e1' }])
    assert.deepEqual(peer.lanes.map((l) => l.header).filter((h) => h.lane === 'memory'), [{ lane: 'memory' }, { lane: 'memory' }])
  })
}

test('each watch has a lane of its own, apart from the requests', limit, async (t) => {
  const { peer, feed, skein } = await open(t, 'task')
  feed.set('t1', { id: 't1' })
  const [one, two] = [skein.tasks.watch(), skein.tasks.watch()]
  await Promise.all([next(one), next(two), skein.tasks.list()])
  assert.equal(peer.lanes.filter((l) => l.header.lane === 'task').length, 3)
  assert.equal(new Set(peer.requests.map((m) => m.id)).size, peer.requests.length)
})

test('a new log: the update has reset', limit, async (t) => {
  const { peer, feed, skein } = await open(t, 'task')
  for (let i = 0; i < 5; i++) feed.set(`t${i}`, { id: `t${i}` })
  const updates = skein.tasks.watch()
  assert.equal((await next(updates)).tasks?.length, 5)
  peer.session.drop()
  feed.forget()
  await back(skein, 's2')
  feed.set('new', { id: 'new' })
  let update = await next(updates)
  assert.equal(update.reset, true)
  assert.equal(update.epoch, 'e1+')
  if (!update.tasks?.length) update = await next(updates) // the watch began before the task existed
  assert.deepEqual(update.tasks?.map((x) => x.id), ['new'])
  feed.set('newer', { id: 'newer' })
  const later = await next(updates)
  assert.deepEqual([later.tasks?.map((x) => x.id), later.reset], [['newer'], false])
})

test('a new, empty log: the update has reset, too', limit, async (t) => {
  const { peer, feed, skein } = await open(t, 'task')
  feed.set('t1', { id: 't1' })
  const updates = skein.tasks.watch()
  await next(updates)
  peer.session.drop()
  feed.forget()
  const update = await next(updates)
  assert.deepEqual([update.tasks, update.reset], [[], true])
})

test('a cursor that the server has forgotten begins a new list', limit, async (t) => {
  const { peer, feed, skein } = await open(t, 'memory')
  feed.set('a', { key: 'a' })
  const updates = skein.memory.watch({ namespace: 'n' })
  await next(updates)
  peer.session.drop()
  feed.floor = feed.rev + 1
  feed.set('b', { key: 'b' })
  feed.set('c', { key: 'c' })
  const update = await next(updates)
  assert.deepEqual([update.entries.map((e) => e.key), update.reset], [['a', 'b', 'c'], true])
})

test('a list that broke between two parts starts again', limit, async (t) => {
  const { feed, skein } = await open(t, 'task')
  for (let i = 0; i < 5; i++) feed.set(`t${i}`, { id: `t${i}` })
  feed.part = 2
  feed.breakAfter = 2
  /** @type {any[]} */
  const all = []
  feed.breaking = () => eventually(() => all.length === 2)
  for await (const update of skein.tasks.watch()) if (all.push(update) === 5) break
  assert.deepEqual(all.map((u) => u.reset), [true, false, true, false, false])
  assert.deepEqual(all.map((u) => u.tasks?.length), [2, 2, 2, 2, 1])
  assert.deepEqual(feed.watches.map((w) => w.after), [undefined, undefined])
})

test('a list of a new log that broke between two parts starts again, not at the old cursor', limit, async (t) => {
  const { peer, feed, skein } = await open(t, 'task')
  feed.set('old', { id: 'old' })
  /** @type {any[]} */
  const all = []
  feed.breaking = () => eventually(() => all.length === 2)
  for await (const update of skein.tasks.watch()) {
    all.push(update)
    if (all.length === 1) {
      peer.session.drop()
      feed.forget()
      for (let i = 0; i < 5; i++) feed.set(`t${i}`, { id: `t${i}` })
      feed.part = 2
      feed.breakAfter = 1
    }
    if (all.length === 5) break
  }
  assert.deepEqual(all.map((u) => [u.reset, u.tasks.length]), [[true, 1], [true, 2], [true, 2], [false, 2], [false, 1]])
  assert.deepEqual(feed.watches.map((w) => w.after), [undefined, 1, undefined])
})

test('an update that broke between two parts comes whole again', limit, async (t) => {
  const { feed, skein } = await open(t, 'task')
  feed.set('t0', { id: 't0' })
  const updates = skein.tasks.watch()
  await next(updates)
  feed.part = 2
  feed.breakAfter = 1
  let first = updates.next()
  feed.breaking = async () => void (await first)
  for (let i = 1; i < 5; i++) feed.set(`t${i}`, { id: `t${i}` })
  assert.equal((await first).value?.more, true)
  /** @type {Set<string>} */
  const got = new Set()
  while (got.size < 4) {
    const update = await next(updates)
    assert.equal(update.reset, false)
    for (const task of update.tasks ?? []) got.add(task.id)
  }
  assert.equal(feed.watches[1].after, 1)
})

test('a watch continues from an earlier cursor', limit, async (t) => {
  const { feed, skein } = await open(t, 'task')
  for (let i = 0; i < 5; i++) feed.set(`t${i}`, { id: `t${i}` })
  const update = await next(skein.tasks.watch({ after: 3, epoch: 'e1' }))
  assert.deepEqual([update.tasks?.map((x) => x.id), update.reset], [['t3', 't4'], false])
})

test('a refused watch fails, but a temporary error is tried again', limit, async (t) => {
  const { peer, skein } = await open(t, 'task')
  let answers = [
    { code: -32005, message: 'the store is away', data: { kind: 'unavailable' } },
    { code: -32602, message: 'no such state', data: { kind: 'invalid_params', field: 'filter' } },
  ]
  peer.onrequest = (_, m, lane) => {
    const { code, message, data } = /** @type {any} */ (answers.shift())
    lane.refuse(m, code, message, data)
    return true
  }
  await assert.rejects(skein.tasks.watch().next(), { name: 'RpcError', kind: 'invalid_params', data: { kind: 'invalid_params', field: 'filter' } })
  assert.equal(answers.length, 0)
  assert.equal(skein.connection.session, 's1')
})

test('a watch on a server without the lane fails at once', limit, async (t) => {
  const { peer, skein } = await open(t, 'memory')
  peer.onlane = (lane) => lane.header.lane === 'memory' && (lane.reset(2), true)
  await assert.rejects(skein.memory.watch({ namespace: 'n' }).next(), { kind: 'bad_stream', code: 2 })
})

test('leaving a watch ends its lane', limit, async (t) => {
  const { peer, feed, skein } = await open(t, 'task')
  /** @type {import('./peer.js').PeerLane[]} */
  const lanes = []
  peer.onlane = (lane) => (lane.header.lane === 'task' && lanes.push(lane), false)
  feed.set('t1', { id: 't1' })
  for await (const update of skein.tasks.watch()) if (update.tasks) break
  await lanes[0].over.promise
  assert.equal(skein.connection.session, 's1')
})

test('aborting a watch that waits does not wait for the server', limit, async (t) => {
  const { feed, skein } = await open(t, 'task')
  feed.set('t1', { id: 't1' })
  const stop = new AbortController()
  const updates = skein.tasks.watch({ signal: stop.signal })
  await next(updates)
  const waiting = updates.next()
  stop.abort()
  await assert.rejects(waiting, { name: 'AbortError' }) // the server has nothing more to send
  await assert.rejects(skein.tasks.watch({ signal: stop.signal }).next(), { name: 'AbortError' })
})
