import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { fitSendBuffer, LEAST, SAMPLE_MS, MOST } from '../client/sendbuffer.js'

/**
 * A socket whose sent bytes the test controls, and the sizes that its session was given.
 * @param {import('node:test').TestContext} t
 */
function setUp(t) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.after(() => mock.timers.reset())
  /** @type {(string | Uint8Array)[]} */
  const sent = []
  const socket = {
    readyState: 1,
    bufferedAmount: 0,
    /** @param {string | Uint8Array} data */
    send(data) {
      sent.push(data)
      socket.bufferedAmount += data.length
    },
  }
  /** @type {number[]} */
  const sizes = []
  fitSendBuffer({ setSendBufferSize: (n) => sizes.push(n) }, socket)
  const leaves = (/** @type {number} */ bytes) => {
    socket.bufferedAmount -= bytes
    mock.timers.tick(SAMPLE_MS)
  }
  return { socket, sent, sizes, leaves }
}

test('the buffer holds what leaves within two samples, within its limits', (t) => {
  const { socket, sizes, leaves } = setUp(t)
  socket.send(new Uint8Array(30 << 20))
  leaves(100_000)
  leaves(1_000_000)
  leaves(0)
  leaves(20 << 20)
  assert.deepEqual(sizes, [200_000, 2_000_000, LEAST, MOST])
})

test('bytes that are written between two samples count as written, not as sent', (t) => {
  const { socket, sent, sizes, leaves } = setUp(t)
  socket.send(new Uint8Array(200_000))
  socket.send(new Uint8Array(300_000))
  leaves(150_000)
  socket.send('x'.repeat(50_000))
  leaves(200_000)
  assert.deepEqual(sizes, [300_000, 400_000])
  assert.equal(sent.length, 3)
})

test('an empty buffer, and one that closes, are left alone', (t) => {
  const { socket, sizes, leaves } = setUp(t)
  socket.send(new Uint8Array(10))
  leaves(10)
  leaves(0)
  assert.deepEqual(sizes, [LEAST])
  socket.send(new Uint8Array(1_000_000))
  socket.readyState = 2
  leaves(900_000)
  leaves(0)
  assert.deepEqual(sizes, [LEAST])
})
