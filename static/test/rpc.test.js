import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_UNSURE, UNSURE_GAP_MS } from '../client/codes.js'
import { Requests } from '../client/rpc.js'

/** @param {import('node:test').TestContext} t */
function attached(t) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const requests = new Requests()
  /** @type {any[]} */
  const sent = []
  /** @type {any} */
  const link = { openRequests: () => requests.opened(link, 'control', lane), asked() {}, race() {} }
  /** @type {any} */
  const lane = { send: (/** @type {Uint8Array} */ line) => void sent.push(JSON.parse(new TextDecoder().decode(line))) }
  requests.attach(link, 1 << 20)
  const unknown = () => requests.settle({ jsonrpc: '2.0', id: sent.at(-1).id, error: { code: -32013, message: 'the store does not answer' } })
  return { requests, sent, unknown }
}

test('a request whose outcome the server can not tell is sent again, with its id', async (t) => {
  const { requests, sent, unknown } = attached(t)
  const spawned = requests.call('agent.spawn', { type: 'shell' })
  assert.equal(unknown(), true)
  t.mock.timers.tick(UNSURE_GAP_MS - 1)
  assert.equal(sent.length, 1)
  t.mock.timers.tick(1)
  assert.deepEqual(sent[1], sent[0])
  requests.settle({ jsonrpc: '2.0', id: sent[1].id, result: { agents: [] } })
  assert.deepEqual(await spawned, { agents: [] })
  assert.equal(requests.size, 0)
})

test('such a request is given up in the end with an error', async (t) => {
  const { requests, sent, unknown } = attached(t)
  const spawned = requests.call('agent.spawn', { type: 'shell' })
  for (let i = 0; i < MAX_UNSURE; i++) {
    unknown()
    t.mock.timers.tick(UNSURE_GAP_MS)
  }
  assert.equal(sent.length, 1 + MAX_UNSURE)
  unknown()
  await assert.rejects(spawned, { kind: 'outcome_unknown', code: -32013 })
  assert.equal(requests.size, 0)
})

test('a request that nobody waits for any more is not sent again', async (t) => {
  const { requests, sent, unknown } = attached(t)
  const over = new AbortController()
  const spawned = requests.call('agent.spawn', { type: 'shell' }, { signal: over.signal })
  unknown()
  over.abort()
  await assert.rejects(spawned)
  t.mock.timers.tick(UNSURE_GAP_MS)
  assert.equal(sent.length, 1)
})
