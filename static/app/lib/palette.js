import { one } from './dom.js'
import { failed } from './toast.js'

/** @import { Skein } from '../../client/index.js' */

/** @typedef {{stop: () => void}} Acts stop: asks whether everything is to be stopped */

/** The buttons that an address can press, by what follows its #: those that open a dialog, and nothing else. @type {Record<string, string>} */
const OPENS = { '#open-spawn': 'spawn-open', '#open-submit': 'submit-open', '#open-upload': 'upload-open' }

/** Whether the browser runs on a Mac, whose shortcuts have another key. */
const mac = /^(Mac|iP)/.test(globalThis.navigator?.platform ?? '')

/**
 * Whether the keys are Ctrl+K, or Cmd+K on a Mac. In a terminal, Ctrl+K is the program's.
 * @param {KeyboardEvent} e
 */
const chord = (e) => e.key.toLowerCase() === 'k' && (mac ? e.metaKey && !e.ctrlKey : e.ctrlKey && !e.metaKey) && !e.altKey && !e.shiftKey &&
  (mac || !(e.target instanceof Element && e.target.closest('.xterm')))

/**
 * Lets the command palette be opened by its button and its keys. Its module is loaded when it is first opened.
 * @param {Skein} skein
 * @param {Acts} acts
 */
export function palette(skein, acts) {
  const dialog = /** @type {HTMLDialogElement} */ (one(document, '#palette'))
  const box = /** @type {HTMLInputElement} */ (one(dialog, 'input'))
  /** @type {Promise<{opened: () => void}> | undefined} */
  let made
  const load = () => (made ??= import('../palette/palette.js').then((m) => new m.Palette(skein, acts)))
  const toggle = async () => {
    if (dialog.open) return dialog.close()
    if (document.querySelector('dialog[open]')) return
    box.value = '' // the end of the last time may not have been told yet
    dialog.showModal() // before the module is there, so that what is typed meanwhile goes into the box
    box.focus()
    try {
      (await load()).opened()
    } catch (e) {
      made = undefined // so that the next time tries again
      dialog.close()
      failed('The search could not be opened', e)
    }
  }
  document.getElementById('palette-open')?.addEventListener('click', () => void toggle())
  document.addEventListener('keydown', (e) => {
    if (!chord(e) || e.isComposing) return
    e.preventDefault()
    if (!e.repeat) void toggle()
  }, { capture: true })
  const button = OPENS[location.hash]
  if (button) addEventListener('load', () => {
    history.replaceState(history.state, '', location.pathname + location.search)
    document.getElementById(button)?.click()
  })
}
