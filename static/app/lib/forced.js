import { one, write } from './dom.js'
import { CARRIERS } from './pathwords.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Transport } from '../../client/types.js' */

/** @typedef {'auto' | Transport} Choice */

const KEY = 'skein.transport'

/** The choice in the tab's session storage, where storage is allowed. @type {Choice} */
let chosen = read()

/** @returns {Choice} */
function read() {
  try {
    const saved = sessionStorage.getItem(KEY)
    return saved === 'webtransport' || saved === 'websocket' ? saved : 'auto'
  } catch {
    return 'auto'
  }
}

/** The transport that this tab may use, or auto. */
export const forced = () => chosen

/** Dispatches `change`. */
export const choices = new EventTarget()

/**
 * Makes this tab use one transport only, until the tab is closed or another choice is made.
 * @param {Skein} skein
 * @param {Choice} choice
 */
export function force(skein, choice) {
  if (choice === chosen) return
  chosen = choice
  try {
    if (choice === 'auto') sessionStorage.removeItem(KEY)
    else sessionStorage.setItem(KEY, choice)
  } catch {
    // the choice is then kept for this page only
  }
  choices.dispatchEvent(new Event('change'))
  if (skein.state === 'closed') location.reload() // a closed client can't connect again
  else skein.use(choice)
}

/**
 * Runs the line on every page that says so.
 * @param {Skein} skein
 */
export function forcedLine(skein) {
  const line = one(document, '#forced')
  const show = () => {
    write(one(line, 'span'), chosen === 'auto' ? '' : `This tab uses ${CARRIERS[chosen]} only.`)
    line.hidden = chosen === 'auto'
  }
  one(line, 'button').addEventListener('click', () => {
    one(document, '#main').focus() // the button disappears
    force(skein, 'auto')
  })
  choices.addEventListener('change', show)
  show()
}
