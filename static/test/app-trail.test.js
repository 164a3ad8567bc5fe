import assert from 'node:assert/strict'
import { test } from 'node:test'

/** @type {Map<string, string>} what a tab keeps */
const kept = new Map()
Object.assign(globalThis, {
  location: { pathname: '/tasks' },
  sessionStorage: { getItem: (/** @type {string} */ k) => kept.get(k) ?? null, setItem: (/** @type {string} */ k, /** @type {string} */ v) => void kept.set(k, v) },
})

/** A page of the tab, with its own instance of the trail. @param {string} name */
const load = async (name) => (await import(`../app/lib/trail.js?${name}`)).trail

test('the last fifty events are kept over the pages of a tab', async () => {
  const first = await load('first')
  assert.deepEqual(first.all, [])
  for (let i = 0; i < 60; i++) first.add('open', { transport: 'websocket', reason: `${i}` })
  for (const what of ['connect', 'door open', 'pause', 'agent lane broke']) first.add(what, {})
  first.add('door failed', { transport: 'webtransport', error: 'x'.repeat(5000), ms: 3 })

  const second = await load('second')
  assert.equal(second.all.length, 50)
  assert.deepEqual(second.all.slice(0, 2).map((/** @type {any} */ h) => [h.what, h.page]), [['door failed', '/tasks'], ['open', '/tasks']])
  assert.equal(second.all[0].detail.error.length, 300)
  assert.equal(second.all[49].detail.reason, '11')
})

test('a history of another version, or a malformed one, does no harm', async () => {
  for (const text of ['{', '{"a":1}', 'null']) {
    kept.set('skein.trail', text)
    assert.deepEqual((await load(text.length + text)).all, [])
  }
})
