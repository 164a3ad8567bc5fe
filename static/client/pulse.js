/**
 * Whether the other side still speaks. A browser tells late, or never, that packets are swallowed, and a proxy that fell
 * silent looks like a server that has nothing to say.
 *
 *     calm ── something that is answered was sent ──> asked ── nothing came ──> probed ── nothing came ──> doubted
 *       └──── it spoke, and fell silent: a ping ────────────────────────────────┘
 *
 * Whatever comes leads back to calm. The waits in between are SILENCE_MS, or TRIPS round trips where that is more. A
 * doubted session is not closed: another one may be opened beside it. What ends it is what ended it ever: MAX_MISSED pings, one
 * every `pingMs`, that nobody answers. A quiet session costs those pings and at most one probe between two of them.
 *
 * A timer that fires late (a laptop slept, the browser slows down or freezes a tab, the program was busy) is no evidence:
 * what came meanwhile may not have been read. So it voids what was missed, and asks again; once in a silence, for in a tab in
 * the background every timer is late.
 */

export const SILENCE_MS = 1000
const TRIPS = 4

/** Pings that may stay unanswered before the session counts as dead. */
export const MAX_MISSED = 2

/** How much later than asked for a timer may fire, in milliseconds. */
const LATE_MS = 500

/**
 * @typedef {object} PulseOptions
 * @property {number} pingMs
 * @property {() => void} ping sends one
 * @property {() => void} doubt nobody answers
 * @property {() => void} relief somebody does, after a doubt
 * @property {() => void} dead
 * @property {() => number} [now] milliseconds on a clock that never goes back
 */

export class Pulse {
  #options
  #now
  /** @type {'calm' | 'asked' | 'probed' | 'doubted'} */
  #stage = 'calm'
  #since = 0 // the stage's begin; in calm: when something came last
  #spoke = false // of itself, since the last probe
  #probedAt = -Infinity // for that
  #missed = 0
  #excused = false // a late timer, in this silence
  /** @type {number | undefined} milliseconds, smoothed */
  #rtt
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pinging
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #watching
  #over = false

  /** @param {PulseOptions} options */
  constructor(options) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#since = this.#now()
  }

  get doubted() {
    return this.#stage === 'doubted'
  }

  /** Sends the first ping, or, when pings got lost on this side, begins anew. A session that ended meanwhile has no pulse. */
  start() {
    if (this.#over) return
    this.#missed = 0
    clearTimeout(this.#pinging)
    this.#tick(false)
  }

  stop() {
    this.#over = true
    clearTimeout(this.#pinging)
    clearTimeout(this.#watching)
  }

  /** Something was sent that the server answers. */
  asked() {
    if (this.#over || this.#stage !== 'calm') return
    this.#enter('asked')
  }

  /** Bytes came. */
  heard() {
    this.#excused = false
    this.#spoke = true
    this.#calm()
  }

  /** @param {number} ms how long a ping's answer took; it came, as bytes, before */
  answered(ms) {
    this.#missed = 0
    this.#spoke = false
    this.#rtt = this.#rtt === undefined ? ms : this.#rtt * 0.7 + ms * 0.3
  }

  /** Asks now: the network, or the page, may not be what it was. */
  probe() {
    if (this.#over) return
    this.#options.ping()
    if (this.#stage !== 'doubted') this.#enter('probed')
  }

  #calm() {
    if (this.#over) return
    const doubted = this.#stage === 'doubted'
    this.#stage = 'calm'
    this.#since = this.#now()
    this.#watch()
    if (doubted) this.#options.relief()
  }

  /** @param {'asked' | 'probed' | 'doubted'} stage */
  #enter(stage) {
    this.#stage = stage
    this.#since = this.#now()
    this.#watch()
  }

  get #patience() {
    return Math.max(SILENCE_MS, TRIPS * (this.#rtt ?? 0))
  }

  /** One timer for every stage: when it fires too early it is set again, so that a busy session sets few. */
  #watch() {
    if (this.#watching !== undefined || this.#over) return
    this.#watching = timer(Math.max(0, this.#since + this.#patience - this.#now()), (late) => {
      this.#watching = undefined
      this.#look(late)
    })
  }

  /** @param {boolean} late */
  #look(late) {
    if (late && this.#excuse()) return
    if (this.#now() - this.#since < this.#patience) {
      if (this.#stage !== 'calm' || this.#spoke) this.#watch()
      return
    }
    switch (this.#stage) {
      case 'calm':
        if (!this.#spoke || this.#now() - this.#probedAt < this.#options.pingMs) return // the next ping sees
        this.#spoke = false
        this.#probedAt = this.#now()
        return this.probe()
      case 'asked':
        return this.probe()
      case 'probed':
        this.#stage = 'doubted'
        return this.#options.doubt()
    }
  }

  /** @param {boolean} late */
  #tick(late) {
    if (late) this.#excuse()
    if (this.#missed >= MAX_MISSED) return this.#options.dead()
    this.#missed++
    this.#pinging = timer(this.#options.pingMs, (late) => this.#tick(late))
    this.#options.ping()
    this.asked()
  }

  /** A timer was late. True: what was missed does not count, and it was asked again. */
  #excuse() {
    if (this.#excused || this.#stage === 'calm') return false
    this.#excused = true
    this.#missed = 0
    this.probe()
    return true
  }
}

/**
 * @param {number} ms
 * @param {(late: boolean) => void} then
 */
function timer(ms, then) {
  // Of two clocks one goes on while a machine sleeps, on every system.
  const due = [performance.now() + ms, Date.now() + ms]
  return setTimeout(() => then(performance.now() - due[0] > LATE_MS || Date.now() - due[1] > LATE_MS), ms)
}
