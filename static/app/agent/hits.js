/** @import { Skein } from '../../client/index.js' */

/** How many hits one request returns at most. */
const PAGE = 500

/** How many hits are searched for and kept: the newest. */
const MAX_HITS = 20_000

/** How many positions of the log are searched first, from its end back. Positions are shared by all agents. */
const WINDOW = 2000

/** If a window has fewer hits than this, the next one is larger. */
const FEW = 1000

/** @typedef {{seq: number, back: number}} Hit back is how many hits of the same event come after it */

/**
 * @typedef {object} Log
 * @property {() => Promise<{first: number, last: number}>} ends the positions of its oldest and newest event; both 0 if it has none
 * @property {(text: string, options: {after: number, offset: number, before?: number, limit: number, signal: AbortSignal}) => ReturnType<Skein['searchEvents']>} search
 */

/**
 * Hits are the lines of an agent's log that have a text, in order. The server searches the log from its end back, window by
 * window, so that the newest hits are found first. Output that is printed later is searched from where the first window
 * ended. A hit keeps its number, whatever is found before or after it.
 */
export class Hits {
  #log
  #told
  #keep
  #text = ''
  #turn = 0 // counts searches; answers to an earlier one are ignored
  #cancel = new AbortController()
  #running = 0 // the turn of the request in progress
  #again = false // whether there may be output that the running search has not seen
  #first = 0 // the position of the log's first event
  #low = 0 // everything after this position was searched
  #high = { after: 0, offset: 0 } // up to this one
  #window = 0 // 0 before the search has begun
  /** @type {number[]} the events that the lines begin in, ascending */
  #seqs = []
  /** The number of the first known hit. */
  oldest = 0
  /** Whether the whole log was searched. */
  whole = false
  /** Whether the search ended early because it had enough hits. */
  #full = false
  /** Whether the log has dropped events. */
  dropped = false
  /** @type {unknown} why the search ended before its time */
  error = undefined

  /**
   * @param {Log} log
   * @param {() => void} told called whenever something changed
   * @param {number} [keep]
   */
  constructor(log, told, keep = MAX_HITS) {
    this.#log = log
    this.#told = told
    this.#keep = keep
  }

  get text() {
    return this.#text
  }

  /** How many hits are known. */
  get total() {
    return this.#seqs.length
  }

  /** The number of the newest hit; less than that of the oldest if there is none. */
  get newest() {
    return this.oldest + this.#seqs.length - 1
  }

  /** @param {string} text '' ends the search */
  start(text) {
    this.#text = text
    this.#turn++
    this.#cancel.abort(new Error('another text is searched'))
    this.#cancel = new AbortController()
    this.#seqs = []
    this.oldest = this.#low = this.#window = 0
    this.#again = this.#full = this.whole = this.dropped = false
    this.error = undefined
    if (text) void this.#run()
    this.#told()
  }

  /** Searches new output, or tries again after an error. */
  more() {
    if (!this.#text) return
    if (this.#running === this.#turn) this.#again = true
    else void this.#run()
  }

  async #run() {
    const turn = (this.#running = this.#turn)
    const now = () => turn === this.#turn
    this.error = undefined
    try {
      do {
        this.#again = false
        if (this.#window === 0) await this.#begin(now)
        else await this.#forward(now)
        while (now() && !this.whole && !this.#full) await this.#back(now)
      } while (now() && this.#again)
    } catch (e) {
      if (now()) this.error = e
    }
    if (this.#running === turn) this.#running = 0
    if (now()) this.#told()
  }

  /** @param {() => boolean} now whether the search is still wanted */
  async #begin(now) {
    const { first, last } = await this.#log.ends()
    if (!now()) return
    this.#first = first
    this.#low = last
    this.#high = { after: last, offset: 0 }
    this.#window = WINDOW
    this.whole = last === 0
  }

  /** @param {() => boolean} now */
  async #forward(now) {
    const { seqs, end } = await this.#scan(this.#high, undefined, now)
    if (!now()) return
    this.#high = end
    this.#seqs = [...this.#seqs, ...seqs].sort((a, b) => a - b)
    this.#trim()
    if (seqs.length > 0) this.#told()
  }

  /** @param {() => boolean} now */
  async #back(now) {
    const after = Math.max(0, this.#first - 1, this.#low - this.#window)
    const { seqs } = await this.#scan({ after, offset: 0 }, this.#low + 1, now)
    if (!now()) return
    this.#low = after
    this.whole = after < this.#first || after === 0
    this.oldest -= seqs.length
    // Sort, since a line may continue past the end of a window and two streams alternate.
    this.#seqs = [...seqs, ...this.#seqs].sort((a, b) => a - b)
    this.#trim()
    if (seqs.length < FEW) this.#window *= 4
    this.#told()
  }

  /**
   * @param {{after: number, offset: number}} from
   * @param {number | undefined} before
   * @param {() => boolean} now
   */
  async #scan(from, before, now) {
    /** @type {number[]} */
    const seqs = []
    for (let end = from; ; ) {
      const found = await this.#log.search(this.#text, { ...end, ...(before !== undefined && { before }), limit: PAGE, signal: this.#cancel.signal })
      for (const { seq } of found.matches) seqs.push(seq)
      if (seqs.length > 2 * this.#keep) seqs.splice(0, seqs.length - this.#keep - 1)
      if (found.dropped) this.dropped ||= now()
      end = { after: found.cursor, offset: found.offset ?? 0 }
      if (!found.more || !now()) return { seqs, end }
    }
  }

  #trim() {
    const extra = this.#seqs.length - this.#keep
    if (extra < 0) return
    this.#full = true
    this.#seqs.splice(0, extra)
    this.oldest += extra
    if (extra > 0) this.whole = false
  }

  /**
   * @param {number} i the number of the hit
   * @returns {Hit | undefined}
   */
  at(i) {
    const seqs = this.#seqs
    const here = i - this.oldest
    const seq = seqs[here]
    if (seq === undefined) return undefined
    let last = here
    while (seqs[last + 1] === seq) last++
    return { seq, back: last - here }
  }

  /**
   * The number of an event's last hit, or of one before that; undefined if it has none or was not searched yet.
   * @param {number} seq
   * @param {number} [back] how many hits of the event come after it
   */
  of(seq, back = 0) {
    const i = this.#seqs.lastIndexOf(seq)
    if (i < 0) return undefined
    return (this.#seqs[i - back] === seq ? i - back : i) + this.oldest
  }

  /**
   * Whether everything after a position was searched.
   * @param {number} seq
   */
  passed(seq) {
    return this.#window > 0 && this.#low < seq
  }

  /**
   * The number that a step leads to: from no hit to the first or the last, and past each end to the other.
   * @param {number | undefined} from
   * @param {1 | -1} step
   */
  step(from, step) {
    const { oldest, total, newest } = this
    if (total === 0) return undefined
    if (from === undefined || from < oldest || from > newest) return step > 0 ? oldest : newest
    return oldest + ((from - oldest + step + total) % total)
  }
}

/**
 * Describes the state of a search.
 * @param {Pick<Hits, 'text' | 'total' | 'oldest' | 'whole' | 'dropped' | 'error'>} hits
 * @param {number} [at] the number of the current hit
 */
export function hitsText({ text, total, oldest, whole, dropped, error }, at) {
  if (!text) return ''
  if (error && total === 0) return 'The search failed'
  if (total === 0) return !whole ? 'Searching…' : dropped ? 'No match in the rest of the log' : 'No match'
  return `${at === undefined || at < oldest ? '' : `${at - oldest + 1} of `}${total}${whole && !error ? '' : '+'}${error ? ', then it failed' : ''}`
}
