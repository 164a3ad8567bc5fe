/**
 * Calls a function some time after the last wish for it, once.
 * @param {number} ms
 * @param {() => void} f
 */
export function later(ms, f) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  return () => {
    clearTimeout(timer)
    timer = setTimeout(f, ms)
  }
}

/** Aborted when the page is left for good, and not into the back-forward cache. */
export function leaving() {
  const ends = new AbortController()
  addEventListener('pagehide', (e) => {
    if (!e.persisted) ends.abort(new Error('the page is gone'))
  })
  return ends.signal
}

/**
 * Writes a part of the page's URL; '' takes it out.
 * @param {Record<string, string>} parts
 */
export function writeURL(parts) {
  const url = new URL(location.href)
  for (const [name, value] of Object.entries(parts)) {
    if (value) url.searchParams.set(name, value)
    else url.searchParams.delete(name)
  }
  history.replaceState(history.state, '', url)
}

/**
 * Shows once that a row is new.
 * @param {HTMLElement} el
 */
export function flash(el) {
  el.removeAttribute('data-fresh')
  void el.offsetWidth // so that the animation begins anew
  el.setAttribute('data-fresh', '')
  el.addEventListener('animationend', () => el.removeAttribute('data-fresh'), { once: true })
}

/**
 * The keys that move the focus over a list's links.
 * @param {HTMLElement} list
 */
export function steps(list) {
  const step = (/** @type {1 | -1} */ by) => () => {
    const links = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('.row .name')])
    const here = links.findIndex((l) => l.closest('.row')?.contains(document.activeElement))
    const next = links[here < 0 ? (by > 0 ? 0 : links.length - 1) : here + by]
    if (!next) return false
    next.focus()
    next.scrollIntoView({ block: 'nearest' })
    return true
  }
  return { j: step(1), k: step(-1), ArrowDown: step(1), ArrowUp: step(-1) }
}
