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
