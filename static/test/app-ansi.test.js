import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { Style, pieces } from '../app/agent/ansi.js'
import { ScreenLine } from '../app/agent/screen.js'

/** The table that ui/format_test.go also reads. */
const table = JSON.parse(readFileSync(new URL('../../ui/testdata/ansi.json', import.meta.url), 'utf8'))

for (const c of table) {
  test(`ansi: ${c.name}`, () => {
    const style = new Style(c.start)
    assert.deepEqual(pieces(c.line, style), c.pieces)
    assert.equal(style.class, c.end)
    for (let at = 0; at <= c.line.length; at++) {
      if (/[\udc00-\udfff]/.test(c.line.charAt(at))) continue // events are never split within a character
      const before = new ScreenLine(new Style(c.start)) // split at every position, restored from its state, and continued
      before.write(c.line.slice(0, at))
      const after = new ScreenLine(new Style(c.start))
      after.write(before.state)
      after.write(c.line.slice(at))
      assert.deepEqual(after.pieces(), c.pieces, `cut at ${at}`)
    }
  })
}
