/**
 * The WebTransport attempts of a page that came to nothing.
 *
 * Chromium holds them against the page. Each that failed, or was closed on its way, goes on counting as pending for five
 * minutes; with n of those the next one waits 10 · 2^(n-1) ms, give or take half, a minute at most, and with 64 pending or
 * waiting it is refused. One that is closed while it waits keeps its place in the queue until its turn. So an attempt that
 * can't answer in time is not made: it would only keep the next one waiting.
 */

/** After so many the wait, 640 ms as a rule, is longer than the race's delay; WebTransport then is left out. */
export const MAX_FAILED = 7

/** How long one counts, in milliseconds. */
export const COUNTS_MS = 5 * 60_000

/**
 * Looks for WebTransport from a WebSocket: FIRST_LOOKS that begin a few seconds after one another, for most blocks are short,
 * and then as many as never come to MAX_FAILED within COUNTS_MS. Each is short, for the browser's packets follow one another
 * ever more slowly.
 */
const FIRST_LOOKS = 4
const FIRST_MS = 2000
const LATER_MS = 90_000
export const LOOK_MS = 6000

/**
 * The pause before a look, in milliseconds, with jitter.
 * @param {number} looks those before it
 * @param {number} flaps returns in a row that did not last: each doubles the first pauses
 * @param {() => number} [random]
 */
export const untilLook = (looks, flaps, random = Math.random) => (looks < FIRST_LOOKS ? 1000 + random() * FIRST_MS * 2 ** flaps : LATER_MS * (1 + random() / 2))

export class Attempts {
  /** @type {number[]} when the last ones failed, oldest first; at most MAX_FAILED */
  #failed = []
  #now

  /** @param {() => number} [now] milliseconds on a clock that never goes back */
  constructor(now = () => performance.now()) {
    this.#now = now
  }

  failed() {
    this.#failed.push(this.#now())
    if (this.#failed.length > MAX_FAILED) this.#failed.shift()
  }

  /** Why another one is not worth making now, in words for a person; empty: it is. */
  get hopeless() {
    if (this.#failed.length < MAX_FAILED || this.#now() - this.#failed[0] >= COUNTS_MS) return ''
    return `WebTransport failed ${MAX_FAILED} times within ${COUNTS_MS / 60_000} minutes and is left out for now`
  }
}

/** @type {WeakMap<object, Attempts>} */
const counted = new WeakMap()

/**
 * The attempts made with one implementation of WebTransport, by whichever client: the browser counts by page.
 * @param {object} WebTransport
 */
export function attemptsOf(WebTransport) {
  let attempts = counted.get(WebTransport)
  if (!attempts) counted.set(WebTransport, (attempts = new Attempts()))
  return attempts
}
