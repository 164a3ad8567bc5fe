import { mark } from './dom.js'

/** How long the button must be held before it acts, in milliseconds. The ring in style.css takes as long. */
export const HOLD_MS = 1500

/**
 * Makes a button act when it is held, with the pointer, Enter or Space. Releasing it early does nothing. Assistive
 * technology clicks without holding; such a click asks for confirmation instead.
 * @param {HTMLElement} button
 * @param {{held: () => void, early: () => void, ask: () => void}} acts
 */
export function hold(button, { held, early, ask }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  let touched = false // whether the pointer pressed it and a click of its own may follow, so that this does not come from assistive technology

  const begin = () => {
    if (timer !== undefined) return
    mark(button, 'data-holding', true)
    timer = setTimeout(() => {
      end()
      held()
    }, HOLD_MS)
  }
  const end = () => {
    clearTimeout(timer)
    timer = undefined
    mark(button, 'data-holding', false)
  }
  const cancel = () => {
    if (timer === undefined) return
    end()
    early()
  }
  const presses = (/** @type {KeyboardEvent} */ e) => e.key === 'Enter' || e.key === ' '

  button.addEventListener('pointerdown', (e) => {
    if (e.button !== 0) return
    touched = true
    begin()
  })
  // Released elsewhere, such as over the dialog that it opened, it gives no click.
  const elsewhere = (/** @type {PointerEvent} */ e) => {
    if (e.type === 'pointercancel' || !e.composedPath().includes(button)) touched = false
  }
  for (const type of /** @type {const} */ (['pointerup', 'pointercancel'])) document.addEventListener(type, elsewhere)
  for (const type of /** @type {const} */ (['pointerup', 'pointerleave', 'pointercancel', 'blur'])) button.addEventListener(type, cancel)
  button.addEventListener('contextmenu', (e) => touched && e.preventDefault()) // a long touch would open one
  button.addEventListener('keydown', (e) => {
    if (e.key === 'Escape') return cancel()
    if (!presses(e) || e.ctrlKey || e.altKey || e.metaKey) return
    e.preventDefault()
    if (!e.repeat) begin()
  })
  button.addEventListener('keyup', (e) => {
    if (!presses(e)) return
    e.preventDefault() // of its click, too
    cancel()
  })
  button.addEventListener('click', (e) => {
    e.preventDefault()
    if (!touched) ask()
    touched = false
  })
  document.addEventListener('visibilitychange', () => document.hidden && cancel())
}
