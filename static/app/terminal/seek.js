/** @import { Terminal } from '@xterm/xterm' */

/** How long after the page has opened it looks for the line, in milliseconds: what is drawn later is not what was there. */
const LOOKS_MS = 10_000

/**
 * Returns a function that scrolls to the last line that has a text, once it is drawn. It is to be called whenever something was drawn,
 * with whether the terminal was drawn anew. It does nothing any more when a person has used the terminal.
 * @param {Terminal} term
 * @param {HTMLElement} box around the terminal
 * @param {string} text
 * @returns {(anew: boolean) => void}
 */
export function seek(term, box, text) {
  const until = performance.now() + LOOKS_MS
  let found = false
  let used = false
  for (const type of ['keydown', 'pointerdown', 'wheel']) box.addEventListener(type, () => (used = true), { once: true, capture: true, passive: true })
  return (anew) => {
    if (anew) found = false
    if (found || used || performance.now() > until) return
    const y = lastLine(term.buffer.active, text.toLowerCase())
    if (y === undefined) return
    found = true
    term.scrollToLine(Math.max(0, y - Math.floor(term.rows / 2)))
  }
}

/**
 * @param {Pick<Terminal['buffer']['active'], 'length' | 'getLine'>} buffer
 * @param {string} text in lower case
 * @returns {number | undefined} the row in which the last line with the text begins
 */
export function lastLine(buffer, text) {
  let line = ''
  for (let y = buffer.length - 1; y >= 0; y--) {
    const row = buffer.getLine(y)
    if (!row) continue
    line = row.translateToString(!line) + line
    if (row.isWrapped) continue
    if (line.toLowerCase().includes(text)) return y
    line = ''
  }
  return undefined
}
