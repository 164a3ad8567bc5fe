import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RpcError } from '../client/errors.js'
import { applied, glance } from '../client/glance.js'

/** @import { Picture, PictureChange } from '../client/types.js' */

/** @param {string} text lines */
const pieces = (text) => ({ pieces: [{ text }] })

/** @param {Picture} p */
const textOf = (p) => p.rows.map((row) => row.pieces?.map((x) => x.text).join('') ?? '').join('|')

/** @param {number} seq @param {Partial<PictureChange>} change */
const picture = (seq, change) => ({ jsonrpc: '2.0', method: 'picture', params: { seq, kind: 'lines', count: change.rows?.length ?? 0, ...change } })

/** A server's side of lanes: what it says on each, and what it is told. @param {any[][]} lanes */
function server(lanes) {
  /** @type {any[]} */
  const told = []
  /** @type {any[]} */
  const headers = []
  const resume = /** @type {any} */ (async function* (/** @type {any} */ _, /** @type {any} */ { header, read }) {
    for (const says of lanes) {
      headers.push(header())
      const left = [...says]
      const end = yield* read({ read: async () => left.shift(), write: (/** @type {any} */ m) => told.push(m.params) })
      if (end) return end.value
    }
    throw new Error('nothing is left to say')
  })
  return { told, headers, resume }
}

test('glance: a picture is asked for when the one before is done, over lanes', async () => {
  const s = server([
    [picture(1, { whole: true, rows: [{ at: 0, ...pieces('a') }, { at: 1, ...pieces('b') }] }), picture(2, { shift: 1, count: 2, rows: [{ at: 1, ...pieces('c') }] })],
    [picture(1, { whole: true, count: 3, rows: [{ at: 1, kind: 'err', ...pieces('d') }] }), { jsonrpc: '2.0', method: 'later.version' }, picture(2, { count: 1, ended: true })],
  ])
  /** @type {string[]} */
  const seen = []
  await glance(/** @type {any} */ ({}), s.resume, RpcError, 'a1', { rows: 5, wait: () => 99.6, onpicture: async (p, change) => {
    await Promise.resolve()
    seen.push(`${textOf(p)} ${change.seq} after ${s.told.length}`)
  } })
  assert.deepEqual(seen, ['a|b 1 after 0', 'b|c 2 after 1', '|d| 1 after 2', ' 2 after 3'])
  assert.deepEqual(s.told, [1, 2, 1, 2].map((seq) => ({ seq, wait_ms: 100 })))
  assert.deepEqual(s.headers, [{ lane: 'glance', agent: 'a1', rows: 5 }, { lane: 'glance', agent: 'a1', rows: 5 }])
})

test('glance: a refusal', async () => {
  const s = server([[{ jsonrpc: '2.0', id: null, error: { code: -32002, message: 'there is no agent', data: { kind: 'not_found' } } }]])
  await assert.rejects(glance(/** @type {any} */ ({}), s.resume, RpcError, 'a1', { onpicture: () => {} }), { kind: 'not_found' })
})

test('glance: what is no picture is refused, and nothing grows beyond its bound', () => {
  /** @type {Picture} */
  const p = { kind: 'lines', cols: 0, rows: [pieces('a'), pieces('b')] }
  for (const bad of [undefined, null, 1, {}, { count: -1 }, { count: 61 }, { count: 1.5 }, { count: 1, shift: 3 }, { count: 1, shift: -1 }, { count: 1, cols: 1001 }, { count: 1, rows: {} },
    { count: 1, rows: [null] }, { count: 1, rows: [{ at: 1 }] }, { count: 1, rows: [{ at: -1 }] }, { count: 1, rows: [{ at: 0, pieces: 'x' }] }, { count: 1, rows: [{ at: 0, pieces: [1] }] },
    { count: 1, rows: [{ at: 0, pieces: [{ text: 1 }] }] }, { count: 1, rows: [{ at: 0, pieces: [{ text: '', class: 1 }] }] }, { count: 0, rows: [{ at: 0 }] }]) {
    assert.throws(() => applied(p, /** @type {any} */ (bad)), RangeError, JSON.stringify(bad))
  }
  assert.equal(textOf(p), 'a|b')
  assert.equal(textOf(applied(p, /** @type {any} */ ({ count: 3, kind: 'lines' }))), 'a|b|')
  assert.equal(textOf(applied(p, /** @type {any} */ ({ count: 1, shift: 1, kind: 'lines', rows: [{ at: 0 }] }))), '')
})
