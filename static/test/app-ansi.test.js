import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { Style, pieces } from '../app/ansi.js'

/** The table that ui/format_test.go reads too. */
const table = JSON.parse(readFileSync(new URL('../../ui/testdata/ansi.json', import.meta.url), 'utf8'))

for (const c of table) {
  test(`ansi: ${c.name}`, () => {
    const style = new Style(c.start)
    assert.deepEqual(pieces(c.line, style), c.pieces)
    assert.equal(style.class, c.end)
  })
}
