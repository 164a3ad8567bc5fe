import { mark } from './dom.js'

/** How long the button is held before it acts, in milliseconds; the ring in style.css takes as long. */
export const HOLD_MS = 1500

/**
 * A button that acts when it is held, by pointer or by Enter or Space. Whoever lets go early has done nothing.
 * Assistive technology clicks without holding: it gets to ask.
 * @param {HTMLElement} button
 * @param {{held: () => void, early: () => void, ask: () => void}} acts
 */
export function hold(button, { held, early, ask }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  let touched = false // by pointer or key since the last click: that click is not assistive technology's

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
  button.addEventListener('contextmenu', (e) => touched && e.preventDefault()) // a long touch asks for one
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
    touched = false // its click was prevented
  })
  button.addEventListener('click', (e) => {
    e.preventDefault()
    if (!touched) ask()
    touched = false
  })
  document.addEventListener('visibilitychange', () => document.hidden && cancel())
}
