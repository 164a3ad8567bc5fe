// Tests the library as `npm run build` makes it, loaded from a separate folder.
import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Peer } from './peer.js'
import { until } from './until.js'

const dist = new URL('../dist/', import.meta.url)
const built = existsSync(new URL('skein.mjs', dist))
const limit = { timeout: 60_000 }

/** @param {import('node:test').TestContext} t */
function folder(t) {
  const dir = mkdtempSync(join(tmpdir(), 'skein-bundle-'))
  t.after(() => rmSync(dir, { recursive: true }))
  return {
    /** @param {string} name @param {string} [as] */
    add: (name, as = name) => copyFileSync(new URL(name, dist), join(dir, as)),
    /** @param {string} name @returns {Promise<typeof import('../client/index.js')>} */
    load: (name) => import(pathToFileURL(join(dir, name)).href),
  }
}

/** @param {import('node:test').TestContext} t @param {typeof import('../client/index.js')} library @param {Peer} peer @param {import('../client/index.js').SkeinOptions} [options] */
function open(t, library, peer, options) {
  const skein = new library.Skein({ ...peer.options, ...options })
  t.after(() => skein.close())
  return skein
}

describe('the bundle', { skip: !built && 'it is not built' }, () => {
  test('skein.mjs needs no other file', limit, async (t) => {
    const { add, load } = folder(t)
    add('skein.mjs')
    const skein = open(t, await load('skein.mjs'), new Peer(), { transport: 'websocket' })
    await skein.ready
    assert.equal(skein.connection.transport, 'websocket')
  })

  test('without the file beside it, skein.js has WebTransport, says why it has no WebSocket, and gets it when the file is there', limit, async (t) => {
    const { add, load } = folder(t)
    add('skein.js', 'skein.mjs') // the folder has no package.json that makes a .js file a module
    const library = await load('skein.mjs')
    const peer = new Peer()
    peer.policy.race_delay_ms = 60_000
    await open(t, library, peer).ready

    Object.assign(peer.policy, { backoff_min_ms: 1, backoff_max_ms: 20 })
    const skein = open(t, library, peer, { transport: 'websocket' })
    await until(skein, 'statechange', () => skein.lastError !== undefined)
    const [extra] = readdirSync(dist).filter((name) => /^extra-[0-9A-Z]{8}\.js$/.test(name))
    assert.ok(extra && skein.lastError?.message.includes(`./${extra}`), skein.lastError?.message)
    assert.equal(skein.state, 'connecting')
    add(extra)
    await skein.ready
    assert.equal(skein.connection.transport, 'websocket')
  })
})
