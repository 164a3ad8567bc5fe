import { offer } from '../fleet/offer.js'
import { at } from '../lib/base.js'
import { mark, one, write } from '../lib/dom.js'
import { search } from './choice.js'

/** @import { Choice, Filter, Size } from './choice.js' */

/** Surroundings runs what stands around the cells: the filter, the chips, the sizes, and the notes. The links work without the script, too. */
export class Surroundings {
  #filter
  #acts
  #query = /** @type {HTMLInputElement} */ (one(document, '#q'))
  #chips = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('.chip[data-group]')])
  #sizes = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('#sizes [data-size]')])
  #selects = /** @type {Record<'type' | 'label' | 'node', HTMLSelectElement>} */ (Object.fromEntries(['type', 'label', 'node'].map((name) => [name, one(document, `#${name}`)])))

  /**
   * @param {Filter} filter which this changes
   * @param {{filtered: () => void, sized: () => void}} acts
   */
  constructor(filter, acts) {
    this.#filter = filter
    this.#acts = acts
    for (const chip of this.#chips) follows(chip, () => this.#change({ state: chip.dataset.group ?? '' }))
    for (const size of this.#sizes) follows(size, () => this.resize(/** @type {Size} */ (size.dataset.size)))
    for (const name of /** @type {const} */ (['type', 'label', 'node'])) this.#selects[name].addEventListener('change', () => this.#change({ [name]: this.#selects[name].value }))
    const all = () => this.#change({ query: '', type: '', label: '', node: '', state: '', agents: [] })
    follows(one(document, '#clear-filter'), all)
    follows(one(document, '#chosen a'), all)
    this.#listen()
  }

  #listen() {
    one(document, '#filters').addEventListener('submit', (e) => e.preventDefault())
    this.#query.addEventListener('input', () => this.#change({ query: this.#query.value.trim() }))
    this.#query.addEventListener('keydown', (e) => {
      if (e.key !== 'Escape') return
      e.preventDefault()
      if (this.#query.value) this.#change({ query: '' })
      this.#query.blur()
    })
  }

  search() {
    this.#query.select()
  }

  /** @param {Size} size */
  resize(size) {
    this.#filter.size = size
    this.#written()
    this.#acts.sized()
  }

  /** @param {Partial<Filter>} change */
  #change(change) {
    Object.assign(this.#filter, change)
    this.#written()
    this.#acts.filtered()
  }

  /** Writes the filter to the address, and to what shows it. */
  #written() {
    const f = this.#filter
    const url = (/** @type {Partial<Filter>} */ c) => at(`/wall${search({ ...f, ...c })}`)
    history.replaceState(null, '', url({}))
    for (const chip of this.#chips) {
      const state = chip.dataset.group ?? ''
      mark(chip, 'aria-current', state === f.state && 'true')
      mark(chip, 'href', url({ state }))
    }
    for (const link of this.#sizes) {
      const size = /** @type {Size} */ (link.dataset.size)
      mark(link, 'aria-current', size === f.size && 'true')
      mark(link, 'href', url({ size }))
    }
    if (this.#query.value.trim() !== f.query) this.#query.value = f.query
    for (const name of /** @type {const} */ (['type', 'label', 'node'])) this.#selects[name].value = f[name]
    one(document, '#chosen').hidden = f.agents.length === 0
  }

  /**
   * @param {Choice} choice
   * @param {number} size how many agents there are
   * @param {{summary: string, cut: string, none: boolean}} says
   */
  show({ counts, labels, nodes }, size, { summary, cut, none }) {
    for (const chip of this.#chips) {
      const key = chip.dataset.group ?? ''
      const n = counts[key] ?? 0
      write(one(chip, '.chip-count'), String(n))
      mark(chip, 'data-some', n > 0)
      chip.hidden = n === 0 && chip.dataset.always === undefined && key !== this.#filter.state
    }
    offer(this.#selects.label, labels, this.#filter.label, 1)
    offer(this.#selects.node, nodes, this.#filter.node, 2)
    one(document, '#chips').hidden = one(document, '#filters').hidden = size === 0
    write(one(document, '#summary'), summary)
    const note = one(document, '#cut')
    note.hidden = cut === ''
    write(note, cut)
    one(document, '#wall').hidden = none
    this.#nothing(none, size > 0)
  }

  /** @param {boolean} none @param {boolean} some whether there are agents */
  #nothing(none, some) {
    one(document, '#no-cells').hidden = !none
    if (!none) return
    write(one(document, '#no-cells-title'), some ? 'No agent to show' : 'No agent yet')
    write(one(document, '#no-cells-text'), some ? 'No agent that is alive matches the filter. Those that have ended are behind “Ended”.' : 'The wall shows what each agent shows, live: its screen, its last lines or turns.')
    one(document, '#clear-filter').hidden = !some
    one(document, '#to-fleet').hidden = some
  }
}

/**
 * Makes a link act in this page, unless a person opens it in another tab or window.
 * @param {HTMLElement} link
 * @param {() => void} act
 */
function follows(link, act) {
  link.addEventListener('click', (e) => {
    if (e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return
    e.preventDefault()
    act()
  })
}
