import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_CELLS, arrange, choose, pace, parseFilter, search } from '../app/wall/choice.js'
import { Frames } from '../app/wall/draw.js'
import { beside } from '../app/wall/grid.js'

/** @import { Agent } from '../client/types.js' */

/** @param {string} id @param {Partial<Agent>} [more] */
const agent = (id, more) => /** @type {Agent} */ (/** @type {unknown} */ ({ id, num: Number(id.slice(1)), name: `agent ${id}`, type: 'shell', node: 'kiln', status: 'running', created_at: `2026-01-01T00:00:0${id.slice(1)}Z`, usage: {}, ...more }))

const AGENTS = [
  agent('a5', { type: 'coder' }),
  agent('a1', { labels: { team: 'core' } }),
  agent('a2', { status: 'exited', reason: 'completed' }),
  agent('a3', { for_task: 't1', last_line: 'a needle' }),
  agent('a4', { activity: 'requires_action', question: 'Go?' }),
  agent('a6', { status: 'exited', reason: 'stopped', name: 'a needle too' }),
]

/** @param {string} query of an address */
const ids = (query) => choose(AGENTS, parseFilter(new URLSearchParams(query))).shown.map((a) => a.id).join(' ')

test('wall: what the address asks for is shown, the oldest first', () => {
  for (const [query, want] of Object.entries({
    '': 'a1 a4 a5', 'type=coder': 'a5', 'label=team%3Dcore': 'a1', 'node=elsewhere': '', 'state=needs': 'a4', 'state=finished': 'a2', 'state=ended': 'a6', 'state=tasks': 'a3',
    'q=NEEDLE': 'a3', 'q=needle&state=ended': 'a6', 'agents=a6,a5,,a5,anone': 'a6 a5', 'agents=a6,a5&type=coder': 'a5', 'agents=a6,a5&state=ended': 'a6', 'size=huge': 'a1 a4 a5',
  })) assert.equal(ids(query), want, query)
  const { counts, labels } = choose(AGENTS, parseFilter(new URLSearchParams('type=coder')))
  assert.deepEqual(counts, { '': 3, working: 2, finished: 1, tasks: 1, needs: 1, ended: 1 })
  assert.deepEqual([...labels], ['team=core'])
})

test('wall: the address has the filter, and nothing that it need not have', () => {
  for (const query of ['', '?agents=a1%2Ca2&label=a%3Db&node=n&q=x&size=small&state=needs&type=t']) assert.equal(search(parseFilter(new URLSearchParams(query))), query)
  assert.equal(search(parseFilter(new URLSearchParams('?size=medium&other=1&agents='))), '')
})

test('wall: a cell stays where it is, and gives its place only when there are too many', () => {
  const all = (/** @type {string} */ s) => s.split(' ').filter(Boolean)
  const known = (/** @type {string} */ id) => id !== 'gone'
  assert.deepEqual(arrange([], all('a b'), known), all('a b'))
  assert.deepEqual(arrange(all('a b c'), all('c x a'), known), all('a b c x'), 'b has ended, x is new')
  assert.deepEqual(arrange(all('a gone c'), all('a c'), known), all('a c'))
  const full = Array.from({ length: MAX_CELLS }, (_, i) => `a${i}`)
  const wanted = full.filter((id) => id !== 'a7' && id !== 'a9')
  assert.deepEqual(arrange(full, [...wanted, 'x', 'y', 'z'], known), full.map((id) => ({ a7: 'x', a9: 'y' })[id] ?? id))
  assert.deepEqual(arrange(full, [...full, 'x'], known), full)
  assert.equal(arrange([], [...full, 'x'], known).length, MAX_CELLS)
})

test('wall: arrows go by where the cells stand', () => {
  const cells = (/** @type {number[]} */ ...tops) => /** @type {HTMLElement[]} */ (tops.map((offsetTop) => ({ offsetTop })))
  const three = cells(0, 0, 0, 50, 50, 50, 100)
  for (const [at, to, want] of /** @type {const} */ ([[0, 'right', 1], [2, 'right', 3], [0, 'left', 0], [4, 'left', 3], [1, 'down', 4], [4, 'up', 1], [1, 'up', 1], [4, 'down', 4], [3, 'down', 6], [2, 'first', 0], [2, 'last', 6]])) {
    assert.equal(beside(three, at, to), want, `${at} ${to}`)
  }
  assert.equal(beside(cells(0, 40, 80), 0, 'down'), 1, 'one column')
  assert.equal(beside(cells(0, 0, 0), 1, 'down'), 1, 'one row')
})

test('wall: the more cells, the fewer pictures of each', () => {
  assert.deepEqual([1, 50, 100, 200].map(pace), [200, 200, 400, 800])
})

test('wall: frames that take long get less to draw, and nothing is lost', async () => {
  /** @type {((now: number) => void)[]} */
  const due = []
  globalThis.requestAnimationFrame = (f) => due.push(f)
  try {
    const frames = new Frames()
    /** @type {number[]} */
    const drawn = []
    const all = Array.from({ length: 100 }, (_, i) => frames.next(() => void drawn.push(i)))
    /** @type {number[]} */
    const sizes = []
    let now = 1
    const frame = (/** @type {number} */ ms) => {
      const before = drawn.length
      due.shift()?.((now += ms))
      sizes.push(drawn.length - before)
    }
    for (const ms of [16, 16, 16, 40, 60, 80, 100]) frame(ms)
    assert.deepEqual(sizes, [8, 8, 8, 4, 2, 1, 1])
    for (let i = 0; i < 16; i++) frame(16)
    assert.deepEqual(sizes.slice(7), [...Array(15).fill(1), 2], 'it grows slowly')
    for (let i = 0; due.length > 0 && i < 100; i++) frame(16)
    assert.deepEqual(drawn, Array.from({ length: 100 }, (_, i) => i))
    await Promise.all(all)
    assert.equal(due.length, 0, 'no frame is asked for when there is nothing to draw')
    const bad = frames.next(() => { throw new RangeError('x') })
    const good = frames.next(() => {})
    frame(16)
    await assert.rejects(bad, RangeError)
    await good
  } finally {
    Reflect.deleteProperty(globalThis, 'requestAnimationFrame')
  }
})
