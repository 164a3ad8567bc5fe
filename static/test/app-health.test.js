import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { badges } from '../app/lib/health.js'

/** The table that ui/health_test.go reads too. */
const table = JSON.parse(readFileSync(new URL('../../ui/testdata/health.json', import.meta.url), 'utf8'))

for (const { name, agent, most, badges: want } of table) {
  test(`badges: ${name}`, () => {
    assert.deepEqual(badges(agent, most, Date.parse('2026-03-04T14:30:00Z')).map((b) => `${b.kind} ${b.text} ${b.href}`), want)
  })
}
