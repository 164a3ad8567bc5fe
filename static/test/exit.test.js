// Tests that a program ends by itself once its client is closed: no timer of the library keeps it alive.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Skein } from '../client/index.js'
import { Peer } from './peer.js'
import { until } from './until.js'

const limit = { timeout: 60_000 }

/**
 * Tracks the timers that are set until the test ends. Those that fire after `closed` count as left, since nothing cleared them.
 * @param {import('node:test').TestContext} t
 * @param {{closed: boolean}} life
 */
function timers(t, life) {
  /** @type {Map<NodeJS.Timeout, string>} the timers that keep a program alive, and what set them */
  const live = new Map()
  const { setTimeout: set, clearTimeout: clear } = globalThis
  t.mock.method(globalThis, 'setTimeout', (/** @type {Function} */ then, /** @type {number} */ ms) => {
    const timer = set(() => (life.closed || live.delete(timer), then()), ms)
    const by = new Error().stack ?? ''
    if (!/node_modules/.test(by)) live.set(timer, `${ms} ms ${by}`) // @moq/qmux gives its close 100 ms to be sent
    return timer
  })
  t.mock.method(globalThis, 'clearTimeout', (/** @type {NodeJS.Timeout} */ timer) => (live.delete(timer), clear(timer)))
  return () => [...live].filter(([timer]) => timer.hasRef()).map(([, by]) => by)
}

/** Waits until everything in progress in memory has ended. */
async function settled() {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
}

for (const transport of /** @type {const} */ (['webtransport', 'websocket'])) {
  /** @type {[string, (skein: Skein, peer: Peer) => Promise<void>][]} */
  const lives = [
    ['right after ready', async (skein) => skein.ready],
    ['before ready', async () => {}],
    ['while it connects', async () => settled()],
    ['with the session at work', async (skein, peer) => {
      await until(skein, 'rtt', () => skein.connection.rtt !== undefined)
      const { agents } = await skein.spawn({ type: 'shell' })
      peer.print(agents[0].id, 'one\n')
      await skein.events(agents[0].id, { follow: true }).next()
      peer.session.datagramSeq = 5 // earlier ones were lost
      peer.session.datagram([{ num: 1, rev: 2, status: 'running', activity: '', reason: '', processes: 1, cpu: 0, exitCode: 0, rss: 0, heartbeatMs: 0, lastSeq: 1 }])
      await settled()
    }],
    ['with a request that waits', async (skein, peer) => {
      peer.onrequest = () => true
      skein.list({}, { timeout: 60_000 }).catch(() => {})
      await settled()
    }],
    ['in a pause between attempts', async (skein, peer) => {
      await skein.ready
      peer.policy = { ...peer.policy, backoff_min_ms: 1e6, backoff_max_ms: 1e6 }
      peer.door = { webtransport: 'fail', websocket: 'fail' }
      peer.session.drop()
      await settled()
    }],
    ['with an upload under way', async (skein, peer) => {
      peer.onlane = (lane) => lane.header.lane === 'bulk' && (lane.send({ artifact: { id: 'f1', size: 5e6 }, offset: 0 }), true)
      skein.artifacts.upload(new Uint8Array(5e6), { artifact: 'f1' }).catch(() => {})
      await until(skein, 'rtt', () => skein.connection.rtt !== undefined)
      await settled()
    }],
    ['with an upload that is cancelled', async (skein, peer) => {
      const stop = new AbortController()
      peer.onlane = (lane) => lane.header.lane === 'bulk' && (lane.send({ artifact: { id: 'f1', size: 5e6 }, offset: 0 }), true)
      const uploading = skein.artifacts.upload(new Uint8Array(5e6), { artifact: 'f1', signal: stop.signal, onprogress: ({ loaded }) => loaded > 1e5 && stop.abort() })
      await assert.rejects(uploading, { name: 'AbortError' })
    }],
  ]
  for (const [when, live] of lives) {
    test(`nothing is left when a client is closed ${when}, over ${transport}`, limit, async (t) => {
      const life = { closed: false }
      const left = timers(t, life)
      const peer = new Peer()
      const skein = new Skein({ ...peer.options, transport })
      await live(skein, peer)
      skein.close()
      life.closed = true
      await skein.closed
      await settled()
      assert.deepEqual(left(), [])
    })
  }
}
