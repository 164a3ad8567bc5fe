import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Player, stepOf, timeText } from '../app/wall/player.js'

/** A player whose moments are loaded when the test says so. @param {number} at */
function player(at) {
  /** @type {{at: number, signal: AbortSignal, done: (ends: {first: number, last: number}) => void, fail: (e: Error) => void}[]} */
  const loads = []
  let ends = 0
  const p = new Player({
    load: (at, signal) => new Promise((done, fail) => loads.push({ at, signal, done, fail })),
    shown: () => {},
    ended: () => void ends++,
  }, { first: 1000, last: 9000, at }, 0)
  return { p, loads, get ends() { return ends } }
}

test('a moment stays within the log', async () => {
  const { p, loads } = player(5000)
  void p.go(100)
  assert.equal(p.at, 1000)
  const later = p.go(20_000)
  assert.equal(p.at, 9000)
  loads[1]?.done({ first: 2000, last: 12_000 })
  await later
  assert.deepEqual([p.first, p.last], [2000, 12_000])
})

test('of several moments the last one is shown', async () => {
  const { p, loads } = player(5000)
  const one = p.go(3000)
  const two = p.go(4000)
  assert.equal(loads[0]?.signal.aborted, true)
  loads[0]?.fail(new Error('aborted'))
  await one
  loads[1]?.done({ first: 1000, last: 9000 })
  await two
  assert.equal(p.at, 4000)
})

test('a moment that can not be loaded is said to be so', async () => {
  const { p, loads } = player(5000)
  const gone = p.go(3000)
  loads[0]?.fail(new Error('no'))
  await assert.rejects(gone, /no/)
})

test('it plays to the end, one moment after the other, and stops', async () => {
  const it = player(5000)
  it.p.speed = 1e9
  const over = it.p.play()
  while (it.loads.length === 0) await new Promise((r) => setTimeout(r, 1))
  assert.equal(it.p.playing, true)
  assert.equal(it.loads[0]?.at, 9000)
  it.loads[0]?.done({ first: 1000, last: 9500 }) // meanwhile
  await over
  assert.deepEqual([it.p.playing, it.ends, it.loads.length], [false, 1, 1])
})

test('it plays until it is paused, and not on after an error', async () => {
  const it = player(1000)
  it.p.speed = 0
  const over = it.p.play()
  while (it.loads.length === 0) await new Promise((r) => setTimeout(r, 1))
  it.p.pause()
  it.loads[0]?.done({ first: 1000, last: 9000 })
  await over
  const again = it.p.play()
  while (it.loads.length === 1) await new Promise((r) => setTimeout(r, 1))
  it.loads[1]?.fail(new Error('no'))
  await assert.rejects(again, /no/)
  assert.deepEqual([it.p.playing, it.ends], [false, 2])
})

test('keys go ten seconds, a minute, ten minutes', () => {
  const key = (/** @type {string} */ key, shiftKey = false) => stepOf({ key, shiftKey })
  assert.deepEqual([key('ArrowLeft'), key('ArrowRight', true), key('PageUp'), key('x')], [-10_000, 60_000, 600_000, 0])
})

test('a time has its day unless that is today', () => {
  const now = new Date(2026, 0, 5, 14, 5).getTime()
  assert.equal(timeText(new Date(2026, 0, 5, 9, 3, 7).getTime(), now), '09:03:07')
  assert.equal(timeText(new Date(2026, 0, 4, 9, 3, 7).getTime(), now), '2026-01-04 09:03:07')
})
