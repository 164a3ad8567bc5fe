import { one, write } from './dom.js'
import { CARRIERS } from './pathwords.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Transport } from '../../client/types.js' */

/** @typedef {'auto' | Transport} Choice */

const KEY = 'skein.transport'

/** What the tab's own storage says, where storage is allowed. @type {Choice} */
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

/** The transports that this tab may use. */
export const forced = () => chosen

/** Tells of `change`. */
export const choices = new EventTarget()

/**
 * Keeps this tab to a transport, until it is closed or told otherwise.
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
    // it holds for this page only
  }
  choices.dispatchEvent(new Event('change'))
  if (skein.state === 'closed') location.reload() // such a client does not come back
  else skein.use(choice)
}

/**
 * The line that says so, on every page.
 * @param {Skein} skein
 */
export function forcedLine(skein) {
  const line = one(document, '#forced')
  const show = () => {
    write(one(line, 'span'), chosen === 'auto' ? '' : `This tab uses ${CARRIERS[chosen]} only.`)
    line.hidden = chosen === 'auto'
  }
  one(line, 'button').addEventListener('click', () => {
    one(document, '#main').focus() // the button goes
    force(skein, 'auto')
  })
  choices.addEventListener('change', show)
  show()
}
