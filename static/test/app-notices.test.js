import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_ERRORS, MAX_SHOWN, Notices } from '../app/lib/notices.js'
import { covers, freePlace } from '../app/lib/place.js'

/** @import { TestContext } from 'node:test' */
/** @import { Notice } from '../app/lib/notices.js' */

/** @param {TestContext} t */
function shown(t) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  /** @type {{now: Notice[], waiting: number, held: boolean}} */
  const at = { now: [], waiting: 0, held: false }
  const notices = new Notices((now, waiting) => Object.assign(at, { now, waiting }), () => at.held)
  return { at, notices, titles: () => at.now.map((n) => n.title), pass: (/** @type {number} */ ms) => t.mock.timers.tick(ms) }
}

test('notices: two at most, and what was done gives way for good', (t) => {
  const { at, notices, titles } = shown(t)
  for (const title of ['one', 'two', 'three', 'four']) notices.add('done', title)
  assert.equal(MAX_SHOWN, 2)
  assert.deepEqual(titles(), ['three', 'four'])
  notices.close(at.now[1]?.id ?? 0)
  assert.deepEqual(titles(), ['three'])
  assert.equal(at.waiting, 0)
})

test('notices: an error that gave way comes back, and none goes by itself', (t) => {
  const { at, notices, titles, pass } = shown(t)
  for (const title of ['one', 'two', 'three']) notices.add('failed', title)
  notices.add('done', 'four')
  assert.deepEqual([titles(), at.waiting], [['three', 'four'], 2])
  pass(1e7)
  assert.deepEqual([titles(), at.waiting], [['two', 'three'], 1])
  notices.close(at.now[0]?.id ?? 0)
  assert.deepEqual([titles(), at.waiting], [['one', 'three'], 0])
  notices.closeAll()
  assert.deepEqual(titles(), [])
  for (let i = 0; i < MAX_ERRORS + 5; i++) notices.add('failed', `error ${i}`)
  assert.equal(at.waiting, MAX_ERRORS - MAX_SHOWN)
})

test('notices: equal ones are counted, in their own words or with a number', (t) => {
  const { at, notices, titles } = shown(t)
  const many = { say: (/** @type {number} */ n) => `${n} agents are stopped` }
  assert.equal(notices.add('done', 'a is stopped', 'It was killed.', many).title, 'a is stopped')
  assert.deepEqual(titles(), ['a is stopped'])
  const second = notices.add('done', 'b is stopped', 'It ended.', many)
  assert.deepEqual([second.title, second.detail, second.times], ['2 agents are stopped', '', 1])
  notices.add('failed', 'It was not copied', 'Why')
  notices.add('done', '3 agents are stopped', '', { ...many, n: 3 })
  assert.deepEqual(titles(), ['It was not copied', '5 agents are stopped'], 'the newest is the last')
  assert.equal(notices.add('failed', 'It was not copied', 'Why').times, 2)
  assert.equal(notices.add('failed', 'It was not copied', 'Another reason').times, 1)
  assert.equal(at.now.length, 2)
})

test('notices: what was done goes, but not while somebody is at it, and not before it was read', (t) => {
  const { at, notices, titles, pass } = shown(t)
  notices.add('done', 'short')
  pass(4999)
  assert.deepEqual(titles(), ['short'])
  pass(251)
  assert.deepEqual(titles(), [])
  notices.add('done', 'held')
  at.held = true
  pass(1e6)
  assert.deepEqual(titles(), ['held'])
  at.held = false
  notices.touch() // somebody leaves: it has its whole time again
  pass(5000)
  assert.deepEqual(titles(), ['held'])
  pass(200)
  assert.deepEqual(titles(), [])
  notices.add('done', 'x'.repeat(100))
  pass(9999)
  assert.equal(titles().length, 1)
  pass(1)
  assert.deepEqual(titles(), [])
})

test('a free place: as low and as far right as nothing lies, or none', () => {
  const view = { left: 0, top: 0, right: 1000, bottom: 600 }
  const size = { width: 300, height: 60 }
  assert.deepEqual(freePlace(size, view, []), { left: 700, top: 540 })
  const stops = Array.from({ length: 20 }, (_, i) => ({ left: 900, right: 980, top: i * 40, bottom: i * 40 + 30 }))
  const beside = freePlace(size, view, stops)
  assert.ok(beside && beside.left + 300 < 900 && beside.top === 540, JSON.stringify(beside))
  const above = freePlace(size, view, [{ left: 0, right: 1000, top: 100, bottom: 600 }])
  assert.ok(above && above.top + 60 < 100 && above.left === 700, JSON.stringify(above))
  const lines = Array.from({ length: 10 }, (_, i) => ({ left: 0, right: 1000, top: i * 60, bottom: i * 60 + 20 }))
  assert.equal(freePlace(size, view, lines), undefined)
  assert.equal(covers({ left: 0, top: 0, right: 10, bottom: 10 }, [{ left: 10, top: 0, right: 20, bottom: 10 }]), false)
  assert.equal(covers({ left: 0, top: 0, right: 11, bottom: 10 }, [{ left: 10, top: 0, right: 20, bottom: 10 }]), true)
})
