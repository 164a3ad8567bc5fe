import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RpcError } from '../client/errors.js'
import { viewTerminal } from '../client/terminal.js'

/** @param {string} type @param {Uint8Array | string} payload */
function frame(type, payload) {
  const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload
  const all = new Uint8Array(5 + bytes.length)
  all[0] = type.charCodeAt(0)
  new DataView(all.buffer).setUint32(1, bytes.length)
  all.set(bytes, 5)
  return all
}

/** @param {number} n */
function uint64(n) {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(n))
  return bytes
}

/** A server's side of lanes. It takes input as the real one does: each byte once, in order. */
class Peer {
  taken = 0
  typed = ''
  /** @type {any[]} */
  headers = []
  /** @type {((v: Uint8Array | undefined) => void) | undefined} */
  #next
  /** @type {(Uint8Array | undefined)[]} */
  #queue = []

  lane = {
    line: async () => JSON.stringify({ viewer: 7, taken: this.taken, state: { size: { cols: 80, rows: 24 }, viewers: 1, writes: true } }),
    bytes: () => new Promise((resolve) => (this.#queue.length > 0 ? resolve(this.#queue.shift()) : (this.#next = resolve))),
    send: (/** @type {Uint8Array} */ b) => this.#take(b),
  }

  session = { repeat: async (/** @type {() => Uint8Array | undefined} */ next) => this.#datagram(next()) }

  /** @param {Uint8Array | undefined} bytes undefined: the lane breaks */
  say(bytes) {
    if (this.#next) this.#next(bytes)
    else this.#queue.push(bytes)
    this.#next = undefined
  }

  /** @param {Uint8Array} b */
  #take(b) {
    if (b[0] === 'i'.charCodeAt(0)) this.#input(b.subarray(5))
  }

  /** @param {Uint8Array | undefined} d */
  #datagram(d) {
    if (!d) return
    assert.equal(d[0], 5)
    assert.equal(new DataView(d.buffer).getUint32(1), 7)
    this.#input(d.subarray(5))
  }

  /** @param {Uint8Array} p */
  #input(p) {
    const offset = Number(new DataView(p.buffer, p.byteOffset).getBigUint64(0))
    const text = new TextDecoder().decode(p.subarray(8))
    if (this.deaf || offset > this.taken) return
    this.typed += text.slice(this.taken - offset)
    this.taken = Math.max(this.taken, offset + text.length)
  }

  deaf = false // what is sent is lost

  /** As client/resume.js: a lane after the other. */
  resume = /** @type {any} */ (/** @this {Peer} */ async function* (/** @type {any} */ _, /** @type {any} */ { header, read }) {
    for (;;) {
      this.headers.push(header())
      const end = yield* read(this.lane, this.session)
      if (end) return end.value
    }
  }.bind(this))
}

/** @param {Peer} peer @param {any} options */
const view = (peer, options) => viewTerminal(/** @type {any} */ ({}), peer.resume, RpcError, 'a1', { onoutput() {}, ...options })
const turn = () => new Promise((resolve) => setTimeout(resolve))

test('terminal: frames come in any pieces', async () => {
  const peer = new Peer()
  let screen = ''
  /** @type {any} */
  let state
  const v = view(peer, { onoutput: (/** @type {Uint8Array} */ b, /** @type {boolean} */ reset) => (screen = (reset ? '' : screen) + new TextDecoder().decode(b)), onstate: (/** @type {any} */ s) => (state = s) })
  const all = [frame('o', 'lost'), frame('s', 'painted '), frame('o', 'then'), frame('t', '{"size":{"cols":9,"rows":3},"viewers":2,"writes":false}'), frame('?', 'what nobody knows'), frame('e', ' end')]
  const bytes = Uint8Array.from(all.flatMap((f) => [...f]))
  for (let at = 0; at < bytes.length; at += 3) peer.say(bytes.slice(at, at + 3))
  await v.ended
  assert.equal(screen, 'painted then')
  assert.deepEqual(state.size, { cols: 9, rows: 3 })
})

test('terminal: what is typed arrives once, over lanes and datagrams', async () => {
  const peer = new Peer()
  const v = view(peer, { size: { cols: 80, rows: 24 }, write: true })
  v.type('before ') // it has no lane yet
  await turn()
  v.type('one ')
  peer.deaf = true
  v.type('two ')
  peer.deaf = false
  peer.say(frame('a', uint64(peer.taken)))
  peer.say(undefined) // the path breaks
  await turn()
  v.type('three')
  await turn()
  assert.equal(peer.typed, 'before one two three')
  assert.deepEqual(peer.headers[1], { ...peer.headers[0] })
  assert.equal(peer.headers[0].input.length > 10, true)
  peer.say(frame('e', ''))
  await v.ended
})

test('terminal: a program that takes nothing bounds what is kept', async () => {
  const peer = new Peer()
  peer.deaf = true
  const v = view(peer, {})
  await turn()
  v.type('x'.repeat(1 << 20))
  assert.throws(() => v.type('y'), RangeError)
})

test('terminal: a refusal', async () => {
  const peer = new Peer()
  peer.lane.line = async () => JSON.stringify({ error: { code: -32002, message: 'none', data: { kind: 'not_found' } } })
  await assert.rejects(view(peer, {}).ended, RpcError)
})

test('terminal: a frame that is too long', async () => {
  const peer = new Peer()
  const v = view(peer, {})
  const head = new Uint8Array(5)
  head[0] = 111
  new DataView(head.buffer).setUint32(1, 1 << 30)
  peer.say(head)
  await assert.rejects(v.ended, RangeError)
})
