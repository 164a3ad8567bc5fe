import { at } from '../lib/base.js'
import { clone, field, mark, one, write } from '../lib/dom.js'
import { ago, clean, count } from '../lib/format.js'
import { later, writeURL } from '../lib/later.js'
import { messageOf } from '../lib/toast.js'
import { entryURL, marked, spaceURL, writerAgent, writerWord } from './value.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { MemorySearchResult } from '../../client/types.js' */

const MAX_HITS = 50

/** The search for words, and what it found: the component ui/memory/memory.templ calls searchResults. */
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
    const everywhere = /** @type {HTMLAnchorElement} */ (one(this.#section, '[data-do="everywhere"]'))
    mark(everywhere, 'href', at(`/memory?q=${encodeURIComponent(query)}`))
    everywhere.hidden = this.#namespace === undefined
    try {
      const found = await this.#skein.memory.search({ query, limit: MAX_HITS, ...(this.#namespace !== undefined && { namespaces: [this.#namespace] }) })
      if (turn === this.#turn) this.#show(query, found)
    } catch (e) {
      if (turn === this.#turn) this.#show(query, { hits: [], total: 0 }, messageOf(e))
    }
  }

  /**
   * @param {string} query
   * @param {MemorySearchResult} found
   * @param {string} [error]
   */
  #show(query, { hits, total }, error = '') {
    const now = Date.now()
    write(one(this.#section, '#hits-title'), this.#namespace === undefined ? 'Found in all namespaces' : `Found in ${this.#namespace}`)
    write(field(this.#section, 'found'), error ? '' : total > hits.length ? `The ${hits.length} best of ${total} entries` : count(total, 'entry', 'entries'))
    write(field(this.#section, 'error'), error)
    field(this.#section, 'error').hidden = error === ''
    field(this.#section, 'nothing').hidden = error !== '' || total > 0
    this.#list.replaceChildren(
      ...hits.map(({ entry, snippet = '' }) => {
        const el = clone('hit')
        const f = (/** @type {string} */ name) => field(el, name)
        write(f('space'), entry.namespace)
        mark(f('space'), 'href', spaceURL(entry.namespace))
        mark(f('key'), 'href', entryURL(entry.namespace, entry.key))
        f('key').replaceChildren(...pieces(entry.key, query))
        f('snippet').replaceChildren(...pieces(clean(snippet), query))
        showWriter(this.#skein, f('writer'), entry.writer)
        mark(f('updated'), 'datetime', entry.updated_at)
        write(f('updated'), ago(now - Date.parse(entry.updated_at)))
        return el
      }),
    )
    this.#section.hidden = false
  }
}

/**
 * @param {string} text
 * @param {string} query
 */
function pieces(text, query) {
  return marked(text, query).map(({ text, on }) => {
    if (!on) return document.createTextNode(text)
    const el = document.createElement('mark')
    el.textContent = text
    return el
  })
}

/**
 * Who wrote: an agent's name leads to it. While the fleet has not come yet, what the server wrote stays.
 * @param {Skein} skein
 * @param {HTMLElement} el
 * @param {string | undefined} writer
 */
export function showWriter(skein, el, writer) {
  const id = writerAgent(writer)
  const href = id ? at(`/agents/${encodeURIComponent(id)}`) : null
  const name = skein.fleet.agents.get(id)?.name
  if (href && !name && el.textContent && el.getAttribute('href') === href) return
  mark(el, 'href', href)
  write(el, writerWord(writer, name))
}
