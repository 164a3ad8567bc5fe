import { busy, field, mark, one, write } from '../lib/dom.js'
import { clean } from '../lib/format.js'
import { parse, showParts } from '../lib/morph.js'
import { sentence } from '../lib/pathwords.js'
import { tick } from '../lib/ticks.js'
import { messageOf, toast } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Action } from '../lib/keys.js' */

/** What a card says whose question has ended in a way that is not listed. */
const OVER = 'It needs no answer any more.'

/**
 * Cards are the questions that a page shows (card in ui/inbox/inbox.templ). The server renders them again with each change; answers go
 * over the session. A card that ends while somebody writes into it, or whose answer was refused, stays and says why.
 */
export class Cards {
  #skein
  #root
  #changed
  #html = '' // as it was last rendered
  /** @type {Set<string>} the keys of the cards whose answers are on their way */
  #sending = new Set()
  /** @type {Map<string, string>} by key, why an answer was not given */
  #notes = new Map()
  #answered = '' // the key of the card that was answered here last, until it is gone: the focus then moves on
  #index = 0 // of the card that had the focus last

  /**
   * @param {Skein} skein
   * @param {HTMLElement} root
   * @param {() => void} [changed] called when other cards are there, also after an answer of this page
   */
  constructor(skein, root, changed = () => {}) {
    this.#skein = skein
    this.#root = root
    this.#changed = changed
    root.addEventListener('submit', (e) => {
      e.preventDefault()
      void this.#answer(/** @type {HTMLFormElement} */ (e.target), /** @type {SubmitEvent} */ (e).submitter)
    })
    root.addEventListener('click', (e) => {
      const card = /** @type {Element} */ (e.target).closest('[data-do="dismiss"]') && keyed(/** @type {Element} */ (e.target))
      if (card) this.#dismiss(card)
    })
    root.addEventListener('focusin', () => (this.#index = Math.max(0, this.all.indexOf(/** @type {HTMLElement} */ (this.current)))))
  }

  get root() {
    return this.#root
  }

  get all() {
    return /** @type {HTMLElement[]} */ ([...this.#root.children])
  }

  /** The card that has the focus. */
  get current() {
    return this.all.find((card) => card.contains(document.activeElement))
  }

  /** @param {1 | -1} step */
  move(step) {
    const { all, current } = this
    const to = all[current ? all.indexOf(current) + step : Math.min(this.#index, all.length - 1)]
    to?.focus()
  }

  /**
   * The keys that choose an option of the card with the focus.
   * @type {Record<string, Action>}
   */
  get digits() {
    return Object.fromEntries([...'123456789'].map((digit, i) => [digit, (e) => {
      const form = this.current?.querySelector('.ask-answers')
      const button = /** @type {HTMLButtonElement | undefined} */ (form?.querySelectorAll('.ask-option')[i])
      if (!button || e.repeat) return false // a key that is held must not answer the next card, too
      button.click()
      return true
    }]))
  }

  /** @param {string} [html] the parts of the page, from the server */
  show(html) {
    if (!html) return toast('failed', 'The questions are too long to be shown live', 'Load the page again.')
    this.#html = html
    const parts = parse(html)
    const to = parts.find((part) => part.id === this.#root.id)
    const at = this.all.findIndex((card) => card.dataset.key === this.#answered)
    if (to) this.#keep(this.#root, to, parts)
    if (to?.childElementCount) {
      to.hidden = false
      for (const part of parts) if (part.id === 'no-asks') part.hidden = true
    }
    showParts(parts)
    for (const part of parts) tick(part.isConnected ? part : one(document, `#${part.id}`))
    this.#changed()
    if (at < 0 || this.all.some((card) => card.dataset.key === this.#answered)) return
    this.#answered = ''
    if (document.activeElement === document.body || document.activeElement === null) (this.all[Math.min(at, this.all.length - 1)] ?? one(document, '#main')).focus({ preventScroll: this.all.length === 0 })
  }

  /**
   * Puts into what the server rendered what is to stay.
   * @param {Element} list
   * @param {Element} to
   * @param {Element[]} parts
   */
  #keep(list, to, parts) {
    /** @type {Element | null} */
    let before = null
    for (const el of /** @type {HTMLElement[]} */ ([...list.children])) {
      const key = el.dataset.key ?? ''
      const next = /** @type {HTMLElement[]} */ ([...to.children]).find((other) => other.dataset.key === key)
      if (next) {
        if (el.dataset.over !== undefined) this.#notes.delete(key) // somebody else asks the same
        if (el.dataset.ids !== next.dataset.ids && !this.#sending.has(key)) release(el)
        this.#keepInside(el, next, parts)
        this.#say(next)
        before = next
      } else if (this.#sending.has(key) || this.#notes.has(key) || written(el).length > 0) {
        const copy = /** @type {HTMLElement} */ (el.cloneNode(true))
        if (!this.#sending.has(key)) this.#close(copy, parts)
        to.insertBefore(copy, before ? before.nextSibling : to.firstChild)
        before = copy
      }
    }
  }

  /**
   * The same for the questions of a card that are answered one by one.
   * @param {Element} el
   * @param {Element} next
   * @param {Element[]} parts
   */
  #keepInside(el, next, parts) {
    const [list, to] = [el, next].map((card) => /** @type {HTMLElement | null} */ (card.querySelector('.ask-each > ul')))
    if (list && to) return this.#keep(list, to, parts)
    for (const box of list ? written(list) : []) { // one is left: its box is the card's
      if (keyed(box)?.dataset.ids === next.getAttribute('data-ids')) next.querySelector('input[name="text"]')?.setAttribute('value', box.value)
    }
  }

  /**
   * Ends a card that stays. What was written can still be copied.
   * @param {HTMLElement} card
   * @param {Element[]} parts
   */
  #close(card, parts) {
    const key = card.dataset.key ?? ''
    const [id = ''] = (card.dataset.ids ?? '').split(' ')
    const ended = parts.flatMap((part) => [...part.querySelectorAll('.ask-end')]).find((item) => /** @type {HTMLElement} */ (item).dataset.id === id)
    if (!this.#notes.has(key)) this.#notes.set(key, ended ? sentence((field(ended, 'how').textContent ?? '').replace(/\s+/g, ' ').trim()) : OVER)
    mark(card, 'data-over', true)
    for (const button of card.querySelectorAll('form button')) mark(button, 'disabled', true)
    for (const box of card.querySelectorAll('input[name="text"]')) mark(box, 'readonly', true)
    this.#say(card)
  }

  /** @param {HTMLElement} card */
  #say(card) {
    const why = this.#notes.get(card.dataset.key ?? '') ?? ''
    const note = one(card, '.ask-note')
    write(field(note, 'note'), why)
    mark(note, 'hidden', why === '')
    mark(one(note, 'button'), 'hidden', card.dataset.over === undefined)
  }

  /** @param {HTMLElement} card */
  #dismiss(card) {
    this.#notes.delete(card.dataset.key ?? '')
    for (const box of written(card)) box.value = ''
    this.#answered = card.dataset.key ?? ''
    if (this.#html) this.show(this.#html)
  }

  /**
   * @param {HTMLFormElement} form
   * @param {HTMLElement | null} submitter
   */
  async #answer(form, submitter) {
    const card = keyed(form)
    const key = card?.dataset.key ?? ''
    if (!card || this.#sending.has(key)) return
    const data = new FormData(form, submitter)
    const [prompt, option, text] = ['prompt', 'option', 'text'].map((name) => data.get(name)?.toString())
    const ids = data.getAll('ask').map(String)
    const buttons = form.querySelectorAll('button')
    this.#sending.add(key)
    this.#notes.delete(key)
    this.#say(card)
    for (const button of buttons) busy(button, true)
    const answers = await Promise.allSettled(ids.map((id) => this.#skein.answer({ id, prompt: prompt ?? '', option, text })))
    const failures = answers.flatMap((a) => (a.status === 'rejected' ? sentence(clean(messageOf(a.reason))) : []))
    const now = /** @type {HTMLElement | undefined} */ (this.#find(key)) // the page may have changed meanwhile
    this.#sending.delete(key)
    if (failures.length === 0) {
      for (const box of now?.querySelectorAll('input[name="text"]') ?? []) if (keyed(box) === now) /** @type {HTMLInputElement} */ (box).value = ''
      if (now?.matches('.ask-card')) this.#answered = key
    } else {
      for (const button of buttons) busy(button, false)
      this.#notes.set(key, (ids.length > 1 ? `${failures.length} of ${ids.length} were not answered. ` : '') + [...new Set(failures)].join(' '))
      if (now) this.#say(now)
    }
    if (this.#html) this.show(this.#html)
  }

  /** @param {string} key */
  #find(key) {
    return [...this.#root.querySelectorAll('[data-key]')].find((el) => /** @type {HTMLElement} */ (el).dataset.key === key)
  }
}

/**
 * The card that an element is in, or the one of several questions.
 * @param {Element} el
 */
const keyed = (el) => /** @type {HTMLElement | null} */ (el.closest('.ask-one, .ask-card'))

/**
 * The boxes with text that was not sent.
 * @param {Element} el
 */
const written = (el) => /** @type {HTMLInputElement[]} */ ([...el.querySelectorAll('input[name="text"]')]).filter((box) => box.value !== '')

/** @param {Element} card one that shows other questions from now on */
function release(card) {
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (card.querySelectorAll('[data-busy]'))) busy(button, false)
}
