import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alike, asking, question } from '../app/fleet/alike.js'

/** @import { Agent } from '../client/types.js' */

const agent = (/** @type {Partial<Agent>} */ a) => /** @type {Agent} */ ({ status: 'running', activity: 'requires_action', type: 'coder', question: 'Go on?', ...a })

test('those of one type with the same words ask the same', () => {
  const one = agent({ id: 'a' })
  const all = [one, agent({ id: 'b' }), agent({ id: 'c', type: 'tester' }), agent({ id: 'd', question: 'Stop?' }), agent({ id: 'e', activity: 'running' }), agent({ id: 'f', tty: { cols: 80, rows: 24 } }), agent({ id: 'g', question: '' })]
  assert.deepEqual(asking(one, all).map((a) => a.id), ['a', 'b'])
  assert.equal(alike(all).get(question(one)), 2)
  assert.equal(alike(all).get(''), undefined)
  assert.deepEqual(asking(/** @type {Agent} */ (all[4]), all), [])
})
