import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choose, everything } from '../app/list/window.js'

/** What is chosen of ten rows of 10 pixels each: indexes of rows, and gaps as text. */
const chosen = (/** @type {{top: number, bottom: number}} */ between, /** @type {number[]} */ kept = []) =>
  choose([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], () => 10, between, (n) => kept.includes(n)).map((c) => (typeof c === 'number' ? `${c}px` : c.index))

for (const [name, between, kept, want] of /** @type {const} */ ([
  ['all', everything, [], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ['the first', { top: -50, bottom: 20 }, [], [0, 1, '80px']],
  ['some in the middle', { top: 35, bottom: 51 }, [], ['30px', 3, 4, 5, '40px']],
  ['the last', { top: 85, bottom: 500 }, [], ['80px', 8, 9]],
  ['none: above', { top: -90, bottom: 0 }, [], ['100px']],
  ['none: below', { top: 100, bottom: 900 }, [], ['100px']],
  ['one far above is kept', { top: 60, bottom: 70 }, [1], ['10px', 1, '40px', 6, '30px']],
  ['one far below is kept', { top: 0, bottom: 10 }, [9], [0, '80px', 9]],
  ['one within is kept', { top: 0, bottom: 20 }, [1], [0, 1, '80px']],
])) test(`rows: ${name}`, () => assert.deepEqual(chosen(between, [...kept]), want))

test('rows: heights of their own', () => {
  const heights = [10, 100, 10, 50]
  const got = choose(heights, (h) => h, { top: 105, bottom: 115 }, () => false)
  assert.deepEqual(got, [10, { one: 100, index: 1 }, { one: 10, index: 2 }, 50])
  assert.deepEqual(choose([], () => 1, everything, () => true), [])
})
