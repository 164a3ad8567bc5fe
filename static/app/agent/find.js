import { mark, one, write } from '../lib/dom.js'
import { later } from '../lib/later.js'
import { failed, messageOf } from '../lib/toast.js'
import { lineOf } from './around.js'
import { Hits, hitsText } from './hits.js'

/** @import { Sought } from '../lib/sought.js' */
/** @import { Hit } from './hits.js' */

/** How many matches are marked at most. */
const MAX_MATCHES = 5000

/** How long new output is collected before it is searched, in milliseconds. */
const ASK = 300

/** The kinds of lines that the server searches: the agent's output. */
const SEARCHED = ['out', 'err']

/** @typedef {{line: HTMLElement, start: number, end: number}} Match start and end are offsets in the line's text */

/**
 * @typedef {object} View
 * @property {HTMLElement[]} lists the elements whose children are the lines
 * @property {(hit: Hit, text: string) => Promise<HTMLElement | undefined>} show scrolls to a hit and returns its line
 * @property {() => void} end called when the search ends
 */

/** Whether the CSS Custom Highlight API can mark matches without changing the page. Without it, their lines are marked. */
const ranges = 'highlights' in CSS

/** Find searches an agent's output. The server finds the lines; the matches that are on the page are marked there. */
export class Find {
  #form = one(document, '#find')
  #box = /** @type {HTMLInputElement} */ (one(document, '#find-text'))
  #count = one(document, '#find-count')
  #previous = /** @type {HTMLButtonElement} */ (one(document, '#find-previous'))
  #next = /** @type {HTMLButtonElement} */ (one(document, '#find-next'))
  #view
  #hits
  #asking = false
  #text = '' // the text that is searched for, in lower case
  /** @type {Match[]} */
  #matches = []
  /** @type {number | undefined} the number of the hit that is looked at */
  #at
  /** @type {number | undefined} the position of the previous search, until this one has its own */
  #was
  #back = 0 // how many hits of the same event come after it
  #placed = false
  /** @type {HTMLElement | undefined} */
  #line
  #goes = 0

  /**
   * @param {ConstructorParameters<typeof Hits>[0]} log
   * @param {View} view
   */
  constructor(log, view) {
    this.#view = view
    this.#hits = new Hits(log, () => this.#told())
    const soon = later(200, () => this.#search())
    this.#box.addEventListener('input', () => (this.#box.value ? soon() : this.#search()))
    this.#form.addEventListener('submit', (e) => {
      e.preventDefault()
      this.step(1)
    })
    this.#box.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && e.shiftKey) this.step(-1)
      else if (e.key === 'Escape' && this.#box.value) {
        this.#box.value = ''
        this.#search()
      } else return
      e.preventDefault()
    })
    this.#next.addEventListener('click', () => this.step(1))
    this.#previous.addEventListener('click', () => this.step(-1))
  }

  focus() {
    this.#box.select()
  }

  /**
   * Searches for a text, and begins with a line that is known to have it.
   * @param {Sought} line
   */
  from({ text, seq, back }) {
    this.#box.value = text
    this.#search()
    this.#was = seq || undefined
    this.#back = back
  }

  /** @param {1 | -1} step */
  step(step) {
    if (this.#box.value !== this.#hits.text) return this.#search()
    if (this.#hits.error) this.#hits.more()
    this.#go(this.#hits.step(this.#at, step))
  }

  #search() {
    if (this.#box.value === this.#hits.text) return
    this.#was = this.#seq() ?? this.#was
    this.#back = 0
    this.#text = this.#box.value.toLowerCase()
    this.#at = undefined
    this.#line = undefined
    this.#placed = false
    this.#goes++
    if (!this.#text) this.#view.end()
    this.again()
    this.#hits.start(this.#box.value)
  }

  #seq() {
    return this.#at === undefined ? undefined : this.#hits.at(this.#at)?.seq
  }

  #told() {
    const { whole, total, newest } = this.#hits
    const known = this.#was === undefined || this.#hits.passed(this.#was)
    if (!this.#placed && (whole || (total > 0 && known))) {
      this.#placed = true
      const was = this.#was === undefined ? undefined : this.#hits.of(this.#was, this.#back)
      this.#was = undefined
      // Start at the newest, where the person is looking.
      if (this.#at === undefined) this.#go(was ?? newest)
    }
    this.#show()
  }

  /** @param {number | undefined} i the hit to show */
  #go(i) {
    const hit = i === undefined ? undefined : this.#hits.at(i)
    if (!hit) return
    this.#at = i
    this.#line = undefined
    this.#show()
    const go = ++this.#goes
    this.#view.show(hit, this.#text).then((line) => {
      if (go !== this.#goes || !line) return
      this.#line = line
      if (!this.#matches.some((m) => m.line === line)) this.again()
      this.#show()
    }, (e) => {
      if (go === this.#goes) failed('The match could not be loaded', e)
    })
  }

  /**
   * Marks the matches again after lines were added, changed or removed.
   * @param {HTMLElement[]} lines
   */
  changed(lines) {
    if (!this.#text) return
    const again = new Set(lines)
    this.#matches = this.#matches.filter((m) => m.line.isConnected && !again.has(m.line))
    for (const line of lines) this.#scan(line)
    this.#ask()
    this.#show()
  }

  /** Searches new output soon. For an agent that prints all the time, it does so in intervals. */
  #ask() {
    if (this.#asking) return
    this.#asking = true
    setTimeout(() => {
      this.#asking = false
      this.#hits.more()
    }, ASK)
  }

  /** Marks the matches in other lines that are shown now. */
  again() {
    this.#matches = []
    if (!this.#text) return
    for (const list of this.#view.lists) for (const line of list.children) this.#scan(/** @type {HTMLElement} */ (line))
    this.#show()
  }

  /** Starts again, because the log is a new one. */
  restart() {
    if (!this.#text) return
    this.#at = undefined
    this.#hits.start(this.#box.value)
  }

  /** @param {HTMLElement} line */
  #scan(line) {
    if (this.#matches.length < MAX_MATCHES) this.#matches.push(...this.#in(line))
  }

  /**
   * @param {HTMLElement} line
   * @returns {Match[]}
   */
  #in(line) {
    if (!this.#text || !SEARCHED.includes(line.dataset.k ?? '')) return []
    const text = textOf(line).toLowerCase()
    const all = []
    for (let i = text.indexOf(this.#text); i >= 0; i = text.indexOf(this.#text, i + this.#text.length)) {
      all.push({ line, start: i, end: i + this.#text.length })
    }
    return all
  }

  #show() {
    write(this.#count, hitsText(this.#hits, this.#at))
    mark(this.#count, 'title', this.#hits.error ? messageOf(this.#hits.error) : null)
    this.#next.disabled = this.#previous.disabled = this.#hits.total === 0
    const here = this.#line?.isConnected ? this.#line : undefined
    for (const list of this.#view.lists) {
      for (const el of list.querySelectorAll('[data-current]')) if (el !== here) el.removeAttribute('data-current')
    }
    if (here) mark(here, 'data-current', true)
    if (ranges) {
      const highlights = /** @type {any} */ (CSS).highlights
      const Highlight = /** @type {any} */ (globalThis).Highlight
      highlights.set('found', new Highlight(...this.#matches.flatMap((m) => range(m) ?? [])))
      highlights.set('found-here', new Highlight(...(here ? this.#in(here).flatMap((m) => range(m) ?? []) : [])))
      return
    }
    const lines = new Set(this.#matches.map((m) => m.line))
    for (const list of this.#view.lists) {
      for (const el of list.querySelectorAll('[data-found]')) if (!lines.has(/** @type {HTMLElement} */ (el))) el.removeAttribute('data-found')
    }
    for (const line of lines) mark(line, 'data-found', true)
  }
}

/** @param {Element} line */
const textOf = (line) => line.lastElementChild?.textContent ?? ''

/**
 * Finds the line of a hit, if it is on the page.
 * @param {HTMLElement} list
 * @param {Hit} hit
 * @param {string} text in lower case
 */
export function found(list, hit, text) {
  const lines = [.../** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll(`[data-seq="${hit.seq}"]`))].filter((el) => SEARCHED.includes(el.dataset.k ?? ''))
  return lines[lineOf(lines.map((el) => ({ seq: hit.seq, text: textOf(el) })), hit, text)]
}

/**
 * @param {Match} m
 * @returns {Range[] | undefined}
 */
function range({ line, start, end }) {
  const text = line.lastElementChild
  if (!text || !line.isConnected) return undefined
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT)
  const r = document.createRange()
  let at = 0
  let begun = false
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const length = node.textContent?.length ?? 0
    if (!begun && start < at + length) {
      r.setStart(node, start - at)
      begun = true
    }
    if (begun && end <= at + length) {
      r.setEnd(node, end - at)
      return [r]
    }
    at += length
  }
  return undefined
}
