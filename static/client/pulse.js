/**
 * Finds out whether the other side still answers. A browser reports late, or never, that packets are lost, and a proxy that
 * stopped forwarding looks like a server that has nothing to send.
 *
 *     calm ── sent something that is answered ──> asked ── nothing came ──> probed ── nothing came ──> doubted
 *       └── it sent something, then fell silent: a ping ──────────────────────┘
 *
 * Any bytes lead back to calm. Each wait in between is SILENCE_MS, or TRIPS round trips if that is longer. A doubted
 * session is not closed, but another one may be opened beside it. Only MAX_MISSED unanswered pings, one every `pingMs`, end
 * it. A quiet session costs those pings and at most one probe between two of them.
 *
 * A timer that fires late (because the laptop slept, the browser throttled or froze the tab, or the program was busy)
 * proves nothing, since bytes may have arrived that were not read yet. So a late timer resets the count of missed pings and
 * probes again. It does so only once in a silence, because in a background tab every timer is late.
 */

export const SILENCE_MS = 1000
const TRIPS = 4

/** Pings that may stay unanswered before the session counts as dead. */
export const MAX_MISSED = 2

/** How much later than due a timer may fire, in milliseconds. */
const LATE_MS = 500

/**
 * @typedef {object} PulseOptions
 * @property {number} pingMs
 * @property {() => void} ping sends one
 * @property {() => void} doubt called when the other side has fallen silent
 * @property {() => void} relief called when it answers after a doubt
 * @property {() => void} dead
 * @property {() => number} [now] milliseconds on a clock that never goes back
 */

export class Pulse {
  #options
  #now
  /** @type {'calm' | 'asked' | 'probed' | 'doubted'} */
  #stage = 'calm'
  #since = 0 // when the stage began; in calm, when bytes last arrived
  #spoke = false // whether bytes other than a ping's answer came since the last probe
  #probedAt = -Infinity // when the last probe was sent that ended a calm
  #missed = 0
  #excused = false // whether a late timer was excused in this silence
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

  /** Sends the first ping, or starts again when earlier pings could not be sent. It does nothing after stop. */
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

  /** Records that something was sent that the server answers. */
  asked() {
    if (this.#over || this.#stage !== 'calm') return
    this.#enter('asked')
  }

  /** Records that bytes arrived. */
  heard() {
    this.#excused = false
    this.#spoke = true
    this.#calm()
  }

  /** @param {number} ms how long the answer to a ping took; heard was called for its bytes before */
  answered(ms) {
    this.#missed = 0
    this.#spoke = false
    this.#rtt = this.#rtt === undefined ? ms : this.#rtt * 0.7 + ms * 0.3
  }

  /** Pings now, for example after the network or the page changed. */
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

  /**
   * Starts the one timer that all stages share. If it fires too early it is set again, so that a busy session sets few
   * timers.
   */
  #watch() {
    if (this.#watching !== undefined || this.#over) return
    this.#watching = timer(Math.max(0, this.#since + this.#patience - this.#now()), (late) => {
      this.#watching = undefined
      this.#check(late)
    })
  }

  /** @param {boolean} late */
  #check(late) {
    if (late && this.#excuse()) return
    if (this.#now() - this.#since < this.#patience) {
      if (this.#stage !== 'calm' || this.#spoke) this.#watch()
      return
    }
    switch (this.#stage) {
      case 'calm':
        if (!this.#spoke || this.#now() - this.#probedAt < this.#options.pingMs) return // leave it to the next ping
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

  /**
   * Excuses a late timer: it forgets the missed pings and probes again. It returns false if this was done in this silence
   * already.
   */
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
  // On every system, at least one of the two clocks goes on while the machine sleeps.
  const due = [performance.now() + ms, Date.now() + ms]
  return setTimeout(() => then(performance.now() - due[0] > LATE_MS || Date.now() - due[1] > LATE_MS), ms)
}
