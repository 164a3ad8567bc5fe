// The oracle of server/vt: @xterm/headless. It reads cases, a JSON object a line:
//   {cols, rows, raw, show, paint, rest}   bytes in base64
// and answers each with what three terminals show: one that got what the program wrote, one that got what viewers get, and one
// that came late, so that it got the painted screen and what viewers got after that.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(`${process.argv[2]}/package.json`) // the folder static
const { Terminal } = require('@xterm/headless')
const { countAsTheServer } = await import(`${process.argv[2]}/app/terminal/width.js`) // as the pages do

/** A terminal that got bytes. */
async function terminal({ cols, rows }, ...pieces) {
  const t = new Terminal({ cols, rows, allowProposedApi: true, scrollback: 5000, logLevel: 'off' })
  countAsTheServer(t)
  for (const piece of pieces) await new Promise((done) => t.write(Buffer.from(piece ?? '', 'base64'), done))
  return t
}

/** What it shows: text, and text with styles; the cursor; modes. */
function shown(t) {
  const b = t.buffer.active
  const text = []
  const styled = []
  for (let y = 0; y < t.rows; y++) {
    const line = b.getLine(b.baseY + y)
    text.push(line.translateToString(true).trimEnd())
    let out = ''
    let last = ''
    for (let x = 0; x < t.cols; x++) {
      const c = line.getCell(x)
      if (!c.getWidth()) continue
      const style = [c.getFgColorMode(), c.isFgDefault() ? 0 : c.getFgColor(), c.getBgColorMode(), c.isBgDefault() ? 0 : c.getBgColor(), !!c.isBold(), !!c.isDim(), !!c.isItalic(), !!c.isUnderline(), !!c.isBlink(), !!c.isInverse(), !!c.isInvisible(), !!c.isStrikethrough(), !!c.isOverline()].map(Number).join(',')
      if (style !== last) out += `<${(last = style)}>`
      out += c.getChars() || ' '
    }
    styled.push(out.trimEnd())
  }
  const m = t.modes
  return {
    text,
    styled,
    cursor: [b.cursorX, b.cursorY],
    alternate: b.type === 'alternate',
    history: b.type === 'alternate' ? [] : Array.from({ length: b.baseY }, (_, y) => b.getLine(y).translateToString(true).trimEnd()),
    modes: JSON.stringify({ ...m, cursorHidden: t._core?.coreService?.isCursorHidden }),
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line)
  const raw = await terminal(c, c.raw)
  const live = await terminal(c, c.show)
  const late = await terminal(c, c.paint, c.rest)
  console.log(JSON.stringify({ raw: shown(raw), live: shown(live), late: shown(late) }))
}
