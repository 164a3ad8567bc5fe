import assert from 'node:assert/strict'
import { test } from 'node:test'

globalThis.document ??= /** @type {any} */ ({ querySelector: () => null })
const { planOf } = await import('../app/agent/plan.js')

test('a plan is read from an update of a conversation, and nothing else is one', () => {
  const plan = (/** @type {any} */ entries) => planOf(JSON.stringify({ sessionUpdate: 'plan', entries }))
  assert.deepEqual(plan([{ content: 'look', status: 'completed' }, { content: 'do', status: 'in_progress' }, { content: 'tell', status: 'odd' }]),
    [{ text: 'look', state: 'completed' }, { text: 'do', state: 'in_progress' }, { text: 'tell', state: 'pending' }])
  assert.deepEqual(plan([null, 7, { content: ['x'] }, { content: 'a\u0007b' }]), [{ text: 'ab', state: 'pending' }])
  assert.equal(plan(Array.from({ length: 200 }, () => ({ content: 'x'.repeat(1000) })))?.length, 100)
  assert.equal(plan([{ content: 'x'.repeat(1000) }])?.[0]?.text.length, 400)
  for (const other of ['', '{"plan"', '{"sessionUpdate":"plan"}', 'null "plan"', '{"sessionUpdate":"agent_message_chunk","content":"\\"plan\\""}']) assert.equal(planOf(other), undefined, other)
})
