import assert from 'node:assert/strict'
import { test } from 'node:test'
import { patience } from '../client/connect.js'
import { Skein } from '../client/index.js'
import { Peer } from './peer.js'
import { eventually, until } from './until.js'

// Tests what the client does when the network drops everything. pulse.test.js tests when a session is doubted; these tests
// check what follows.

const limit = { timeout: 60_000 }
const transports = /** @type {const} */ (['webtransport', 'websocket'])

/** @param {import('node:test').TestContext} t @param {Peer} peer @param {number} [ping_ms] */
async function open(t, peer, ping_ms = 5000) {
  Object.assign(peer.policy, { race_delay_ms: 300, ping_ms })
  /** @type {string[]} */
  const states = []
  const skein = new Skein(peer.options)
  skein.addEventListener('statechange', () => states.push(skein.state))
  t.after(() => skein.close())
  await skein.ready
  await until(skein, 'rtt', () => true)
  const logged = (/** @type {string} */ what) => skein.trace.filter((e) => e.what === what).length
  return { skein, states, logged }
}

/** From now on nothing that the open sessions send arrives. @param {Peer} peer */
function swallow(peer) {
  const old = [...peer.sessions]
  for (const s of old) peer.mute.add(s)
  return {
    /** The sessions that opened since then. */
    get others() {
      return peer.sessions.slice(old.length)
    },
    speak() {
      peer.mute.clear()
      for (const s of old) s.snapshot()
    },
  }
}

for (const transport of transports) {
  test(`a ${transport} session that falls silent is left for another, which is open first; what waited is done once`, limit, async (t) => {
    const peer = new Peer()
    if (transport === 'websocket') peer.door.webtransport = 'hang'
    const { skein, states } = await open(t, peer)
    assert.equal(skein.connection.transport, transport)
    const silence = swallow(peer)
    peer.door.webtransport = 'hang'
    const spawn = skein.spawn({ type: 'shell' })
    await until(skein, 'connectionchange', () => skein.connection.session === 's2')
    assert.equal(skein.connection.transport, 'websocket')
    assert.deepEqual((await spawn).agents.map((a) => a.id), ['a1'])
    assert.equal(peer.agents.size, 1)
    assert.deepEqual(states.filter((s) => s !== 'open'), [], 'it was open all the time')
    if (transport === 'webtransport') assert.deepEqual(await peer.sessions[0].closed, { closeCode: 0, reason: 'it fell silent' })
    else await peer.sessions[0].closed
    assert.equal(silence.others.length, 1)
  })
}

test('a request is enough to notice, though no ping is due', limit, async (t) => {
  const peer = new Peer()
  const { skein } = await open(t, peer, 3_600_000)
  await new Promise((resolve) => setTimeout(resolve, 1500)) // until the session has nothing more to send
  swallow(peer)
  assert.equal((await skein.list()).total, 0)
  assert.equal(skein.connection.session, 's2')
})

test('a session that speaks again before another is open is kept, and the attempt is dropped', limit, async (t) => {
  const peer = new Peer()
  const { skein, states, logged } = await open(t, peer)
  const silence = swallow(peer)
  peer.door = { webtransport: 'hang', websocket: 'hang' }
  void skein.list().catch(() => {})
  await eventually(() => logged('silent') === 1 && peer.connects === 2)
  silence.speak()
  await eventually(() => logged('speaks again') === 1)
  assert.equal((await skein.types())[0].name, 'shell')
  assert.equal(skein.connection.session, 's1')
  assert.equal(silence.others.length, 0)
  assert.deepEqual(states.filter((s) => s !== 'open'), [])
})

test('where no other opens the silent one is kept until two pings were not answered', limit, async (t) => {
  const peer = new Peer()
  const { skein, logged } = await open(t, peer, 2000)
  swallow(peer)
  peer.door = { webtransport: 'fail', websocket: 'fail' }
  void skein.list().catch(() => {})
  await eventually(() => logged('silent') === 1)
  assert.equal(skein.state, 'open')
  await until(skein, 'statechange', () => skein.state === 'reconnecting')
  assert.ok(skein.trace.some((e) => e.what === 'session ended' && /did not answer 2 pings/.test(/** @type {any} */ (e.detail).reason)))
  peer.door = { webtransport: 'open', websocket: 'open' }
  await until(skein, 'statechange', () => skein.state === 'open')
})

test('events go on behind the last one when a silent session is left', limit, async (t) => {
  const peer = new Peer()
  const { id } = peer.spawn('shell')
  const { skein } = await open(t, peer)
  /** @type {string[]} */
  const got = []
  const reading = (async () => {
    for await (const event of skein.events(id)) got.push(event.type === 'gap' ? 'gap' : (event.data.text ?? ''))
  })()
  peer.print(id, ...'abcdefghij')
  await eventually(() => got.length === 10)
  swallow(peer)
  peer.door.webtransport = 'hang'
  await until(skein, 'connectionchange', () => skein.connection.transport === 'websocket')
  peer.print(id, ...'klm')
  peer.exit(id)
  await reading
  assert.equal(got.join(''), 'abcdefghijklm')
})

test('a server that answers late but speaks is not doubted', limit, async (t) => {
  const peer = new Peer()
  const { skein, logged } = await open(t, peer)
  const silence = swallow(peer)
  const speaking = setInterval(() => peer.sessions[0].snapshot(), 50)
  t.after(() => clearInterval(speaking))
  const list = skein.list()
  await new Promise((resolve) => setTimeout(resolve, 3000)) // longer than it takes to doubt a session
  assert.equal(logged('silent'), 0)
  assert.equal(silence.others.length, 0)
  skein.close()
  await assert.rejects(list)
})

test('a session that is closed while another is opened beside it leaves none behind', limit, async (t) => {
  const peer = new Peer()
  const { skein, logged } = await open(t, peer)
  const silence = swallow(peer)
  peer.onhello = () => 'silence'
  void skein.list().catch(() => {})
  await eventually(() => logged('silent') === 1 && silence.others.length > 0)
  skein.close()
  await skein.closed
  for (const s of silence.others) await s.closed
})

test('events of the page in quick succession close no session', limit, async (t) => {
  const page = new EventTarget()
  const before = globalThis.addEventListener
  globalThis.addEventListener = /** @type {any} */ (page.addEventListener.bind(page))
  t.after(() => void (globalThis.addEventListener = before))
  const peer = new Peer()
  const { skein } = await open(t, peer)
  for (let i = 0; i < 20; i++) page.dispatchEvent(new Event('online'))
  assert.equal((await skein.list()).total, 0)
  assert.equal(skein.connection.session, 's1')
})

test('the network dies while the client connects again: that attempt is given up soon', limit, async (t) => {
  const peer = new Peer()
  const { skein } = await open(t, peer)
  /** @type {string[]} */
  const told = []
  skein.addEventListener('statechange', () => skein.lastError && told.push(skein.lastError.message))
  const before = peer.connects
  peer.door = { webtransport: 'hang', websocket: 'hang' }
  peer.session.drop()
  await until(skein, 'statechange', () => told.some((m) => m.startsWith('webtransport')))
  assert.ok(told.includes('webtransport: no answer within 3000 ms; websocket: no answer within 3000 ms'), told.join('\n'))
  peer.door = {}
  await skein.ready
  await until(skein, 'connectionchange', () => skein.connection.session !== undefined)
  assert.equal(peer.connects, before + 2)
})

test('each further attempt has more time, and the first of all has it all', () => {
  assert.deepEqual([undefined, 0, 1, 2, 3, 30].map(patience), [15_000, 3000, 6000, 12_000, 15_000, 15_000])
})
