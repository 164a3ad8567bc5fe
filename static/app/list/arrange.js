/**
 * Makes the children of an element the given ones, in order, moving as few as it can.
 * @param {Element} parent
 * @param {Element[]} elements
 * @param {Element | null} [after] stands in front of them, and stays
 * @param {Element | null} [before] stands behind them, and stays
 * @returns {boolean} whether that changed anything
 */
export function arrange(parent, elements, after = null, before = null) {
  const stay = new Set(elements)
  let changed = false
  /** @param {Element | null} el */
  const next = (el) => {
    const n = el ? el.nextElementSibling : parent.firstElementChild
    return n === before ? null : n
  }
  let at = next(after)
  /** @param {Element} el */
  const remove = (el) => {
    changed = true
    at = next(el)
    el.remove()
  }
  for (const element of elements) {
    while (at && !stay.has(at)) remove(at)
    if (at && at !== element && at.nextElementSibling === element) remove(at) // one went elsewhere: it comes back in its place
    if (at === element) at = next(at)
    else {
      changed = true
      parent.insertBefore(element, at ?? before)
    }
  }
  while (at) remove(at)
  return changed
}

/**
 * An element that moves loses the focus; it gets it back, with what was selected in it.
 * @param {() => void} move
 */
export function keepFocus(move) {
  const had = /** @type {HTMLElement | null} */ (document.activeElement)
  const text = had instanceof HTMLInputElement && had.type === 'text' ? /** @type {const} */ ([had.selectionStart, had.selectionEnd]) : undefined
  move()
  if (!had || had === document.activeElement || !had.isConnected) return
  had.focus({ preventScroll: true })
  if (text && had instanceof HTMLInputElement) had.setSelectionRange(...text)
}

/**
 * Shows once that a row is new, or another.
 * @param {Element} el
 */
export function flash(el) {
  el.removeAttribute('data-fresh')
  void (/** @type {HTMLElement} */ (el).offsetWidth) // so that the animation begins anew
  el.setAttribute('data-fresh', '')
  el.addEventListener('animationend', () => el.removeAttribute('data-fresh'), { once: true })
}
