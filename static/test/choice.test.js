import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Choice, HOLDS_MS, choiceOf } from '../client/choice.js'
import { Skein } from '../client/index.js'
import { Peer } from './peer.js'
import { eventually, until } from './until.js'

const limit = { timeout: 60_000 }
const URL = 'https://skein.example:4433'
const KEY = `skein.choice ${URL}`
const WHY = 'WebTransport did not answer within 500 ms (is UDP blocked?)'

/** The storage that a browser keeps for an origin. */
function shelf() {
  /** @type {Map<string, string>} */
  const kept = new Map()
  return {
    kept,
    getItem: (/** @type {string} */ k) => kept.get(k) ?? null,
    setItem: (/** @type {string} */ k, /** @type {string} */ v) => void kept.set(k, v),
    removeItem: (/** @type {string} */ k) => void kept.delete(k),
  }
}

/** @param {ReturnType<typeof shelf>} storage @param {string} [network] */
const choice = (storage, network) => new Choice(`${URL}/`, { storage: () => storage, network: () => network })

test('a choice is remembered with its reason and age, by other pages too, until it is over', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 })
  const storage = shelf()
  assert.equal(choice(storage).recall(), '')
  choice(storage).remember(WHY)
  assert.equal(choice(storage).recall(), `${WHY}, remembered from 0 s ago`)
  t.mock.timers.tick(3 * 60_000)
  assert.equal(choice(storage).recall(), `${WHY}, remembered from 3 min ago`)
  assert.equal(new Choice('https://skein.example', { storage: () => storage }).recall(), '', 'another origin')
  t.mock.timers.tick(HOLDS_MS - 3 * 60_000)
  assert.equal(choice(storage).recall(), '')
})

test('a choice that proved right again holds from then on; what is over does not come back', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 })
  const storage = shelf()
  choice(storage).renew()
  assert.equal(choice(storage).recall(), '')
  choice(storage).remember(WHY)
  t.mock.timers.tick(HOLDS_MS - 1)
  choice(storage).renew()
  t.mock.timers.tick(HOLDS_MS - 1)
  assert.match(choice(storage).recall(), /10 min ago$/)
  t.mock.timers.tick(1)
  choice(storage).renew()
  assert.equal(choice(storage).recall(), '')
})

test('a choice is forgotten, everywhere', () => {
  const storage = shelf()
  const [one, other] = [choice(storage), choice(storage)]
  one.remember(WHY)
  other.forget()
  assert.equal(one.recall(), '')
  assert.equal(storage.kept.size, 0)
})

test('what one kind of network did not let through says nothing of another', () => {
  const storage = shelf()
  choice(storage, 'wifi').remember(WHY)
  assert.equal(choice(storage, 'cellular').recall(), '')
  assert.equal(choice(storage).recall(), '')
  assert.match(choice(storage, 'wifi').recall(), /remembered/)
})

test('a malformed choice is ignored', () => {
  const now = Date.now()
  const good = { transport: 'websocket', reason: WHY, time: now }
  const storage = shelf()
  storage.kept.set(KEY, JSON.stringify(good))
  assert.match(choice(storage).recall(), /remembered/, 'what the others are variants of')
  for (const bad of [
    ...['', '{', 'null', '[]', '7', '"websocket"'],
    ...[{}, { ...good, transport: 'webtransport' }, { ...good, reason: '' }, { ...good, reason: 7 }, { ...good, reason: 'x'.repeat(5000) }].map((o) => JSON.stringify(o)),
    ...[undefined, null, 'soon', now + 3_600_000, 1e308, -1e308].map((time) => JSON.stringify({ ...good, time })),
  ]) {
    storage.kept.set(KEY, bad)
    assert.equal(choice(storage).recall(), '', bad)
    choice(storage).renew()
    choice(storage).forget()
  }
})

for (const [name, storage] of /** @type {[string, () => any][]} */ ([
  ['there is none', () => undefined],
  ['it must not be touched', () => assert.fail('SecurityError')],
  ['it fails', () => ({ getItem: () => assert.fail('broken'), setItem: () => assert.fail('full'), removeItem: () => assert.fail('broken') })],
])) {
  test(`where ${name}, storage does without: it holds for the page`, () => {
    const here = new Choice(URL, { storage })
    assert.equal(here.recall(), '')
    here.remember(WHY)
    assert.match(here.recall(), /remembered from 0 s ago/)
    here.forget()
    assert.equal(here.recall(), '')
  })
}

/** @param {import('node:test').TestContext} t @param {Peer} peer @param {import('../client/index.js').SkeinOptions} [options] */
function open(t, peer, options) {
  /** @type {any[]} */
  const tried = []
  const skein = new Skein({ ...peer.options, ...options, log: (what, d) => /^door/.test(what) && tried.push(d) })
  t.after(() => skein.close())
  return { skein, tried }
}

/** @param {Peer} peer */
const remembered = (peer) => choiceOf(peer.WebTransport, peer.options.url).recall()

/** A server that UDP does not reach, and a client that has found that out. @param {import('node:test').TestContext} t */
async function blocked(t) {
  const peer = new Peer()
  peer.door.webtransport = 'hang'
  await open(t, peer).skein.ready
  peer.lastDial = undefined
  peer.policy.race_delay_ms = 60_000
  return peer
}

test('where WebTransport did not answer the next client does not wait for it', limit, async (t) => {
  const peer = await blocked(t)
  const { skein } = open(t, peer)
  await skein.ready
  assert.equal(peer.lastDial, undefined)
  assert.match(skein.connection.reason, /^WebTransport did not answer within 30 ms \(is UDP blocked\?\), remembered from \d+ s ago$/)
})

test('a client that comes back does not wait either', limit, async (t) => {
  const peer = await blocked(t)
  const { skein } = open(t, peer)
  await skein.ready
  const { session } = skein.connection
  peer.session.drop()
  await until(skein, 'connectionchange', () => Boolean(skein.connection.session) && skein.connection.session !== session)
  assert.equal(peer.lastDial, undefined)
})

test('a WebSocket that follows from memory is left when WebTransport works again, which is forgotten then', limit, async (t) => {
  const peer = await blocked(t)
  const { skein } = open(t, peer)
  await skein.ready
  peer.door.webtransport = 'open'
  await until(skein, 'connectionchange', () => skein.connection.transport === 'webtransport')
  assert.equal(remembered(peer), '')
})

test('a remembered choice excludes no endpoint: WebTransport joins when WebSocket fails', limit, async (t) => {
  const peer = await blocked(t)
  peer.door = { webtransport: 'open', websocket: 'fail' }
  const { skein, tried } = open(t, peer)
  await skein.ready
  assert.equal(skein.connection.transport, 'webtransport')
  assert.deepEqual(tried.map((d) => d.transport), ['websocket', 'webtransport'])
  assert.equal(remembered(peer), '')
})

test('WebTransport joins when WebSocket does not answer, either', limit, async (t) => {
  const peer = await blocked(t)
  peer.policy.race_delay_ms = 10
  peer.door = { webtransport: 'open', websocket: 'hang' }
  const { skein } = open(t, peer)
  await skein.ready
  assert.equal(skein.connection.transport, 'webtransport')
})

test('the reason from a remembered choice is not remembered again', limit, async (t) => {
  const peer = await blocked(t)
  peer.policy.race_delay_ms = 1
  peer.onhello = (session, hello) => {
    if (session.transport === 'websocket' && peer.connects === 2) setTimeout(() => session.answer({ jsonrpc: '2.0', id: hello.ticket && 1 }, welcome(peer)), 100)
    return session.transport === 'websocket' && peer.connects === 2 ? 'silence' : undefined
  }
  const { skein } = open(t, peer)
  await skein.ready
  assert.ok(peer.lastDial, 'WebTransport joined')
  assert.equal(remembered(peer).match(/remembered/g)?.length, 1)
})

/** @param {Peer} peer */
const welcome = (peer) => ({ version: 'skein.v1', session: 's2', epoch: peer.epoch, recovered: false, node: 'node-1', server: 'test' })

for (const transport of /** @type {const} */ (['webtransport', 'websocket'])) {
  test(`${transport} that is asked for heeds no memory`, limit, async (t) => {
    const peer = await blocked(t)
    peer.door.webtransport = 'open'
    const { skein } = open(t, peer, { transport })
    await skein.ready
    assert.equal(skein.connection.transport, transport)
    assert.equal(skein.connection.reason, transport === 'websocket' ? 'asked for by the page' : '')
  })
}

test('going back to auto starts a race', limit, async (t) => {
  const peer = await blocked(t)
  const { skein } = open(t, peer, { transport: 'websocket' })
  await skein.ready
  peer.door.webtransport = 'open'
  skein.use('auto')
  await until(skein, 'connectionchange', () => skein.connection.transport === 'webtransport')
  assert.equal(peer.sessions.filter((s) => s.transport === 'websocket').length, 2, 'no third one')
})

test('a WebTransport that fails is not remembered: it costs no time', limit, async (t) => {
  const peer = new Peer()
  peer.door.webtransport = 'fail'
  const { skein } = open(t, peer)
  await skein.ready
  assert.equal(remembered(peer), '')
})

test('a race that was lost because the server is away remembers nothing', limit, async (t) => {
  const peer = new Peer()
  peer.door = { webtransport: 'hang', websocket: 'fail' }
  const { tried } = open(t, peer)
  await eventually(() => tried.length > 0)
  assert.equal(remembered(peer), '')
})
