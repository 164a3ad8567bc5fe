import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import * as f from '../app/lib/format.js'
import { joinArgv } from '../app/lib/argv.js'

/** The table that ui/format_test.go also reads. */
const table = JSON.parse(readFileSync(new URL('../../ui/testdata/format.json', import.meta.url), 'utf8'))

/** @type {[name: string, format: (value: any) => string][]} */
const rules = [
  ['bytes', f.bytes], ['cpu', f.cpu], ['span', f.span], ['ago', f.ago], ['clean', f.clean], ['argv', joinArgv],
]
for (const [name, format] of rules) {
  test(`format: ${name}`, () => {
    for (const [value, want] of table[name]) assert.equal(format(value), want, `${name} of ${JSON.stringify(value)}`)
  })
}

for (const c of table.agents) {
  test(`format: agent ${c.agent.id}`, () => {
    const a = c.agent
    const state = f.state(a)
    assert.deepEqual(
      {
        state, word: f.stateWord(state), need: f.need(a), group: f.group(a), short: f.shortId(a.id), cpu: f.cpuCell(a), mem: f.memCell(a),
      },
      {
        state: c.state, word: c.word, need: c.need, group: c.group, short: c.short, cpu: c.cpu, mem: c.mem,
      },
    )
  })
}

test('format: round trips', () => {
  assert.equal(f.roundTrip(0.38), '0.4 ms')
  assert.equal(f.roundTrip(9.96), '10 ms')
  assert.equal(f.roundTrip(141.5), '142 ms')
})
