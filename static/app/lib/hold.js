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
  let touched = false // whether pointer or key were used since the last click, so that the next one does not come from assistive technology

  const begin = () => {
    if (timer !== undefined) return
    touched = true
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

  button.addEventListener('pointerdown', (e) => e.button === 0 && begin())
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
    e.preventDefault()
    cancel()
    touched = false // its click was suppressed
  })
  button.addEventListener('click', (e) => {
    e.preventDefault()
    if (!touched) ask()
    touched = false
  })
  document.addEventListener('visibilitychange', () => document.hidden && cancel())
}
