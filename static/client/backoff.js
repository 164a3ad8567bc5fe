/**
 * Full-jitter backoff: each delay is drawn evenly from zero to a ceiling that doubles, so that a thousand clients of a
 * restarted server do not come back in step.
 */
export class Backoff {
  #attempt = 0
  #random

  /**
   * @param {number} minMs the first ceiling
   * @param {number} maxMs the last one
   * @param {() => number} [random]
   */
  constructor(minMs, maxMs, random = Math.random) {
    this.minMs = minMs
    this.maxMs = maxMs
    this.#random = random
  }

  /** Delays handed out since the last reset. */
  get attempt() {
    return this.#attempt
  }

  /** The next delay, in milliseconds. */
  next() {
    const ceiling = Math.min(this.maxMs, this.minMs * 2 ** Math.min(this.#attempt, 30))
    this.#attempt++
    return Math.round(this.#random() * ceiling)
  }

  reset() {
    this.#attempt = 0
  }
}

/**
 * Waits, and wakes early when `wake` is aborted; never rejects.
 * @param {number} ms
 * @param {AbortSignal} wake
 * @returns {Promise<void>}
 */
export function pause(ms, wake) {
  return new Promise((resolve) => {
    if (wake.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      wake.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    wake.addEventListener('abort', done)
  })
}
