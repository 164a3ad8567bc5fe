import { clone, field, one, shape, write } from './dom.js'
import { Notices } from './notices.js'
import { covers, freePlace } from './place.js'

/** @import { Kind, Many, Notice } from './notices.js' */
/** @import { Box } from './place.js' */

/** What somebody might press, so that no notice may lie over it. */
const CONTROLS = 'a[href], button, input, select, textarea, summary, label:has(input), [role="button"], [role="option"], [contenteditable], .xterm'

/** How wide the notices are, in pixels: as they should be, and as they may be where there is little room. */
const WIDTHS = [380, 280, 200]

/** The space between the notices and the edges of the window, in pixels. */
const EDGE = 12

/** How often the page is looked at while there are notices, since it changes below them, in milliseconds. */
const LOOK = 500

/** How long after the live region was put somewhere it gets its text, in milliseconds: what it has at once is not read out. */
const SAY = 100

/** @type {Region | undefined} */
let region

/**
 * Says how something went.
 * @param {Kind} kind
 * @param {string} title
 * @param {string} [detail]
 * @param {Many} [many] what several of them say together; without it, equal ones are counted
 */
export function toast(kind, title, detail = '', many = undefined) {
  region ??= new Region()
  region.add(kind, title, detail, many)
}

/**
 * @param {string} what what failed
 * @param {unknown} e
 */
export function failed(what, e) {
  toast('failed', what, messageOf(e))
}

/** @param {unknown} e */
export function messageOf(e) {
  const text = e instanceof Error ? e.message : String(e)
  return text ? (text[0]?.toUpperCase() ?? '') + text.slice(1) : 'The server did not say why.'
}

/**
 * Where the notices are: over the page, and over the dialog that is open. There it is a part of the dialog, because nothing else
 * can be reached.
 */
class Region {
  #el = one(document, '#toasts')
  #list = one(this.#el, '#toast-list')
  #more = one(this.#el, '#toast-more')
  #said = one(document, '#toast-said')
  #notices = new Notices((shown, waiting) => this.#show(shown, waiting), () => this.#held)
  /** @type {Map<number, HTMLElement>} */
  #rows = new Map()
  /** @type {string[]} */
  #unsaid = []
  /** @type {Element | null} what had the focus before a notice */
  #before = null
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #looking

  constructor() {
    for (const type of ['pointerenter', 'pointerleave', 'focusin', 'focusout']) this.#el.addEventListener(type, () => this.#notices.touch())
    this.#el.addEventListener('focusin', ({ relatedTarget: from }) => {
      if (from instanceof Element && !this.#el.contains(from)) this.#before = from
    })
    one(this.#more, 'button').addEventListener('click', () => this.#notices.closeAll())
    document.addEventListener('visibilitychange', () => this.#notices.touch())
    for (const type of ['toggle', 'close']) document.addEventListener(type, (e) => e.target instanceof HTMLDialogElement && this.#place(), true)
    for (const type of ['scroll', 'resize']) addEventListener(type, () => requestAnimationFrame(() => this.#place()), { capture: true, passive: true })
  }

  get #held() {
    return document.hidden || this.#el.matches(':hover') || this.#el.contains(document.activeElement)
  }

  /** @param {Kind} kind @param {string} title @param {string} detail @param {Many} [many] */
  add(kind, title, detail, many) {
    const said = this.#notices.add(kind, title, detail, many)
    if (this.#unsaid.length === 0) setTimeout(() => write(this.#said, this.#unsaid.splice(0).join(' ')), SAY)
    write(this.#said, '') // else the same words again are no news
    this.#unsaid.push(`${[said.title, said.times > 1 ? `${said.times} times` : '', said.detail].filter(Boolean).map((s) => s.replace(/[.!?]$/, '')).join('. ')}.`)
  }

  /** @param {Notice[]} shown @param {number} waiting */
  #show(shown, waiting) {
    const focused = this.#el.contains(document.activeElement)
    const rows = shown.map((n) => this.#row(n))
    for (const [id, row] of this.#rows) if (!rows.includes(row)) this.#rows.delete(id)
    if (rows.length !== this.#list.children.length || rows.some((row, i) => row !== this.#list.children[i])) this.#list.replaceChildren(...rows)
    this.#more.hidden = waiting === 0
    write(one(this.#more, 'span'), waiting === 1 ? '1 earlier error' : `${waiting} earlier errors`)
    if (focused && !this.#el.contains(document.activeElement)) this.#focus()
    this.#place()
  }

  /** Puts the focus of a notice that went on another one, or back to where it came from. */
  #focus() {
    const next = this.#list.lastElementChild?.querySelector('button')
    const to = next ?? (this.#before?.isConnected ? this.#before : one(document, '#main'))
    if (to instanceof HTMLElement) to.focus({ preventScroll: true })
  }

  /** @param {Notice} n */
  #row({ id, kind, title, detail, times }) {
    let row = this.#rows.get(id)
    if (!row) {
      row = clone('toast')
      one(row, 'button').addEventListener('click', () => this.#notices.close(id))
      this.#rows.set(id, row)
    }
    row.dataset.kind = kind
    shape(one(row, '.glyph'), kind === 'failed' ? 's-failed' : 's-completed')
    for (const [name, text] of [['title', title], ['detail', detail], ['times', times > 1 ? `${times} times` : '']]) {
      const el = field(row, String(name))
      write(el, String(text))
      el.hidden = text === ''
    }
    return row
  }

  /** Puts the notices where they cover no control, if they are not there already. */
  #place() {
    const some = this.#rows.size > 0
    clearInterval(this.#looking)
    if (!some) {
      if (this.#el.matches(':popover-open')) this.#el.hidePopover()
      lane(0)
      return
    }
    this.#looking = setInterval(() => this.#place(), LOOK)
    this.#host()
    if (this.#el.matches(':hover')) return // what somebody points at stays
    const others = this.#controls()
    const { left, top, right, bottom } = this.#el.getBoundingClientRect()
    const inside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight
    if (inside && right > left && !covers({ left, top, right, bottom }, others)) return
    this.#move(others)
  }

  /** Makes the notices, and what says them, a part of the dialog that is open, or of the page. */
  #host() {
    const host = [...document.querySelectorAll('dialog:modal')].at(-1) ?? document.body
    if (this.#el.parentElement !== host) host.append(this.#el, this.#said)
    if (!this.#el.matches(':popover-open')) this.#el.showPopover()
  }

  /** @returns {Box[]} what may not be covered */
  #controls() {
    const root = this.#el.parentElement ?? document.body
    return [...root.querySelectorAll(CONTROLS)].flatMap((el) => {
      if (this.#el.contains(el)) return []
      const box = el.getBoundingClientRect()
      const seen = box.width > 1 && box.height > 1 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth
      return seen && el.checkVisibility({ visibilityProperty: true }) ? [box] : []
    })
  }

  /** @param {Box[]} others */
  #move(others) {
    lane(0)
    const view = { left: EDGE, top: EDGE, right: document.documentElement.clientWidth - EDGE, bottom: innerHeight - EDGE }
    for (const wanted of WIDTHS) {
      const width = Math.min(wanted, view.right - view.left)
      this.#el.style.width = `${width}px`
      const place = freePlace({ width, height: this.#el.offsetHeight }, view, others)
      if (place) return this.#at(place)
    }
    const width = Math.min(WIDTHS[0] ?? 0, view.right - view.left)
    this.#el.style.width = `${width}px`
    this.#at({ left: view.right - width, top: lane(this.#el.offsetHeight, this.#el.parentElement === document.body) })
  }

  /** @param {{left: number, top: number}} place */
  #at({ left, top }) {
    this.#el.style.left = `${left}px`
    this.#el.style.top = `${top}px`
  }
}

/**
 * Makes room for the notices, which moves the page down: below its head, or above a dialog.
 * @param {number} height in pixels; 0: none
 * @param {boolean} [below] whether it is below the head of the page
 * @returns {number} where the notices begin, from the window's upper edge
 */
function lane(height, below = false) {
  const root = document.documentElement
  if (height === 0) root.style.removeProperty('--lane')
  else root.style.setProperty('--lane', `${height + EDGE}px`)
  return below ? Math.round(one(document, '.top').getBoundingClientRect().bottom) - height - EDGE / 2 : EDGE / 2
}
