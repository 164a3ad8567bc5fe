// The oracle of server/vt for recorded sessions: @xterm/headless. It reads commands, a JSON object a line:
//   {open: {cols, rows}}                     a new session
//   {raw, show}                              what the program wrote, and what viewers get; bytes in base64
//   {cols, rows}                             another size for all terminals
//   {cut: true, paint, keep}                 tells what the terminals show, among them one that got paint; keep: it goes on as a viewer
//   {sync}                                   the terminal that gets what the program wrote gets this screen in place of its own
// It answers open, sizes, sync and cuts with a line each: {}, or {raw, differs}: what the terminal shows that got what the program wrote,
// and how what the others show differs; "": it does not.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(`${process.argv[2]}/package.json`) // the folder static
const { Terminal } = require('@xterm/headless')
const { countAsTheServer } = await import(`${process.argv[2]}/app/terminal/width.js`) // as the pages do

const bytes = (/** @type {string | undefined} */ s) => Buffer.from(s ?? '', 'base64')

function terminal({ cols, rows }) {
  const t = new Terminal({ cols, rows, allowProposedApi: true, scrollback: 5000, logLevel: 'off' })
  countAsTheServer(t)
  t.onTitleChange((title) => (t.title = title))
  return t
}

const write = (t, b) => new Promise((done) => (b.length ? t.write(b, done) : done()))

const UNDERLINE_STYLE = 26 // its place in the bits of the extended attributes; the getter says that a link has one

/** A line as text: ↪ if it continues the one before, then each change of the style in <>, then characters; · is a blank that was never written, ‖ makes a character wide. */
function row(line, cols) {
  let out = line.isWrapped ? '↪' : ''
  let last = '0'
  let fg = 0
  let bg = 0
  const c = line.getCell(0)
  for (let x = 0; x < cols; x++) {
    line.getCell(x, c)
    if (!c.getWidth()) continue
    const style = c.fg === fg && c.bg === bg && !c.hasExtendedAttrs() ? last : styled(c)
    fg = c.hasExtendedAttrs() ? -1 : c.fg
    bg = c.bg
    if (style !== last) out += `<${(last = style)}>`
    out += c.getChars() || '·'
    if (c.getWidth() > 1) out += '‖'
  }
  return out
}

const FLAGS = /** @type {const} */ ([['B', 'isBold'], ['D', 'isDim'], ['I', 'isItalic'], ['K', 'isBlink'], ['R', 'isInverse'], ['H', 'isInvisible'], ['S', 'isStrikethrough'], ['O', 'isOverline']])

function styled(c) {
  const extended = c.hasExtendedAttrs() ? c.extended : undefined // else it is that of another cell
  let s = ''
  if (!c.isFgDefault()) s += `f${c.isFgRGB() ? '#' : ''}${c.getFgColor()}`
  if (!c.isBgDefault()) s += `b${c.isBgRGB() ? '#' : ''}${c.getBgColor()}`
  const under = extended ? (extended._ext >> UNDERLINE_STYLE) & 7 : 0
  if (under) {
    s += `u${under}`
    if (!c.isUnderlineColorDefault()) s += `c${c.isUnderlineColorRGB() ? '#' : ''}${c.getUnderlineColor()}`
  } else if (c.fg & 0x10000000) s += 'u1'
  for (const [flag, is] of FLAGS) if (c[is]()) s += flag
  if (extended?.urlId) s += 'L'
  return s || '0'
}

const rows = (t, buffer, from, to) => Array.from({ length: to - from }, (_, y) => row(buffer.getLine(from + y), t.cols))

/** What a terminal shows. */
function shown(t) {
  const { active, normal } = t.buffer
  const { coreService, coreMouseService } = t._core
  const { cursorStyle = '', cursorBlink = '' } = coreService.decPrivateModes
  const lines = rows(t, active, active.baseY, active.baseY + t.rows)
  return {
    lines,
    primary: active === normal ? lines : rows(t, normal, normal.baseY, normal.baseY + t.rows),
    history: normal.baseY,
    cursor: [Math.min(active.cursorX, t.cols - 1), active.cursorY],
    past: active.cursorX === t.cols,
    hidden: !!coreService.isCursorHidden,
    shape: `${cursorStyle} ${cursorBlink}`,
    alternate: active.type === 'alternate',
    modes: { ...t.modes, encoding: coreMouseService.activeEncoding },
    title: t.title ?? '',
  }
}

/** What can be seen of a terminal, with what has left its screen: a blank that was never written is one, and blanks at the end are none. */
function seen(t) {
  const s = shown(t)
  const plain = (/** @type {string[]} */ lines) => lines.map((l) => l.replace('↪', '').replaceAll('·', ' ').trimEnd())
  return { ...s, lines: plain(s.lines), primary: plain(s.primary), history: plain(rows(t, t.buffer.normal, 0, s.history)), title: '', modes: { ...s.modes, originMode: false } } // viewers get positions on the screen
}

/** How two of these differ. */
function different(got, want) {
  for (const key of Object.keys(want)) {
    if (JSON.stringify(got[key]) === JSON.stringify(want[key])) continue
    if (!Array.isArray(want[key]) || key === 'cursor') return `${key} is ${JSON.stringify(got[key])}, want ${JSON.stringify(want[key])}`
    const lines = want[key].flatMap((l, y) => (l === got[key][y] ? [] : [`\nline ${y} is\n  ${got[key][y]}\nwant\n  ${l}`]))
    return `${key}: ${got[key].length} lines, want ${want[key].length}${lines.join('')}`
  }
  return ''
}

/** How what viewers show differs from what the first terminal shows. */
function viewersDiffer(late) {
  const want = seen(raw)
  for (const [name, t] of [['a viewer', live], ['a late viewer', late], ...kept.map((t) => ['one that came late', t])]) {
    const d = different(seen(t), want)
    if (d) return `${name}: ${d}`
  }
  return ''
}

let raw
let live
let kept = []
for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line)
  const say = (/** @type {object} */ answer) => console.log(JSON.stringify(answer))
  if (c.open) {
    raw = terminal(c.open)
    live = terminal(c.open)
    kept = []
    say({})
  } else if (c.cut) {
    const late = terminal(live)
    await write(late, bytes(c.paint))
    say({ raw: shown(raw), differs: viewersDiffer(late) })
    if (c.keep) kept.push(late)
  } else if (c.sync) {
    const title = raw.title
    raw = terminal(raw)
    raw.title = title
    await write(raw, bytes(c.sync))
    say({})
  } else if (c.cols) {
    for (const t of [raw, live, ...kept]) t.resize(c.cols, c.rows)
    // Viewers get the screen anew after each change of the size.
    for (const t of [live, ...kept]) {
      t.reset()
      await write(t, bytes(c.paint))
    }
    say({})
  } else {
    await write(raw, bytes(c.raw))
    for (const t of [live, ...kept]) await write(t, bytes(c.show))
  }
}
