import { mark } from '../lib/dom.js'

/** @import { Picture, PictureChange, PictureRow } from '../../client/types.js' */

/** A frame that took longer than this, in milliseconds, had too much to draw. */
const LONG_MS = 24

/** How many pictures are drawn in a frame, at least and at most. */
const FEW = 1
const MANY = 32

/** By how much that grows with each frame that was short: slowly, because each time it has grown too much a frame is late. */
const MORE = 1 / 16

/**
 * Frames draws in animation frames, what came first first, and only so much in each that the page stays smooth: the rest waits, and since no
 * picture is asked for before the last one was drawn, there are fewer of them then. A page that is hidden has none: then nothing is drawn, and no further
 * picture is asked for.
 */
export class Frames {
  /** @type {(() => void)[]} */
  #due = []
  #scheduled = false
  #room = 8 // how many pictures are drawn in a frame
  #drew = 0 // when the last frame with pictures began, if the next one follows it; in milliseconds

  /**
   * @param {() => void} draw
   * @returns {Promise<void>} that it was drawn
   */
  next(draw) {
    return new Promise((resolve, reject) => {
      this.#due.push(() => {
        try {
          draw()
          resolve()
        } catch (e) {
          reject(e)
        }
      })
      this.#schedule()
    })
  }

  #schedule() {
    if (this.#scheduled) return
    this.#scheduled = true
    requestAnimationFrame((now) => this.#frame(now))
  }

  /** @param {number} now */
  #frame(now) {
    this.#scheduled = false
    if (this.#drew > 0) this.#room = now - this.#drew > LONG_MS ? Math.max(FEW, this.#room / 2) : Math.min(MANY, this.#room + MORE)
    const some = this.#due.splice(0, Math.floor(this.#room))
    for (const draw of some) draw()
    this.#drew = some.length > 0 ? now : 0
    if (this.#due.length + some.length > 0) this.#schedule() // once more, to learn how long it took
  }
}

/** @param {PictureRow} row */
function pieces(row) {
  return (row.pieces ?? []).map(({ text, class: style }) => {
    if (!style) return text
    const span = document.createElement('span')
    span.className = style
    span.textContent = text
    return span
  })
}

/** @param {HTMLElement} el @param {PictureRow} row */
function write(el, row) {
  el.replaceChildren(...pieces(row))
  if (row.kind) el.dataset.k = row.kind
  else delete el.dataset.k
}

function blank() {
  const el = document.createElement('div')
  el.className = 'cell-row'
  return el
}

/**
 * Makes what a cell shows the present picture; only rows that have changed are touched.
 * @param {HTMLElement} rows
 * @param {Picture} picture
 * @param {PictureChange} change that led to it
 */
export function draw(rows, picture, change) {
  if (change.whole) rows.replaceChildren()
  for (let n = change.whole ? 0 : (change.shift ?? 0); n > 0; n--) rows.firstElementChild?.remove()
  while (rows.childElementCount > change.count) rows.lastElementChild?.remove()
  while (rows.childElementCount < change.count) rows.append(blank())
  for (const row of change.rows ?? []) write(/** @type {HTMLElement} */ (rows.children[row.at]), row)
  if (picture.kind === 'screen') {
    rows.style.setProperty('--cols', String(picture.cols))
    rows.style.setProperty('--rows', String(picture.rows.length))
  }
  mark(/** @type {HTMLElement} */ (rows.parentElement), 'data-kind', picture.kind)
}
