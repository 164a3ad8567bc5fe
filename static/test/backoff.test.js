import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Backoff, pause } from '../client/backoff.js'

test('the ceiling doubles up to its bound, and starts again after a reset', () => {
  const backoff = new Backoff(500, 20_000, () => 1)
  const delays = () => Array.from({ length: 8 }, () => backoff.next())
  assert.deepEqual(delays(), [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000])
  assert.equal(backoff.attempt, 8)
  backoff.reset()
  assert.equal(backoff.next(), 500)
})

test('the whole range below the ceiling is used', () => {
  const draws = [0, 0.25, 0.5]
  const backoff = new Backoff(1000, 1000, () => draws.shift() ?? 0)
  assert.deepEqual([backoff.next(), backoff.next(), backoff.next()], [0, 250, 500])
})

test('a thousand attempts overflow nothing', () => {
  const backoff = new Backoff(500, 20_000)
  for (let i = 0; i < 1000; i++) {
    const ms = backoff.next()
    assert.ok(ms >= 0 && ms <= 20_000)
  }
})

test('a pause ends early when woken, and at once when woken before', async () => {
  const wake = new AbortController()
  const paused = pause(1e9, wake.signal)
  wake.abort()
  await paused
  await pause(1e9, wake.signal)
})
