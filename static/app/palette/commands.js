import { at } from '../lib/base.js'
import { Views } from '../lib/views.js'

/** @import { Item } from './rank.js' */
/** @import { Acts } from '../lib/palette.js' */

/** The buttons that open something on one page, and the address that presses them from any other. */
const openers = () => [
  { key: 'spawn', title: 'Spawn agents…', also: 'new start run', icon: 'i-plus', button: 'spawn-open', href: `${at('/')}#open-spawn` },
  { key: 'submit', title: 'Submit a task…', also: 'new task queue', icon: 'i-plus', button: 'submit-open', href: at('/tasks#open-submit') },
  { key: 'upload', title: 'Upload files…', also: 'new artifact', icon: 'i-upload', button: 'upload-open', href: at('/artifacts#open-upload') },
]

/** @param {string} id */
const press = (id) => () => document.getElementById(id)?.click()

/**
 * What can be done from anywhere. Nothing is stopped before a person has confirmed it.
 * @param {Acts} acts
 * @returns {Item[]}
 */
export function commands(acts) {
  const opens = openers().map(({ button, href, ...c }) => ({ kind: /** @type {const} */ ('command'), ...c, ...(document.getElementById(button) ? { run: press(button) } : { href }) }))
  /** @type {Item[]} */
  const others = [
    { kind: 'command', key: 'schedule', title: 'New schedule…', also: 'cron time', icon: 'i-clock', href: at('/schedules/new') },
    { kind: 'command', key: 'stop', title: 'Stop everything…', also: 'emergency kill all', detail: 'Asks first', icon: 'i-stop', run: acts.stop },
    { kind: 'command', key: 'theme', title: 'Switch the theme', also: 'dark light system colours', icon: 'i-theme', run: press('theme') },
    { kind: 'command', key: 'keys', title: 'Keyboard shortcuts', also: 'help keys', icon: 'i-keyboard', run: press('keys-open') },
    { kind: 'command', key: 'logout', title: 'Sign out', also: 'log out account', icon: 'i-account', run: () => /** @type {HTMLFormElement | null} */ (document.querySelector('#account form'))?.requestSubmit() },
  ]
  return [...opens, ...others]
}

/** @returns {Item[]} the pages of the navigation, and the saved views of the fleet */
export function pages() {
  const links = /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll('.nav a'))
  return [...links].map((a) => {
    const title = a.firstChild?.textContent?.trim() ?? ''
    return /** @type {Item} */ ({ kind: 'page', key: title, title, icon: 'i-send', href: a.getAttribute('href') ?? '' })
  }).concat(new Views().all.map(({ name, query }) => ({ kind: 'page', key: `view ${name}`, title: name, detail: 'Saved view of the fleet', icon: 'i-filter', href: at(`/${query}`) })))
}
