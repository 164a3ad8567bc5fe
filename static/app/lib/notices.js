/**
 * Which notices are shown, and for how long. It knows no page: toast.js shows them.
 *
 * At most MAX_SHOWN are shown, the newest. Equal ones are one, with their number. One that says that something was done goes by
 * itself, unless somebody is at it, and for good when newer ones take its place. An error stays until it is closed: when newer
 * ones take its place, it waits behind them and comes back.
 */

/** How many notices are shown at once. */
export const MAX_SHOWN = 2

/** How many errors are kept; a new one removes the oldest. */
export const MAX_ERRORS = 20

/** How long a notice stays that goes by itself, in milliseconds: the least, and more for each letter, to have the time to read it. */
const STAY = { least: 5000, letter: 50 }

/** @typedef {'done' | 'failed'} Kind */

/**
 * What several notices of a sort say together. Those with the same words are of one sort.
 * @typedef {object} Many
 * @property {(n: number) => string} say the title for n of them
 * @property {number} [n] how many this notice is about; 1 if it is missing
 */

/**
 * @typedef {object} Notice
 * @property {number} id
 * @property {Kind} kind
 * @property {string} title
 * @property {string} detail '' if there is none
 * @property {number} times how often it was said, if its title does not say so
 */

/** @typedef {Notice & {sort: string, n: number, timer: ReturnType<typeof setTimeout> | undefined}} Kept */

export class Notices {
  /** @type {Kept[]} the oldest first */
  #all = []
  #last = 0
  #show
  #held

  /**
   * @param {(shown: Notice[], waiting: number) => void} show shows notices, the oldest first, and how many errors wait behind them
   * @param {() => boolean} held whether somebody is at a notice, so that none may go by itself
   */
  constructor(show, held) {
    this.#show = show
    this.#held = held
  }

  /**
   * @param {Kind} kind
   * @param {string} title
   * @param {string} [detail]
   * @param {Many} [many]
   * @returns {Notice} what is shown of it
   */
  add(kind, title, detail = '', many = undefined) {
    const sort = JSON.stringify(many ? [kind, many.say(0)] : [kind, title, detail])
    const equal = this.#all.find((n) => n.sort === sort)
    const n = (many?.n ?? 1) + (equal?.n ?? 0)
    if (equal) this.#drop(equal)
    /** @type {Kept} */
    const notice = { id: equal?.id ?? ++this.#last, kind, title, detail, times: 1, sort, n, timer: undefined }
    if (equal && many) Object.assign(notice, { title: many.say(n), detail: equal.detail === detail ? detail : '' })
    else if (equal) notice.times = n
    this.#all.push(notice)
    this.#giveWay()
    this.#start(notice)
    this.#tell()
    return notice
  }

  /** @param {number} id of a notice that is closed */
  close(id) {
    const notice = this.#all.find((n) => n.id === id)
    if (notice) this.#drop(notice)
    this.#tell()
  }

  closeAll() {
    for (const notice of [...this.#all]) this.#drop(notice)
    this.#tell()
  }

  /** Gives what is shown its whole time again: somebody came to it, or left. */
  touch() {
    for (const notice of this.#all) this.#start(notice)
  }

  /** @param {Kept} notice */
  #drop(notice) {
    clearTimeout(notice.timer)
    this.#all.splice(this.#all.indexOf(notice), 1)
  }

  /** Removes what is not shown and does not wait either. */
  #giveWay() {
    for (const old of this.#all.slice(0, -MAX_SHOWN)) if (old.kind === 'done') this.#drop(old)
    const errors = this.#all.filter((n) => n.kind === 'failed')
    for (const old of errors.slice(0, -MAX_ERRORS)) this.#drop(old)
  }

  /** @param {Kept} notice */
  #start(notice) {
    clearTimeout(notice.timer)
    if (notice.kind === 'failed') return
    notice.timer = setTimeout(() => {
      if (this.#held()) return this.#start(notice)
      this.#drop(notice)
      this.#tell()
    }, STAY.least + STAY.letter * (notice.title.length + notice.detail.length))
  }

  #tell() {
    this.#show(this.#all.slice(-MAX_SHOWN), Math.max(0, this.#all.length - MAX_SHOWN))
  }
}
