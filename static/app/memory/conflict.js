import { payloadBytes, toPayload } from '../../client/payload.js'
import { at } from '../lib/base.js'
import { field, mark, one, write } from '../lib/dom.js'
import { ago } from '../lib/format.js'
import { messageOf } from '../lib/toast.js'
import { changes, merge, showDiff, unmerged } from './diff.js'
import { shownValue, textOf, valueBytes, writerAgent, writerWord } from './value.js'

/** @import { MemoryEntry } from '../../client/types.js' */
/** @import { MemoryInit } from '../../client/memory.js' */

/** Two made something of one value: theirs is stored, yours is not. The component ui/memory/entry.templ calls conflict. */
export class Conflict {
  #root = one(document, '#conflict')
  #f = (/** @type {string} */ name) => field(this.#root, name)
  #options
  /** @type {MemoryInit | undefined} none: what the server rendered is shown */
  #yours
  /** @type {MemoryEntry | undefined} none: it was deleted */
  #theirs

  /**
   * @param {object} options
   * @param {(params: MemoryInit) => Promise<void>} options.again stores over theirs
   * @param {() => void} options.theirs what to do when theirs stays
   */
  constructor(options) {
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

  close() {
    this.#root.hidden = true
    this.#yours = undefined
  }

  #merged() {
    return /** @type {HTMLTextAreaElement} */ (one(this.#root, '#merged'))
  }

  /** @param {string} text */
  #complain(text) {
    write(this.#f('merge-error'), text)
    this.#f('merge-error').hidden = text === ''
    mark(this.#merged(), 'aria-invalid', text !== '' && 'true')
  }

  /**
   * @param {MemoryEntry | undefined} theirs
   * @param {MemoryInit | undefined} yours none: as before, theirs has changed once more
   * @param {(writer?: string) => string | undefined} nameOf agents
   */
  show(theirs, yours, nameOf) {
    const again = this.open && this.#yours !== undefined
    const kept = yours ?? this.#yours
    if (!kept) return
    this.#yours = kept
    this.#theirs = theirs
    const mine = payloadBytes(kept.value === undefined ? undefined : toPayload(kept.value))
    const other = theirs ? valueBytes(theirs) : new Uint8Array()
    mark(this.#root, 'data-gone', !theirs)
    mark(this.#root, 'data-revision', String(theirs?.revision ?? 0))
    write(this.#f('title'), !theirs ? 'It was deleted meanwhile' : again ? 'It was changed again meanwhile' : 'It was changed meanwhile')
    this.#who(theirs, nameOf)
    write(this.#f('theirs'), theirs ? shownValue(other) : 'Nothing: it is deleted.')
    write(this.#f('yours-who'), kept.if_revision ? `Not stored; made from revision ${kept.if_revision}` : 'Not stored; the entry was to be new')
    write(this.#f('yours'), shownValue(mine))
    this.#f('between').hidden = !theirs
    showDiff(this.#f('diff'), changes(other, mine))
    write(one(this.#root, '[data-do="theirs"]'), theirs ? 'Keep theirs' : 'Leave it deleted')
    write(this.#f('overwrite'), theirs ? 'Overwrite with yours' : 'Store yours anew')
    this.#both(textOf(other), textOf(mine), Boolean(theirs), again)
    this.#root.hidden = false
    if (again) return
    this.#root.scrollIntoView({ block: 'nearest' })
    this.#root.focus()
  }

  /**
   * @param {MemoryEntry | undefined} theirs
   * @param {(writer?: string) => string | undefined} nameOf
   */
  #who(theirs, nameOf) {
    this.#f('theirs-who').hidden = !theirs
    if (!theirs) return
    write(this.#f('theirs-revision'), `Revision ${theirs.revision}`)
    const id = writerAgent(theirs.writer)
    mark(this.#f('writer'), 'href', id ? at(`/agents/${encodeURIComponent(id)}`) : null)
    write(this.#f('writer'), writerWord(theirs.writer, nameOf(theirs.writer)))
    mark(this.#f('theirs-when'), 'datetime', theirs.updated_at)
    write(this.#f('theirs-when'), ago(Date.now() - Date.parse(theirs.updated_at)))
  }

  /**
   * @param {string | undefined} theirs
   * @param {string | undefined} mine
   * @param {boolean} there
   * @param {boolean} again a merge that was begun stays, in front of what is new
   */
  #both(theirs, mine, there, again) {
    const details = /** @type {HTMLDetailsElement} */ (this.#f('merge'))
    const can = there && theirs !== undefined && mine !== undefined
    details.hidden = !can
    this.#complain('')
    if (!can) return
    const box = this.#merged()
    if (again && details.open) this.#complain('Theirs was changed again while you merged; look at it above before you save.')
    else box.value = merge(theirs, mine)
    if (!again) details.open = false
  }

  /**
   * @param {Event} e
   * @param {() => MemoryInit['value']} value
   */
  async #store(e, value) {
    if (!this.#yours) return // the browser sends what the server rendered
    e.preventDefault()
    const v = value()
    if (v === undefined && e.target === one(this.#root, 'form[data-do="merged"]')) return
    const button = /** @type {HTMLButtonElement} */ (one(/** @type {HTMLElement} */ (e.target), 'button'))
    button.disabled = true
    try {
      await this.#options.again({ ...this.#yours, value: v, if_revision: this.#theirs?.revision ?? 0 })
    } catch (err) {
      this.#complain(messageOf(err))
    } finally {
      button.disabled = false
    }
  }
}
