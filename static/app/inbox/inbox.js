/**
 * The page of what agents ask people. The server rendered it; this script keeps it up to date, sends the answers, and notifies.
 */
import { mark, one, settings } from '../lib/dom.js'
import { clean } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { page } from '../lib/page.js'
import { tick } from '../lib/ticks.js'
import { toast } from '../lib/toast.js'
import { Cards } from './cards.js'
import { Push } from './push.js'

/** @import { Ask } from '../../client/types.js' */

const root = one(document, '#inbox')
const skein = page({
  asks: {
    params: { html: true },
    show({ asks, html, pending }) {
      cards.show(html)
      notify(asks)
      summary(pending)
      if (asks.length === pending) void push.tidy(asks.map(({ id }) => id)) // the list may be cut
    },
  },
})
const cards = new Cards(skein, one(document, '#asks'))

/** @param {number} n */
function summary(n) {
  const text = n === 0 ? 'Nobody waits' : n === 1 ? '1 waits for you' : `${n} wait for you`
  const el = one(document, '#summary')
  if (el.textContent !== text) el.textContent = text
}

setInterval(() => document.hidden || tick(root), 1000)
tick(root)

// --- one question, by the page's URL ---

function reveal() {
  const id = decodeURIComponent(location.hash.slice(1))
  const el = id && /** @type {HTMLElement | null} */ (root.querySelector(`[data-ids~="${CSS.escape(id)}"]`))
  if (!el) return
  el.focus()
  el.scrollIntoView({ block: 'nearest' })
}
addEventListener('hashchange', reveal)
reveal()

const push = new Push()
navigator.serviceWorker?.addEventListener('message', ({ data }) => { // somebody has clicked its notification
  if (data?.reveal) location.hash = data.reveal
})

// --- notifications ---

const button = one(document, '#notify')
const able = 'Notification' in globalThis
/** The questions that were there before. */
const known = new Set(cards.all.flatMap((card) => (card.dataset.ids ?? '').split(' ')))

const wanted = () => able && Notification.permission === 'granted' && settings.get('notify') !== 'off'

function showButton() {
  button.hidden = !able
  mark(button, 'aria-pressed', String(wanted()))
  button.textContent = wanted() ? 'Notifications are on' : 'Notify me'
}
showButton()
if (Number(cards.root.dataset.pending) === known.size) void push.tidy([...known])

button.addEventListener('click', async () => {
  const on = !wanted()
  if (on && Notification.permission === 'default') await Notification.requestPermission()
  if (on && Notification.permission === 'denied') toast('failed', 'The browser does not allow notifications', 'It asks no more: allow them for this site in its settings.')
  settings.set('notify', on ? 'on' : 'off')
  showButton()
})

/**
 * Notifies of each new question while nobody looks at the page.
 * @param {Ask[]} asks
 */
function notify(asks) {
  for (const { id, name, text } of asks) {
    if (known.has(id)) continue
    known.add(id)
    if (!document.hidden || !wanted() || push.notifies) continue
    const note = new Notification(`${clean(name) || 'An agent'} waits for you`, { body: clean(text), tag: id })
    note.addEventListener('click', () => {
      globalThis.focus()
      location.hash = id
      note.close()
    })
  }
}

// --- keys ---

/**
 * Leaves an arrow key to the browser where it scrolls.
 * @param {1 | -1} step
 */
const arrow = (step) => () => {
  const here = document.activeElement
  if (here && here !== document.body && here.id !== 'main' && (!cards.current || here.matches('pre, .diff'))) return false
  cards.move(step)
  return true
}

listen({
  ...cards.digits,
  j: () => cards.move(1),
  k: () => cards.move(-1),
  ArrowDown: arrow(1),
  ArrowUp: arrow(-1),
  Enter: () => {
    const card = cards.current
    const box = /** @type {HTMLElement | null | undefined} */ (card === document.activeElement && card?.querySelector('input[name="text"], p.ask-answers a'))
    if (!box) return false
    box.focus()
    return true
  },
  o: () => {
    const link = /** @type {HTMLAnchorElement | null | undefined} */ (cards.current?.querySelector('[data-f="agent"]'))
    if (!link) return false
    link.click()
    return true
  },
})
