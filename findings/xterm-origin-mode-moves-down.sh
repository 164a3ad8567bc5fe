#!/usr/bin/env bash
# @xterm/headless 6.0.0: with the origin mode (DECOM) set, each relative move of the cursor also moves it down by the top margin.
#
# In origin mode, positions that a program gives (CUP) count from the top margin (VT510 reference, DECOM). A move by so many columns
# (CUF) is no position: the cursor stays in its row, as it does in xterm. xterm.js adds the margin to the row once more, so that a
# cursor moved right by one column leaves its row, and does so again with the next move.
#
# Needs: Node, npm. Exits 0 when it is seen as recorded.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" @xterm/headless@6.0.0 >npm.log 2>&1 || { cat npm.log >&2; exit 1; }

cat >main.mjs <<'JS'
import headless from '@xterm/headless'

const terminal = new headless.Terminal({ cols: 20, rows: 12, allowProposedApi: true })
const row = async (text) => {
  await new Promise((written) => terminal.write(text, written))
  return terminal.buffer.active.cursorY + 1
}
console.log('version:  @xterm/headless 6.0.0')
const steps = [
  { what: 'margins 3 to 12, origin mode, to its first row', text: '\x1b[3;12r\x1b[?6h\x1b[1;1H', expected: 3, recorded: 3 },
  { what: 'right by one column', text: '\x1b[C', expected: 3, recorded: 5 },
  { what: 'left by one column', text: '\x1b[D', expected: 3, recorded: 7 },
]
let same = true
for (const { what, text, expected, recorded } of steps) {
  const seen = await row(text)
  console.log(`${what}\n  expected: row ${expected}\n  seen:     row ${seen}`)
  same &&= seen === recorded
}
console.log(same ? 'as recorded' : 'this is not what was recorded')
process.exit(same ? 0 : 1)
JS
node main.mjs
