/**
 * Counts the WebTransport attempts of a page that failed.
 *
 * Chromium delays a page's attempts by the number that failed. Each attempt that failed, or was closed before it opened,
 * counts as pending for five more minutes. With n pending, the next attempt waits 10 · 2^(n-1) ms, give or take half and at
 * most a minute; with 64 pending or waiting it is refused. An attempt that is closed while it waits keeps its place in the
 * queue. So the client makes no attempt that can't succeed in time: it would only delay the next one.
 */

/**
 * The number of failed attempts after which WebTransport is left out. The next attempt would wait 640 ms on average, which
 * is longer than the delay of the race.
 */
export const MAX_FAILED = 7

/** How long Chromium counts a failed attempt, in milliseconds. */
export const COUNTS_MS = 5 * 60_000

/**
 * The schedule by which a client on a WebSocket tries WebTransport again. The first FIRST_TRIES come a few seconds apart,
 * since most outages of UDP are short. The later ones are so rare that they never add up to MAX_FAILED within COUNTS_MS.
 * Each try is given up after TRY_MS, since a browser sends its packets ever further apart.
 */
const FIRST_TRIES = 4
const FIRST_MS = 2000
const LATER_MS = 90_000
export const TRY_MS = 6000

/**
 * The pause before a try, in milliseconds, with jitter.
 * @param {number} tries how many tries came before it
 * @param {number} flaps returns to WebTransport in a row that did not last: each doubles the first pauses
 * @param {() => number} [random]
 */
export const untilTry = (tries, flaps, random = Math.random) => (tries < FIRST_TRIES ? 1000 + random() * FIRST_MS * 2 ** flaps : LATER_MS * (1 + random() / 2))

export class Attempts {
  /** @type {number[]} when the latest attempts failed, oldest first; at most MAX_FAILED */
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

  /** Why another attempt is not worth making now, in words for a person; empty if it is. */
  get hopeless() {
    if (this.#failed.length < MAX_FAILED || this.#now() - this.#failed[0] >= COUNTS_MS) return ''
    return `WebTransport failed ${MAX_FAILED} times within ${COUNTS_MS / 60_000} minutes and is left out for now`
  }
}

/** @type {WeakMap<object, Attempts>} */
const counted = new WeakMap()

/**
 * The attempts of all clients of the page with one implementation of WebTransport: the browser counts by page, too.
 * @param {object} WebTransport
 */
export function attemptsOf(WebTransport) {
  let attempts = counted.get(WebTransport)
  if (!attempts) counted.set(WebTransport, (attempts = new Attempts()))
  return attempts
}
