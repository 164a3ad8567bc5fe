import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choiceOf } from '../client/choice.js'
import { Skein } from '../client/index.js'
import { Peer } from './peer.js'
import { until } from './until.js'

// Stand-ins for a browser's window and document, which the client uses as event targets.
const page = new EventTarget()
globalThis.addEventListener = /** @type {any} */ (page.addEventListener.bind(page))
const limit = { timeout: 60_000 }

class Page extends EventTarget {
  visibilityState = 'hidden'
}
const doc = new Page()
Object.assign(globalThis, { document: doc })

/** navigator.connection, which some browsers have. */
const network = Object.assign(new EventTarget(), { type: 'wifi' })
Object.defineProperty(globalThis, 'navigator', { value: { connection: network }, configurable: true })

/** A server whose WebTransport wins the race even if it answers late. */
function patient() {
  const peer = new Peer()
  peer.policy.race_delay_ms = 60_000
  return peer
}

/** @param {import('node:test').TestContext} t @param {Peer} peer */
async function open(t, peer) {
  const skein = new Skein(peer.options)
  t.after(() => skein.close())
  await skein.ready
  return skein
}

test('a page that is left closes politely; out of the back-forward cache it connects again', limit, async (t) => {
  const peer = patient()
  const skein = await open(t, peer)
  const spawn = skein.spawn({ type: 'shell' })
  page.dispatchEvent(new Event('pagehide'))
  assert.deepEqual(await peer.sessions[0].closed, { closeCode: 0, reason: 'the page was left' })
  await until(skein, 'statechange', () => skein.state === 'reconnecting')
  assert.equal(peer.connects, 1)
  page.dispatchEvent(new Event('pageshow'))
  await until(skein, 'connectionchange', () => skein.connection.session === 's2')
  assert.deepEqual((await spawn).agents.map((a) => a.id), ['a1'])
})

test('online ends a pause', limit, async (t) => {
  const peer = patient()
  peer.policy.backoff_min_ms = 3_600_000
  peer.policy.backoff_max_ms = 3_600_000
  const skein = await open(t, peer)
  peer.session.drop()
  await until(skein, 'statechange', () => skein.retryAt !== undefined)
  page.dispatchEvent(new Event('online'))
  await until(skein, 'connectionchange', () => skein.connection.session === 's2')
})

test('a page that becomes visible pings its session', limit, async (t) => {
  const peer = new Peer()
  peer.policy.ping_ms = 3_600_000
  const skein = await open(t, peer)
  await until(skein, 'rtt', () => skein.connection.rtt !== undefined)
  doc.visibilityState = 'visible'
  const measured = new Promise((resolve) => skein.addEventListener('rtt', resolve, { once: true }))
  doc.dispatchEvent(new Event('visibilitychange'))
  await measured
  assert.equal(peer.sessions.length, 1)
  doc.visibilityState = 'hidden'
})

test('a page that is thawed pings, too', limit, async (t) => {
  const peer = new Peer()
  peer.policy.ping_ms = 3_600_000
  const skein = await open(t, peer)
  await until(skein, 'rtt', () => skein.connection.rtt !== undefined)
  const measured = new Promise((resolve) => skein.addEventListener('rtt', resolve, { once: true }))
  doc.dispatchEvent(new Event('resume'))
  await measured
})

test('another network may let through what this one did not; the same one, with other figures, does not', limit, async (t) => {
  const peer = new Peer()
  peer.door.webtransport = 'hang'
  const choice = choiceOf(peer.WebTransport, peer.options.url)
  const skein = await open(t, peer)
  assert.match(choice.recall(), /did not answer/)
  network.dispatchEvent(new Event('change'))
  assert.match(choice.recall(), /did not answer/)
  network.type = 'cellular'
  network.dispatchEvent(new Event('change'))
  network.type = 'wifi'
  assert.equal(choice.recall(), '')
  choice.remember('it did not answer')
  page.dispatchEvent(new Event('online'))
  assert.equal(choice.recall(), '')
  assert.equal(skein.connection.transport, 'websocket', 'its session is none the worse')
})
