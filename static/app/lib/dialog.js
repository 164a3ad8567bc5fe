import { one } from './dom.js'

/**
 * Opens a dialog. When it closes, the focus returns to the element that had it.
 * @param {HTMLDialogElement} dialog
 */
export function open(dialog) {
  if (!dialog.open) dialog.showModal()
}

/**
 * Lets a dialog be closed by its close buttons and by a click beside it. The browser handles Escape.
 * @param {string} id
 * @returns {HTMLDialogElement}
 */
export function dialog(id) {
  const el = /** @type {HTMLDialogElement} */ (one(document, `#${id}`))
  el.addEventListener('click', (e) => {
    const target = /** @type {Element} */ (e.target)
    if (target.closest('[data-close]') || (target === el && outside(el, e))) el.close()
  })
  return el
}

/**
 * @param {HTMLElement} el
 * @param {MouseEvent} e
 */
function outside(el, e) {
  const r = el.getBoundingClientRect()
  return e.clientX < r.left || e.clientX > r.right || e.clientY < r.top || e.clientY > r.bottom
}
