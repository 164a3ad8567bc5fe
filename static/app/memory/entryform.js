import { RpcError } from '../../client/errors.js'
import { field, mark, one, write } from '../lib/dom.js'
import { messageOf } from '../lib/toast.js'
import { UNITS } from './value.js'

/** @import { MemoryEntry } from '../../client/types.js' */
/** @import { MemoryInit } from '../../client/memory.js' */

/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Control */

/** The form about an entry of memory: a new one, or a change of one. */
export class EntryForm {
  #section = one(document, '#form')
  #form = /** @type {HTMLFormElement} */ (one(document, '#entry-form'))
  #save
  #busy = false
  #closed

  /**
   * @param {object} options
   * @param {(params: MemoryInit, form: HTMLFormElement) => Promise<unknown>} options.save
   * @param {{namespace: string, key: string}} [options.names] none: the form asks for them
   * @param {() => void} [options.closed]
   */
  constructor({ save, names, closed }) {
    this.#save = save
    this.#closed = closed
    this.#form.addEventListener('submit', (e) => {
      e.preventDefault()
      void this.#submit(names)
    })
    this.#form.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) {
        e.preventDefault()
        this.#form.requestSubmit()
      } else if (e.key === 'Escape') {
        e.preventDefault()
        e.stopPropagation()
        this.close()
      }
    })
    for (const b of this.#section.querySelectorAll('[data-do="close"]')) {
      b.addEventListener('click', (e) => {
        e.preventDefault()
        this.close()
      })
    }
  }

  get open() {
    return !this.#section.hidden
  }

  /** The revision that the form changes; 0: the entry must not be there. */
  get revision() {
    return Number(this.control('revision').value)
  }

  /**
   * @param {string} name
   * @returns {Control}
   */
  control(name) {
    return /** @type {Control} */ (one(this.#form, `[name="${name}"]`))
  }

  /**
   * Opens it for an entry, with what it holds now.
   * @param {MemoryEntry | undefined} entry none: a new one
   * @param {string} text
   */
  edit(entry, text) {
    this.control('value').value = text
    this.control('content_type').value = entry?.content_type ?? ''
    this.control('revision').value = String(entry?.revision ?? 0)
    this.control('keep_until').value = entry?.expires_at ?? ''
    this.#keepOption(entry?.expires_at)
    write(one(this.#section, '#form-title'), entry ? 'Edit' : 'New entry')
    write(field(this.#form, 'submit'), entry ? 'Save' : 'Store')
    this.show()
    this.control('value').focus()
  }

  /** @param {string | undefined} until */
  #keepOption(until) {
    const select = /** @type {HTMLSelectElement} */ (this.control('expires'))
    let keep = /** @type {HTMLOptionElement | null} */ (select.querySelector('option[value="keep"]'))
    if (!until) keep?.remove()
    else if (!keep) {
      keep = new Option('As it does now', 'keep')
      select.add(keep, 1)
    }
    select.value = until ? 'keep' : 'never'
    this.control('ttl').value = ''
  }

  show() {
    this.#clear()
    this.meanwhile('')
    this.#section.hidden = false
    this.#section.scrollIntoView({ block: 'nearest' })
  }

  close() {
    if (!this.open) return
    this.#section.hidden = true
    this.#closed?.()
  }

  /** @param {string} text what happened while the form was open */
  meanwhile(text) {
    const p = field(this.#form, 'meanwhile')
    write(p, text)
    p.hidden = text === ''
  }

  /** @param {{namespace: string, key: string}} [names] */
  async #submit(names) {
    if (this.#busy) return
    this.#clear()
    const ttl = this.#ttl()
    if (ttl === undefined) return
    const { namespace, key } = names ?? { namespace: this.control('namespace').value.trim(), key: this.control('key').value }
    const type = this.control('content_type').value.trim()
    const button = /** @type {HTMLButtonElement} */ (field(this.#form, 'submit'))
    const value = /** @type {HTMLTextAreaElement} */ (this.control('value'))
    this.#busy = button.disabled = value.readOnly = true // what is typed now would be lost
    try {
      await this.#save({ namespace, key, value: value.value, if_revision: this.revision, ...(type && { content_type: type }), ...(ttl > 0 && { ttl }) }, this.#form)
    } catch (e) {
      this.refuse(e)
    } finally {
      this.#busy = button.disabled = value.readOnly = false
    }
  }

  /** The time to live in milliseconds, 0: for ever; undefined: that is none. */
  #ttl() {
    const how = this.control('expires').value
    if (how === 'keep') {
      const left = Date.parse(this.control('keep_until').value) - Date.now()
      if (left > 0) return left
      this.#fail('ttl', 'It would have expired by now: say anew when it expires.')
      return undefined
    }
    if (how !== 'after') return 0
    const n = Number(this.control('ttl').value)
    if (!(n > 0)) {
      this.#fail('ttl', 'Say after how long it expires: a number above 0.')
      return undefined
    }
    return Math.max(1, Math.round(n * UNITS[/** @type {keyof typeof UNITS} */ (this.control('unit').value)]))
  }

  /** @param {unknown} e */
  refuse(e) {
    const name = e instanceof RpcError ? (e.field ?? '') : ''
    if (name && this.#form.querySelector(`[data-error="${CSS.escape(name)}"]`)) return this.#fail(name, messageOf(e))
    const box = field(this.#form, 'error')
    write(box, messageOf(e))
    box.hidden = false
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #fail(name, text) {
    const p = one(this.#form, `[data-error="${name}"]`)
    write(p, text)
    p.hidden = text === ''
    const box = this.control(name)
    mark(box, 'aria-invalid', text !== '' && 'true')
    if (text) box.focus()
  }

  #clear() {
    field(this.#form, 'error').hidden = true
    for (const p of /** @type {NodeListOf<HTMLElement>} */ (this.#form.querySelectorAll('[data-error]'))) this.#fail(p.dataset.error ?? '', '')
  }
}

/**
 * What to say where a new entry was there already.
 * @param {unknown} e
 */
export function conflictText(e) {
  if (!(e instanceof RpcError) || e.kind !== 'conflict') return e
  return new RpcError({ code: e.code, message: 'there is such an entry already: open it to change it', data: { kind: 'conflict', field: 'key' } })
}
