/** After how many pauses a function is called although the calls go on: what changes all the time is shown, too. */
const PATIENCE = 5

/**
 * Returns a function that calls another once, some time after the last call, and at the latest PATIENCE times that after the
 * first.
 * @param {number} ms
 * @param {() => void} f
 */
export function later(ms, f) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  /** @type {number | undefined} */
  let due
  return () => {
    due ??= Date.now() + PATIENCE * ms
    clearTimeout(timer)
    timer = setTimeout(() => {
      due = undefined
      f()
    }, Math.max(0, Math.min(ms, due - Date.now())))
  }
}

/** Returns a signal that is aborted when the page is unloaded, but not when it goes into the back-forward cache. */
export function leaving() {
  const ends = new AbortController()
  addEventListener('pagehide', (e) => {
    if (!e.persisted) ends.abort(new Error('the page is gone'))
  })
  return ends.signal
}

/**
 * Writes parameters of the page's URL; '' removes one.
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
