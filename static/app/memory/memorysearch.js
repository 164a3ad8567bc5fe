import { field, one, write } from '../lib/dom.js'
import { later, writeURL } from '../lib/later.js'
import { morph, parse } from '../lib/morph.js'
import { messageOf } from '../lib/toast.js'
import { keepFocus } from '../list/arrange.js'

/** @import { Skein } from '../../client/index.js' */

/** The search for words, and what it found, as the server renders it. */
export class MemorySearch {
  #skein
  #namespace
  #box = /** @type {HTMLInputElement} */ (one(document, '#q'))
  #section = one(document, '#hits')
  #list = one(document, '#hit-list')
  #turn = 0

  /**
   * @param {Skein} skein
   * @param {string} [namespace] none: all
   */
  constructor(skein, namespace) {
    this.#skein = skein
    this.#namespace = namespace
    const soon = later(200, () => void this.#run())
    this.#box.addEventListener('input', soon)
    this.#box.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && !e.isComposing) {
        e.preventDefault()
        void this.#run()
      } else if (e.key === 'Escape' && this.#box.value) {
        e.preventDefault()
        this.clear()
      } else if (e.key === 'ArrowDown') this.#list.querySelector('a')?.focus()
    })
    one(this.#section, '[data-do="clear-search"]').addEventListener('click', (e) => {
      e.preventDefault()
      this.clear()
      this.#box.focus()
    })
    this.again = later(500, () => {
      if (!this.#section.hidden && this.#box.value.trim()) void this.#run()
    })
  }

  focus() {
    this.#box.select()
  }

  clear() {
    this.#box.value = ''
    void this.#run()
  }

  async #run() {
    const query = this.#box.value.trim()
    const turn = ++this.#turn
    writeURL({ q: query })
    if (query === '') {
      this.#section.hidden = true
      return
    }
    try {
      const { html = '' } = await this.#skein.memory.render({ html: 'hits', query, ...(this.#namespace !== undefined && { namespace: this.#namespace }) })
      if (turn === this.#turn) this.#show(html)
    } catch (e) {
      if (turn === this.#turn) this.#refuse(messageOf(e))
    }
  }

  /** @param {string} html the component ui/memory/memory.templ calls SearchResults */
  #show(html) {
    const [to] = parse(html)
    if (!to) return
    const here = this.#section.contains(document.activeElement)
    keepFocus(() => morph(this.#section, to))
    if (here && !this.#section.contains(document.activeElement)) this.#box.focus() // what had the focus is found no more
  }

  /** @param {string} error */
  #refuse(error) {
    this.#list.replaceChildren()
    write(field(this.#section, 'found'), '')
    write(field(this.#section, 'error'), error)
    field(this.#section, 'error').hidden = false
    field(this.#section, 'nothing').hidden = true
    this.#section.hidden = false
  }
}
