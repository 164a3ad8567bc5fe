import { clone, mark, one, write } from '../lib/dom.js'
import { clock } from '../lib/format.js'
import { linePieces } from './lines.js'

/** @import { Line } from './lines.js' */

/** @param {Line} line */
export const lineNode = (line) => fill(clone('line'), line)

/**
 * @param {HTMLElement} el
 * @param {Line} line
 */
export function fill(el, line) {
  mark(el, 'data-k', line.kind)
  mark(el, 'data-seq', String(line.seq))
  const time = one(el, 'time')
  mark(time, 'datetime', line.time)
  write(time, clock(line.time))
  const text = one(el, '.tx')
  text.replaceChildren(
    ...linePieces(line).map((p) => {
      if (!p.class) return document.createTextNode(p.text)
      const span = document.createElement('span')
      span.className = p.class
      span.textContent = p.text
      return span
    }),
  )
  return el
}
