/** @typedef {{first: number, last: number}} Ends of the log, in milliseconds since 1970 */

/**
 * @typedef {object} Acts
 * @property {(at: number, signal: AbortSignal) => Promise<Ends>} load shows what was at a time
 * @property {() => void} shown is called when the time is another one, before that is loaded
 * @property {() => void} ended is called when it no longer plays
 */

/** How long a frame lasts at least, in milliseconds. What the server needs for one is waited for. */
const FRAME = 500

/** Player goes through time: to a moment, or on and on. Of moments that are asked for while one is loaded, only the last is shown. */
export class Player {
  #acts
  #first
  #last
  #at
  #playing = false
  #frame
  /** @type {AbortController | undefined} */
  #loading
  speed = 10

  /** @param {Acts} acts @param {Ends & {at: number}} from @param {number} [frame] */
  constructor(acts, { first, last, at }, frame = FRAME) {
    this.#acts = acts
    this.#first = first
    this.#last = last
    this.#at = at
    this.#frame = frame
  }

  get at() {
    return this.#at
  }

  get first() {
    return this.#first
  }

  get last() {
    return this.#last
  }

  get playing() {
    return this.#playing
  }

  /** Shows a moment, within the log. @param {number} at */
  async go(at) {
    this.#at = Math.min(Math.max(at, this.#first), this.#last)
    this.#acts.shown()
    this.#loading?.abort()
    const loading = (this.#loading = new AbortController())
    try {
      const { first, last } = await this.#acts.load(this.#at, loading.signal)
      if (loading.signal.aborted) return
      this.#first = first
      this.#last = Math.max(last, this.#last)
      this.#acts.shown()
    } catch (e) {
      if (!loading.signal.aborted) throw e
    }
  }

  /** Goes back to the beginning. */
  rewind() {
    this.#at = this.#first
  }

  pause() {
    this.#playing = false
  }

  /** Goes on from the moment that is shown, until it is paused or has come to the end. */
  async play() {
    this.#playing = true
    const end = this.#last // now grows while it plays
    try {
      for (let before = performance.now(); this.#playing; ) {
        await new Promise((done) => setTimeout(done, this.#frame))
        if (!this.#playing) break
        const now = performance.now()
        await this.go(Math.min(this.#at + (now - before) * this.speed, end))
        before = now
        if (this.#at >= end) break
      }
    } finally {
      this.#playing = false
      this.#acts.ended()
    }
  }
}

const SECOND = 1000
const MINUTE = 60 * SECOND

/** How far a key goes, in milliseconds; 0: it is none of those that do. @param {{key: string, shiftKey: boolean}} e */
export function stepOf({ key, shiftKey }) {
  switch (key) {
    case 'ArrowLeft':
    case 'ArrowDown':
      return shiftKey ? -MINUTE : -10 * SECOND
    case 'ArrowRight':
    case 'ArrowUp':
      return shiftKey ? MINUTE : 10 * SECOND
    case 'PageDown':
      return -10 * MINUTE
    case 'PageUp':
      return 10 * MINUTE
  }
  return 0
}

/**
 * A time in the reader's zone, with its day unless that is today.
 * @param {number} ms
 * @param {number} now
 */
export function timeText(ms, now) {
  const t = new Date(ms)
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0')
  const time = `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`
  return t.toDateString() === new Date(now).toDateString() ? time : `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${time}`
}
