/**
 * Gives an element the given children, in order, and moves as few as it can.
 * @param {Element} parent
 * @param {Element[]} elements
 * @param {Element | null} [after] stays in front of them
 * @param {Element | null} [before] stays behind them
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
    if (at && at !== element && at.nextElementSibling === element) remove(at) // the element before it moved away: it is put back in its place later
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
 * Keeps the focus and the selection within it while elements move, since a moved element loses the focus.
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
 * Highlights a new or changed row once.
 * @param {Element} el
 */
export function flash(el) {
  el.removeAttribute('data-fresh')
  void (/** @type {HTMLElement} */ (el).offsetWidth) // restarts the animation
  el.setAttribute('data-fresh', '')
  el.addEventListener('animationend', () => el.removeAttribute('data-fresh'), { once: true })
}
