import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Skein } from '../client/index.js'
import { Peer } from './peer.js'

const limit = { timeout: 60_000 }

/**
 * @param {import('node:test').TestContext} t
 * @param {(method: string, params: any) => any} answer
 */
async function open(t, answer) {
  const peer = new Peer()
  peer.onrequest = (session, m) => {
    const result = answer(m.method ?? '', m.params)
    if (result.error) session.refuse(m, result.error.code, result.error.message, result.error.data)
    else session.answer(m, result)
    return true
  }
  const skein = new Skein(peer.options)
  t.after(() => skein.close())
  await skein.ready
  return { peer, memory: skein.memory }
}

test('every call of memory, as it goes over the wire', limit, async (t) => {
  const entry = { namespace: 'n', key: 'k', value: { text: 'v' }, revision: 7 }
  const { peer, memory } = await open(t, (method) => {
    if (method === 'memory.delete') return { deleted: true, revision: 8 }
    return { ...entry, entries: [entry], namespaces: [{ name: 'n' }], hits: [], total: 0 }
  })
  assert.equal((await memory.store({ namespace: 'n', key: 'k', value: 'v', ttl: 1000, if_revision: 0 })).revision, 7)
  await memory.store({ namespace: 'n', key: 'k', value: Uint8Array.of(255), content_type: 'image/png' })
  assert.deepEqual((await memory.retrieve({ namespace: 'n', key: 'k' })).value, { text: 'v' })
  assert.equal(await memory.delete({ namespace: 'n', key: 'k', if_revision: 7 }), true)
  await memory.search({ query: 'fox hound*', namespaces: ['n'] })
  assert.equal((await memory.history({ namespace: 'n', key: 'k' }))[0].revision, 7)
  assert.equal((await memory.namespaces())[0].name, 'n')
  assert.deepEqual(
    peer.requests.map((m) => [m.method, m.params]),
    [
      ['memory.store', { namespace: 'n', key: 'k', value: { text: 'v' }, ttl: 1000, if_revision: 0 }],
      ['memory.store', { namespace: 'n', key: 'k', value: { base64: '/w==' }, content_type: 'image/png' }],
      ['memory.retrieve', { namespace: 'n', key: 'k' }],
      ['memory.delete', { namespace: 'n', key: 'k', if_revision: 7 }],
      ['memory.search', { query: 'fox hound*', namespaces: ['n'] }],
      ['memory.history', { namespace: 'n', key: 'k' }],
      ['memory.namespaces', {}],
    ],
  )
})

test('a conflict has the current entry', limit, async (t) => {
  const entry = { namespace: 'n', key: 'k', value: { text: 'theirs' }, revision: 9 }
  const { memory } = await open(t, () => ({ error: { code: -32003, message: 'the entry has revision 9', data: { kind: 'conflict', entry } } }))
  await assert.rejects(memory.store({ namespace: 'n', key: 'k', value: 'mine', if_revision: 7 }), { kind: 'conflict', code: -32003, data: { kind: 'conflict', entry } })
})

test('a list goes from page to page, when the page before was used', limit, async (t) => {
  const keys = Array.from({ length: 7 }, (_, i) => `k${i}`)
  const { peer, memory } = await open(t, (_, { after = '', limit: n }) => {
    const rest = keys.filter((k) => k > after)
    const entries = rest.slice(0, n).map((key) => ({ key }))
    return { entries, total: keys.length, ...(rest.length > n && { next: entries.at(-1)?.key }) }
  })
  /** @type {string[]} */
  const got = []
  for await (const { entries, total } of memory.list({ namespace: 'n', prefix: 'k', limit: 3 })) {
    assert.equal(total, 7)
    got.push(...entries.map((e) => e.key))
    assert.equal(peer.requests.length, Math.ceil(got.length / 3))
  }
  assert.deepEqual(got, keys)
  assert.deepEqual(peer.requests.map((m) => m.params.after), [undefined, 'k2', 'k5'])
  for await (const page of memory.list({ namespace: 'n', limit: 3 })) if (page) break
  assert.equal(peer.requests.length, 4)
})

test('a history that does not fit one message comes in several', limit, async (t) => {
  const { peer, memory } = await open(t, (_, { before = 10 }) => {
    const revisions = [9, 7, 4, 2].filter((r) => r < before)
    const entries = revisions.slice(0, 2).map((revision) => ({ revision }))
    return { entries, ...(revisions.length > 2 && { next: revisions[1] }) }
  })
  assert.deepEqual((await memory.history({ namespace: 'n', key: 'k' })).map((e) => e.revision), [9, 7, 4, 2])
  assert.deepEqual(peer.requests.map((m) => m.params.before), [undefined, 7])
})

test('many values go in as many requests as they need, and are answered in order', limit, async (t) => {
  const { peer, memory } = await open(t, (_, { entries }) => ({ results: entries.map((/** @type {any} */ e) => ({ entry: { key: e.key } })) }))
  const many = Array.from({ length: 1200 }, (_, i) => ({ namespace: 'n', key: `k${i}`, value: 'v' }))
  assert.deepEqual((await memory.setMany(many)).map((r) => r.entry?.key), many.map((e) => e.key))
  assert.deepEqual(peer.requests.map((m) => m.params.entries.length), [500, 500, 200])
  peer.requests = []
  const big = Array.from({ length: 5 }, (_, i) => ({ namespace: 'n', key: `k${i}`, value: 'x'.repeat(400_000) }))
  assert.deepEqual((await memory.setMany(big)).map((r) => r.entry?.key), big.map((e) => e.key))
  assert.deepEqual(peer.requests.map((m) => m.params.entries.length), [2, 2, 1])
  assert.deepEqual(await memory.setMany([]), [])
})

test('values that do not fit one answer are read by themselves', limit, async (t) => {
  const tooLarge = { code: -32008, message: 'the answer is full', data: { kind: 'too_large' } }
  const gone = { code: -32002, message: 'there is no such entry', data: { kind: 'not_found' } }
  const { peer, memory } = await open(t, (method, params) => {
    if (method === 'memory.retrieve') return params.key === 'big' ? { key: 'big', value: { text: 'all of it' } } : { error: gone }
    return { results: [{ entry: { key: 'a' } }, { error: tooLarge }, { error: gone }, { error: tooLarge }] }
  })
  const keys = ['a', 'big', 'none', 'gone'].map((key) => ({ namespace: 'n', key }))
  assert.deepEqual(await memory.getMany(keys), [{ entry: { key: 'a' } }, { entry: { key: 'big', value: { text: 'all of it' } } }, { error: gone }, { error: gone }])
  assert.equal(peer.requests.length, 3)
})
