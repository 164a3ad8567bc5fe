#!/usr/bin/env bash
# @xterm/addon-unicode-graphemes 0.4.0 with @xterm/headless 6.0.0: a code point beyond U+FFFF takes one column, and joins nothing.
#
# The addon exists for characters that take two columns, and for those of several code points; its version is named for Unicode 15.
# In the Basic Multilingual Plane it does both: a CJK character takes two columns, and a heart with the selector of emoji style is
# one character of two. Beyond U+FFFF, where nearly all emoji are, each code point is one column wide and a character of its own: a
# CJK character of plane 2, a face, a flag, a profession. A program that counts as terminals do draws over itself then.
#
# Needs: Node, npm. Exits 0 when it is seen as recorded.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" @xterm/headless@6.0.0 @xterm/addon-unicode-graphemes@0.4.0 >npm.log 2>&1 || { cat npm.log >&2; exit 1; }

cat >main.mjs <<'JS'
import headless from '@xterm/headless'
import { UnicodeGraphemesAddon } from '@xterm/addon-unicode-graphemes/lib/addon-unicode-graphemes.mjs'

const cases = [
  { what: 'U+6F22, CJK', text: '\u6f22', expected: [2, 1], recorded: [2, 1] },
  { what: 'U+2764 U+FE0F, a heart as emoji', text: '\u2764\ufe0f', expected: [2, 1], recorded: [2, 1] },
  { what: 'U+20000, CJK', text: '\u{20000}', expected: [2, 1], recorded: [1, 1] },
  { what: 'U+1F600, a face', text: '\u{1f600}', expected: [2, 1], recorded: [1, 1] },
  { what: 'U+1F1E9 U+1F1EA, a flag', text: '\u{1f1e9}\u{1f1ea}', expected: [2, 1], recorded: [2, 2] },
  { what: 'U+1F469 U+200D U+1F4BB, a profession', text: '\u{1f469}\u200d\u{1f4bb}', expected: [2, 1], recorded: [2, 2] },
]

const terminal = new headless.Terminal({ cols: 20, rows: 2, allowProposedApi: true })
terminal.loadAddon(new UnicodeGraphemesAddon())
console.log('version:  @xterm/headless 6.0.0, @xterm/addon-unicode-graphemes 0.4.0, unicode', terminal.unicode.activeVersion)
let same = true
for (const { what, text, expected, recorded } of cases) {
  await new Promise((written) => terminal.write(`\r\x1b[2K${text}`, written))
  const line = terminal.buffer.active.getLine(0)
  const columns = terminal.buffer.active.cursorX
  let characters = 0
  for (let x = 0; x < columns; x++) if (line.getCell(x).getWidth() > 0) characters++
  console.log(`${what}\n  expected: ${expected[0]} columns, ${expected[1]} character\n  seen:     ${columns} columns, ${characters} characters`)
  same &&= columns === recorded[0] && characters === recorded[1]
}
console.log(same ? 'as recorded' : 'this is not what was recorded')
process.exit(same ? 0 : 1)
JS
node main.mjs
