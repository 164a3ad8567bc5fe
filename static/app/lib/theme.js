import { at } from './base.js'
import { mark, one, shape, write } from './dom.js'

const THEMES = /** @type {const} */ (['', 'light', 'dark'])
const YEAR = 365 * 24 * 3600

/**
 * Runs the buttons that switch between the system's theme, light and dark: one in the header and, on narrow screens, one in
 * the account menu. The choice is kept in a cookie, so that the server renders the page with it.
 */
export function theme() {
  const buttons = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-theme-button]'))
  const show = () => {
    const now = document.documentElement.dataset.theme ?? ''
    const text = `Theme: ${now || 'system'}`
    for (const button of buttons) {
      mark(button, 'aria-label', text)
      mark(button, 'title', text)
      shape(one(button, '.icon'), now === 'light' ? 'i-sun' : now === 'dark' ? 'i-moon' : 'i-theme')
      const word = /** @type {HTMLElement | null} */ (button.querySelector('[data-f="theme"]'))
      if (word) write(word, text)
    }
  }
  const saved = /(?:^|; )skein_theme=(light|dark)/.exec(document.cookie)?.[1]
  if (saved) document.documentElement.dataset.theme = saved
  show()
  const turn = () => {
    const now = /** @type {typeof THEMES[number]} */ (document.documentElement.dataset.theme ?? '')
    const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length] ?? ''
    document.documentElement.dataset.theme = next
    document.cookie = `skein_theme=${next}; Path=${at('/')}; SameSite=Lax; Max-Age=${next ? YEAR : 0}`
    show()
  }
  for (const button of buttons) button.addEventListener('click', turn)
}
