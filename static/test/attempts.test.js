import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Attempts, COUNTS_MS, TRY_MS, MAX_FAILED, attemptsOf, untilTry } from '../client/attempts.js'

test('failures in a row make the next attempt hopeless, until the first of them no longer counts', () => {
  let now = 1000
  const attempts = new Attempts(() => now)
  for (let i = 0; i < MAX_FAILED; i++) {
    assert.equal(attempts.hopeless, '')
    attempts.failed()
    now += 10_000
  }
  assert.equal(attempts.hopeless, 'WebTransport failed 7 times within 5 minutes and is left out for now')
  now = 1000 + COUNTS_MS - 1
  assert.notEqual(attempts.hopeless, '')
  now++
  assert.equal(attempts.hopeless, '')
  attempts.failed()
  assert.notEqual(attempts.hopeless, '', 'the others still count')
})

test('failures that are far apart do not add up', () => {
  let now = 0
  const attempts = new Attempts(() => now)
  for (let i = 0; i < 100; i++) {
    attempts.failed()
    assert.equal(attempts.hopeless, '')
    now += COUNTS_MS / (MAX_FAILED - 1)
  }
})

test('all clients of a page count together, as the browser counts', () => {
  class Here {}
  class Elsewhere {}
  assert.equal(attemptsOf(Here), attemptsOf(Here))
  assert.notEqual(attemptsOf(Here), attemptsOf(Elsewhere))
})

test('tries of WebTransport never reach the limit, however long it is away, and are never far apart', () => {
  for (const random of [() => 0, () => 0.5, () => 0.999, Math.random]) {
    let now = 0
    const attempts = new Attempts(() => now)
    attempts.failed() // the attempt of the race
    for (let tries = 0; now < 3_600_000; tries++) {
      const ms = untilTry(tries, 0, random)
      assert.ok(ms >= 1000 && ms <= (tries < 4 ? 3000 : 135_000), `${ms} ms before try ${tries}`)
      now += ms
      assert.equal(attempts.hopeless, '', `try ${tries}, after ${now} ms`)
      now += TRY_MS
      attempts.failed()
    }
  }
})

test('returns that did not last delay the first tries', () => {
  assert.deepEqual([0, 1, 4].map((flaps) => untilTry(0, flaps, () => 0.5)), [2000, 3000, 17_000])
})
