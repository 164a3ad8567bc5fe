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

/** Shows how many questions wait on the sign of the app, where the page is installed as one. */
export function badge() {
  const app = /** @type {Partial<Pick<Navigator, 'setAppBadge' | 'clearAppBadge'>>} */ (navigator)
  const shown = waiting > 0 ? app.setAppBadge?.(waiting) : app.clearAppBadge?.()
  shown?.catch(() => {}) // the system shows none
}

/**
 * Shows how many questions wait, in the navigation, in the title, on the tab's icon and on the app's.
 * @param {number} n
 */
export function showWaiting(n) {
  waiting = n
  const el = one(document, '#waiting')
  write(el, n > 0 ? String(n) : '')
  mark(el, 'hidden', n === 0)
  const icon = one(document, '#icon')
  mark(icon, 'href', (n > 0 ? icon.dataset.asks : icon.dataset.quiet) ?? '')
  badge()
  show()
}
