import assert from 'node:assert/strict'
import { test } from 'node:test'
import { later } from '../app/lib/later.js'

test('later: once, some time after the last call', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  let n = 0
  const soon = later(100, () => n++)
  soon()
  t.mock.timers.tick(90)
  soon()
  t.mock.timers.tick(90)
  assert.equal(n, 0)
  t.mock.timers.tick(10)
  assert.equal(n, 1)
  t.mock.timers.tick(1000)
  assert.equal(n, 1)
})

test('later: calls without a pause do not put it off for ever', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  let n = 0
  const soon = later(100, () => n++)
  for (let i = 0; i < 20; i++) {
    soon()
    t.mock.timers.tick(50)
  }
  assert.equal(n, 2, 'one half a second')
})
