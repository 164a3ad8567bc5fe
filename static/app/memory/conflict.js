import { toPayload } from '../../client/payload.js'
import { busy, field, mark, one, write } from '../lib/dom.js'
import { morph, parse } from '../lib/morph.js'
import { failed, messageOf } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { MemoryInit } from '../../client/memory.js' */

/** Whether a text still has a marker between two versions. ui/words/diff.go makes them, and checks the same. @param {string} text */
export const unmerged = (text) => text.split('\n').some((l) => l === '<<<<<<< theirs' || l === '>>>>>>> yours')

/** Two made something of one value: theirs is stored, yours is not. The server renders it: the component ui/memory/entry.templ calls conflict. */
export class Conflict {
  #root = one(document, '#conflict')
  #skein
  #options
  /** @type {MemoryInit | undefined} none: what the server rendered with the page is shown */
  #yours
  // How many times the server was asked to render it again, and which of the answers is shown: they may come in any order.
  #asked = 0
  #answered = 0

  /**
   * @param {Skein} skein
   * @param {object} options
   * @param {(params: MemoryInit, form: HTMLFormElement) => Promise<unknown>} options.again stores over theirs
   * @param {() => void} options.theirs what to do when theirs stays
   */
  constructor(skein, options) {
    this.#skein = skein
    this.#options = options
    one(this.#root, '[data-do="theirs"]').addEventListener('click', (e) => {
      e.preventDefault()
      this.close()
      options.theirs()
    })
    one(this.#root, 'form[data-do="yours"]').addEventListener('submit', (e) => this.#store(e, () => this.#yours?.value))
    one(this.#root, 'form[data-do="merged"]').addEventListener('submit', (e) => this.#store(e, () => {
      const text = this.#merged().value
      if (!unmerged(text)) return text
      this.#complain('There is still a marker between both versions: take out what you do not want, and the markers.')
      return undefined
    }))
  }

  get open() {
    return !this.#root.hidden
  }

  /** The revision of theirs; 0: it was deleted. */
  get revision() {
    return Number(this.#root.dataset.revision)
  }

  close() {
    this.#root.hidden = true
    this.#yours = undefined
  }

  #merged() {
    return /** @type {HTMLTextAreaElement} */ (one(this.#root, '#merged'))
  }

  /** @param {string} text */
  #complain(text) {
    const box = field(this.#root, 'merge-error')
    write(box, text)
    box.hidden = text === ''
    mark(this.#merged(), 'aria-invalid', text !== '' && 'true')
  }

  /**
   * @param {MemoryInit} yours
   * @returns {Promise<string>} '': it fits no message
   */
  async render({ value = '', ...rest }) {
    return (await this.#skein.memory.render({ html: 'conflict', ...rest, value: toPayload(value) })).html ?? ''
  }

  /** Theirs has changed once more. One that fits no message is shown when yours is to be stored over it. */
  async again() {
    const yours = this.#yours
    if (!yours) return
    const mine = ++this.#asked
    const html = await this.render(yours)
    if (!html || this.#yours !== yours || mine < this.#answered) return
    this.#answered = mine
    this.show(html, yours)
  }

  /**
   * @param {string} html
   * @param {MemoryInit} yours
   */
  show(html, yours) {
    const [to] = parse(html)
    if (!to) return
    const again = this.open && this.#yours !== undefined
    const details = /** @type {HTMLDetailsElement} */ (field(this.#root, 'merge'))
    const box = this.#merged()
    const begun = again && (details.open || box.value !== box.defaultValue) // a merge that was begun stays, in front of what is new
    if (begun) {
      one(to, '#merged').textContent = box.defaultValue
      field(to, 'merge').hidden = details.hidden
    }
    if (again && to.dataset.gone === undefined) write(field(to, 'title'), 'It was changed again meanwhile')
    morph(this.#root, to)
    this.#yours = yours
    details.open = begun
    if (begun) this.#complain('Theirs was changed again while you merged; look at it above before you save.')
    else box.value = box.defaultValue
    if (again) return
    this.#root.scrollIntoView({ block: 'nearest' })
    this.#root.focus()
  }

  /**
   * @param {Event} e
   * @param {() => MemoryInit['value']} value
   */
  async #store(e, value) {
    if (!this.#yours) return // the browser sends what the server rendered
    e.preventDefault()
    const form = /** @type {HTMLFormElement} */ (e.target)
    const v = value()
    if (v === undefined && form.dataset.do === 'merged') return
    const button = /** @type {HTMLButtonElement} */ (one(form, 'button'))
    busy(button, true)
    this.#merged().readOnly = true // what is typed now would be lost
    try {
      await this.#options.again({ ...this.#yours, value: v, if_revision: this.revision }, form)
    } catch (err) {
      if (form.dataset.do === 'merged') this.#complain(messageOf(err))
      else failed('Yours was not stored', err) // the merge may be closed
    } finally {
      busy(button, false)
      this.#merged().readOnly = false
    }
  }
}
