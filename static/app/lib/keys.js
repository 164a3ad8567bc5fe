import { dialog, open } from './dialog.js'
import { one } from './dom.js'

/** @typedef {(e: KeyboardEvent) => void | boolean} Action false leaves the key to the browser */

/**
 * The shortcuts that every page has.
 * @type {Record<string, Action>}
 */
export const everywhere = {}

/**
 * Runs the shortcuts of a page that are single keys. They do nothing while a person types or a dialog is open.
 * @param {Record<string, Action>} actions by KeyboardEvent.key
 */
export function listen(actions) {
  const help = dialog('keys')
  one(document, '#keys-open').addEventListener('click', () => open(help))
  /** @type {Record<string, Action>} */
  const all = { '?': () => open(help), ...everywhere, ...actions }
  document.addEventListener('keydown', (e) => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return
    if (document.querySelector('dialog[open]')) return
    if (typing(e.target)) {
      if (e.key === 'Escape') /** @type {HTMLElement} */ (e.target).blur()
      return
    }
    const action = Object.hasOwn(all, e.key) ? all[e.key] : undefined
    if (action && action(e) !== false) e.preventDefault()
  })
}

/** @param {EventTarget | null} target */
function typing(target) {
  return target instanceof HTMLElement && target.matches('input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]')
}
