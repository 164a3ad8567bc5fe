import { mark, one, write } from './dom.js'

/** Matches beyond this are not counted. */
const MAX_MATCHES = 5000

/** @typedef {{line: HTMLElement, start: number, end: number}} Match offsets in the line's text */

/** Whether matches can be marked without changing the page (CSS Custom Highlight API); else their lines are. */
const ranges = 'highlights' in CSS

/** The search within an agent's output. */
export class Find {
  #form = one(document, '#find')
  #box = /** @type {HTMLInputElement} */ (one(document, '#find-text'))
  #count = one(document, '#find-count')
  #previous = /** @type {HTMLButtonElement} */ (one(document, '#find-previous'))
  #next = /** @type {HTMLButtonElement} */ (one(document, '#find-next'))
  #list
  #reach
  #text = ''
  /** @type {Match[]} */
  #matches = []
  #at = -1
  #more = false

  /**
   * @param {HTMLElement} list whose children are the lines
   * @param {(line: HTMLElement) => void} reach brings a line into sight
   */
  constructor(list, reach) {
    this.#list = list
    this.#reach = reach
    this.#box.addEventListener('input', () => this.#search())
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

  /** @param {1 | -1} step */
  step(step) {
    const n = this.#matches.length
    if (n === 0) return
    this.#at = this.#at < 0 ? (step > 0 ? 0 : n - 1) : (this.#at + step + n) % n
    const match = this.#matches[this.#at]
    if (match) this.#reach(match.line)
    this.#show()
  }

  #search() {
    this.#text = this.#box.value.toLowerCase()
    const here = this.#matches[this.#at]
    this.#matches = []
    this.#more = false
    for (const line of this.#list.children) this.#scan(/** @type {HTMLElement} */ (line))
    this.#at = this.#matches.findIndex((m) => m.line === here?.line && m.start === here.start)
    if (this.#at < 0 && this.#matches.length > 0) {
      this.#at = this.#matches.length - 1 // the newest is what a person looks at
      this.#reach(/** @type {Match} */ (this.#matches[this.#at]).line)
    }
    this.#show()
  }

  /**
   * Lines were added, changed or taken away.
   * @param {HTMLElement[]} lines
   */
  changed(lines) {
    if (!this.#text) return
    const here = this.#matches[this.#at]
    const again = new Set(lines)
    this.#matches = this.#matches.filter((m) => m.line.isConnected && !again.has(m.line))
    for (const line of lines) this.#scan(line)
    this.#at = here ? this.#matches.indexOf(here) : -1
    this.#show()
  }

  /** Lines were put in front. */
  again() {
    if (this.#text) this.#search()
  }

  /** @param {HTMLElement} line */
  #scan(line) {
    if (!this.#text) return
    const text = (line.lastElementChild?.textContent ?? '').toLowerCase()
    for (let i = text.indexOf(this.#text); i >= 0; i = text.indexOf(this.#text, i + this.#text.length)) {
      if (this.#matches.length >= MAX_MATCHES) {
        this.#more = true
        return
      }
      this.#matches.push({ line, start: i, end: i + this.#text.length })
    }
  }

  #show() {
    const n = this.#matches.length
    const place = this.#at < 0 ? '' : `${this.#at + 1} of `
    write(this.#count, this.#text ? (n === 0 ? 'No match' : `${place}${n}${this.#more ? '+' : ''}`) : '')
    this.#next.disabled = this.#previous.disabled = n === 0
    const here = this.#matches[this.#at]
    for (const el of this.#list.querySelectorAll('[data-current]')) if (el !== here?.line) el.removeAttribute('data-current')
    if (here) mark(here.line, 'data-current', true)
    if (ranges) {
      const highlights = /** @type {any} */ (CSS).highlights
      const Highlight = /** @type {any} */ (globalThis).Highlight
      highlights.set('found', new Highlight(...this.#matches.flatMap((m) => range(m) ?? [])))
      highlights.set('found-here', new Highlight(...(here ? (range(here) ?? []) : [])))
      return
    }
    const lines = new Set(this.#matches.map((m) => m.line))
    for (const el of this.#list.querySelectorAll('[data-found]')) if (!lines.has(/** @type {HTMLElement} */ (el))) el.removeAttribute('data-found')
    for (const line of lines) mark(line, 'data-found', true)
  }
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
