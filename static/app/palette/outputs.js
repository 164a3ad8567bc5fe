/** @import { CallOptions } from '../../client/rpc.js' */

/** How many lines one request returns. */
const PAGE = 8

/** How many lines are kept. */
const MAX_LINES = 100

/** How many requests are sent on their own while none has found a line: each searches a bounded part of the log. */
const ON_ITS_OWN = 4

/** How much of a line is shown before its hit, in code points: the hit must be seen on a narrow screen, too. */
const MAX_BEFORE = 24

/** The shortest text that is searched for. */
export const SHORTEST = 2

/**
 * @typedef {object} Line a line of an agent's output
 * @property {string} agent
 * @property {string} name of the agent
 * @property {number} seq
 * @property {number} [back] how many matches that begin in the same event come after this one
 * @property {string} time
 * @property {string} line
 * @property {number} from where the hit begins in the line, in code points
 * @property {number} to
 *
 * @typedef {object} Answer of log.search
 * @property {Line[]} matches
 * @property {number} before
 * @property {string} [since]
 * @property {boolean} more
 * @property {{events: number, bytes: number}} [dropped]
 *
 * @typedef {(params: {query: string, before?: number, limit: number}, options: CallOptions) => Promise<Answer>} Search
 */

/** Outputs searches the output of all agents for a text, from the newest back. */
export class Outputs {
  #search
  #told
  #cancel = new AbortController()
  #before = 0
  text = ''
  /** @type {Line[]} the newest first */
  lines = []
  busy = false
  /** Whether there is output that was not searched. */
  more = false
  /** @type {string | undefined} when the oldest output that was searched was printed */
  since = undefined
  /** How many bytes of output the log no longer has. */
  gone = 0
  /** @type {unknown} */
  error = undefined

  /**
   * @param {Search} search
   * @param {() => void} told called whenever something changed
   */
  constructor(search, told) {
    this.#search = search
    this.#told = told
  }

  /** Ends the search for another text. @param {string} text that will be searched for; nothing is asked yet */
  expect(text) {
    this.#cancel.abort(new Error('another text is searched for'))
    this.#cancel = new AbortController()
    this.text = text
    this.lines = []
    this.#before = this.gone = 0
    this.more = false
    this.since = this.error = undefined
    this.busy = text.length >= SHORTEST
  }

  /** Searches for the text, or further back. */
  async go() {
    if (this.text.length < SHORTEST) return
    const { signal } = this.#cancel
    const had = this.lines.length
    this.busy = true
    this.error = undefined
    try {
      for (let i = 0; i < ON_ITS_OWN && (i === 0 || (this.more && this.lines.length === had)); i++) {
        const answer = await this.#search({ query: this.text, ...(this.#before > 0 && { before: this.#before }), limit: PAGE }, { signal })
        if (signal.aborted) return
        this.#add(answer)
      }
    } catch (e) {
      if (signal.aborted) return
      this.error = e
    }
    this.busy = false
    this.#told()
  }

  /** @param {Answer} answer */
  #add({ matches, before, since, more, dropped }) {
    this.lines = [...this.lines, ...matches].slice(0, MAX_LINES)
    this.#before = before
    this.since = since ?? this.since
    this.more = more && this.lines.length < MAX_LINES
    this.gone = dropped?.bytes ?? 0
  }
}

/**
 * Cuts a line at its hit, which is told in code points, and what is far before it away.
 * @param {Pick<Line, 'line' | 'from' | 'to'>} line
 * @returns {{text: string, hit: boolean}[]}
 */
export function hitPieces({ line, from, to }) {
  const all = [...line]
  const cut = (/** @type {number} */ a, /** @type {number} */ b) => all.slice(a, b).join('')
  const before = from > MAX_BEFORE ? `…${cut(from - MAX_BEFORE, from)}` : cut(0, from)
  return [{ text: before, hit: false }, { text: cut(from, to), hit: true }, { text: cut(to, all.length), hit: false }].filter((p) => p.text)
}
