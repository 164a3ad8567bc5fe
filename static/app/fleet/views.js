import { at } from '../lib/base.js'
import { dialog, open } from '../lib/dialog.js'
import { clone, field, mark, one, write } from '../lib/dom.js'
import { Views, tidy } from '../lib/views.js'

/** @import { View } from '../lib/views.js' */

/** The links to the saved views, and the dialog that saves, renames and deletes them. */
export class ViewsDialog {
  #views = new Views()
  #query
  #bar = one(document, '#views')
  #dialog = dialog('views-dialog')
  #f
  /** @type {View | undefined} what was deleted last, while the dialog is open */
  #deleted

  /** @param {() => string} query the query of what is shown now, with its ?; '': no filter, and the usual order */
  constructor(query) {
    this.#query = query
    const f = (/** @type {string} */ name) => field(this.#dialog, name)
    this.#f = { save: f('save'), name: /** @type {HTMLInputElement} */ (f('name')), hint: f('hint'), list: f('list'), none: f('none') }
    this.#f.save.addEventListener('submit', (e) => {
      e.preventDefault()
      this.#save()
    })
    this.#f.list.addEventListener('click', (e) => this.#clicked(/** @type {HTMLElement} */ (e.target)))
    this.#f.list.addEventListener('change', (e) => this.#rename(/** @type {HTMLInputElement} */ (e.target)))
    addEventListener('storage', () => this.show())
    addEventListener('pageshow', () => this.show())
    this.show()
  }

  open() {
    this.#deleted = undefined
    this.show()
    write(this.#f.hint, '')
    open(this.#dialog)
    this.#f.name.focus()
  }

  /** Shows which views there are, and which of them is shown. */
  show() {
    const all = this.#links()
    this.#f.none.hidden = all.length > 0 || this.#deleted !== undefined
    this.#f.list.replaceChildren(...all.map(row), ...(this.#deleted ? [putBack(this.#deleted)] : []))
  }

  #links() {
    const { all } = this.#views
    const now = this.#query()
    this.#bar.hidden = all.length === 0
    this.#bar.replaceChildren(...all.map((v) => link(v, v.query === now)))
    return all
  }

  #save() {
    const { name, hint } = this.#f
    const why = this.#views.save(name.value, this.#query())
    write(hint, why || 'It is saved.')
    if (why === '') name.value = ''
    this.show()
  }

  /** @param {HTMLElement} target */
  #clicked(target) {
    const li = /** @type {HTMLElement | null} */ (target.closest('li'))
    const name = li?.dataset.name ?? ''
    switch (target.dataset.f) {
      case 'delete':
        this.#deleted = this.#views.all.find((v) => v.name === name)
        this.#views.delete(name)
        write(this.#f.hint, `“${name}” is deleted.`)
        break
      case 'back':
        write(this.#f.hint, this.#views.save(name, this.#deleted?.query ?? '') || `“${name}” is back.`)
        this.#deleted = undefined
        break
      default:
        return
    }
    this.show()
    const next = /** @type {HTMLElement | null} */ (this.#f.list.querySelector('[data-f="back"]'))
    ;(next ?? this.#f.name).focus()
  }

  /** @param {HTMLInputElement} input */
  #rename(input) {
    const li = /** @type {HTMLElement} */ (input.closest('li'))
    const name = li.dataset.name ?? ''
    const why = this.#views.rename(name, input.value)
    write(this.#f.hint, why || 'It is renamed.')
    const now = this.#links().find((v) => v.name === (why ? name : tidy(input.value)))
    if (now) fill(li, now) // in its place, so that what is clicked next is still there
  }
}

/** @param {View} v @param {boolean} now */
function link(v, now) {
  const a = clone('view-link')
  write(a, v.name)
  mark(a, 'href', at(`/${v.query}`))
  mark(a, 'aria-current', now && 'true')
  return a
}

/** @param {View} v */
function row(v) {
  const li = /** @type {HTMLElement} */ (clone('view-row'))
  fill(li, v)
  return li
}

/** @param {HTMLElement} li @param {View} v */
function fill(li, v) {
  li.dataset.name = v.name
  const input = /** @type {HTMLInputElement} */ (field(li, 'rename'))
  input.value = v.name
  mark(input, 'aria-label', `Name of the view ${v.name}`)
  mark(field(li, 'open'), 'href', at(`/${v.query}`))
  mark(field(li, 'open'), 'aria-label', `Open ${v.name}`)
  mark(field(li, 'delete'), 'aria-label', `Delete ${v.name}`)
}

/** @param {View} v */
function putBack(v) {
  const li = document.createElement('li')
  li.className = 'view-line'
  li.dataset.name = v.name
  const said = li.appendChild(document.createElement('span'))
  said.textContent = `“${v.name}” is deleted.`
  const button = li.appendChild(document.createElement('button'))
  button.type = 'button'
  button.className = 'button small'
  button.dataset.f = 'back'
  button.textContent = 'Put it back'
  return li
}
