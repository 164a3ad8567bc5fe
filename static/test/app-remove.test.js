import assert from 'node:assert/strict'
import { test } from 'node:test'
import { removable } from '../app/fleet/removable.js'
import { MAX_BATCH, removeAll } from '../app/fleet/remove.js'

test('who has ended and left no process behind can be removed', () => {
  const all = /** @type {any[]} */ ([
    { id: 'a1', status: 'running' }, { id: 'a2', status: 'exited' }, { id: 'a3', status: 'lost', exit: { code: 1 } },
    { id: 'a4', status: 'exited', exit: { code: 0, leftovers: [{ pid: 7 }] } }, { id: 'a5', status: 'unknown' },
  ])
  assert.deepEqual(removable(all).map((a) => a.id), ['a2', 'a3'])
})

test('many are removed by several requests, and a request that fails ends that', async () => {
  const ids = Array.from({ length: 2 * MAX_BATCH + 5 }, (_, i) => `a${i}`)
  /** @type {number[]} */
  const asked = []
  const remove = async (/** @type {string[]} */ some) => {
    asked.push(some.length)
    return { reports: some.map((id) => ({ id })) }
  }
  assert.deepEqual((await removeAll(remove, ids)).map((r) => r.id), ids)
  assert.deepEqual(asked, [MAX_BATCH, MAX_BATCH, 5])
  await assert.rejects(removeAll(() => Promise.reject(new Error('gone')), ids), /gone/)
})
