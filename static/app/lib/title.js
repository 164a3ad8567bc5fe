import { mark, one, write } from './dom.js'

let waiting = waitingNow()
let text = globalThis.document?.title.slice(prefix(waiting).length) ?? ''

/** @param {number} n how many questions wait */
function prefix(n) {
  return n > 0 ? `(${n}) ` : ''
}

function waitingNow() {
  const el = globalThis.document?.getElementById('waiting')
  return el && !el.hidden ? Number(el.textContent) : 0
}

function show() {
  const all = prefix(waiting) + text
  if (document.title !== all) document.title = all
}

/** @param {string} what the title of the tab, without the number of questions and the name of the product */
export function title(what) {
  text = `${what} · Skein`
  show()
}

/**
 * Shows how many questions wait, in the navigation and in the title.
 * @param {number} n
 */
export function showWaiting(n) {
  waiting = n
  const el = one(document, '#waiting')
  write(el, n > 0 ? String(n) : '')
  mark(el, 'hidden', n === 0)
  show()
}
