import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { tick } from '../app/lib/ticks.js'

mock.timers.enable({ apis: ['Date'], now: Date.now() })

/** The text of a cell after a tick; the server wrote it at another time. */
function cell(/** @type {Record<string, string>} */ dataset) {
  const el = { dataset, textContent: 'as it was' }
  tick(/** @type {any} */ ({ querySelectorAll: (/** @type {string} */ s) => (s === '[data-tick]' ? [el] : []) }))
  return el.textContent
}

/** @param {number} s seconds from now, and half of one */
const at = (s) => new Date(Date.now() + s * 1000 + Math.sign(s) * 500).toISOString()

for (const [name, dataset, want] of /** @type {const} */ ([
  ['how long it is there', { tick: 'span', at: at(-65) }, '1m 5s'],
  ['how long something is so', { tick: 'span', at: at(-65), before: 'Stalled for ' }, 'Stalled for 1m 5s'],
  ['how long ago', { tick: 'ago', at: at(-65) }, '1m ago'],
  ['how soon', { tick: 'when', at: at(600) }, 'in 10m 1s'],
  ['what follows', { tick: 'left', at: at(600), before: 'Attempt 2 follows in ', then: 'Waiting for an agent' }, 'Attempt 2 follows in 10m 1s'],
  ['what follows no more', { tick: 'left', at: at(-1), before: 'Attempt 2 follows in ', then: 'Waiting for an agent' }, 'Waiting for an agent'],
  ['what this page does not know', { tick: 'later', at: at(-1) }, 'as it was'],
])) test(`ticks: ${name}`, () => assert.equal(cell(dataset), want))
