/**
 * The pages of schedules: all of them, one of them, and the form. The server rendered them; this script keeps them up to date, and sends
 * what is done over the session.
 */
import { at } from '../lib/base.js'
import { busy, one } from '../lib/dom.js'
import { listen } from '../lib/keys.js'
import { leaving } from '../lib/later.js'
import { parse, showParts } from '../lib/morph.js'
import { page } from '../lib/page.js'
import { tick } from '../lib/ticks.js'
import { failed, toast } from '../lib/toast.js'
import { ScheduleForm } from './form.js'

/** How long a request waits for a change, in milliseconds. */
const WAIT_MS = 25_000

/** The pause after a request that failed, in milliseconds. */
const PAUSE_MS = 1000

const skein = page()
const main = one(document, '#main')
const list = document.querySelector('#list')
const root = /** @type {HTMLElement | null} */ (document.querySelector('#schedules, #schedule'))
const form = /** @type {HTMLFormElement | null} */ (document.querySelector('#schedule-form'))
if (form) new ScheduleForm(skein, form)

setInterval(() => document.hidden || tick(main), 1000)
tick(main)

/** Shows each change of the schedules. */
async function follow() {
  const ends = leaving()
  let since = root?.dataset.position ?? ''
  while (!ends.aborted && skein.state !== 'closed') {
    try {
      const { position, html } = await skein.schedules.list({ html: true, page: root?.dataset.id ?? '', since, wait_ms: WAIT_MS }, { signal: ends })
      if (position === since) continue
      since = position
      if (html) {
        showParts(parse(html))
        tick(main)
      } else if (!list) {
        toast('failed', 'The schedule was deleted')
        return
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS)) // the page keeps what it shows; the connection badge says why
    }
  }
}
if (root) void follow()

// --- actions ---

/** @typedef {'run' | 'pause' | 'resume'} Act */
const DONE = { run: 'was submitted', pause: 'is paused', resume: 'runs again' }

main.addEventListener('submit', async (e) => {
  const target = /** @type {HTMLFormElement} */ (e.target)
  const act = /** @type {Act | undefined} */ (target.dataset.act)
  if (!act) return
  e.preventDefault()
  const button = /** @type {HTMLButtonElement} */ (one(target, 'button'))
  const row = /** @type {HTMLElement | null} */ (target.closest('[data-id]'))
  const name = row?.dataset.name ?? 'The schedule'
  busy(button, true)
  try {
    await skein.schedules[act](row?.dataset.id ?? '')
    toast('done', `${name} ${DONE[act]}`)
  } catch (e) {
    failed(`${name} was not changed`, e)
  } finally {
    busy(button, false)
  }
})

// --- keys ---

const rows = () => /** @type {HTMLElement[]} */ ([...(list?.children ?? [])])
const current = () => rows().find((row) => row.contains(document.activeElement))

/** @param {1 | -1} step */
function move(step) {
  const all = rows()
  const here = current()
  const to = all[here ? all.indexOf(here) + step : step > 0 ? 0 : all.length - 1]
  if (!to) return false
  one(to, '.name').focus()
  return true
}

/** @param {string} selector of a button or a link of the schedule */
const press = (selector) => () => {
  const el = /** @type {HTMLElement | null | undefined} */ ((list ? current() : document.querySelector('#one'))?.querySelector(selector))
  el?.click()
  return Boolean(el)
}

listen({
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  r: press('[data-act="run"] button'),
  p: press('[data-act="pause"] button, [data-act="resume"] button'),
  e: press('[data-do="edit"]'),
  d: press('[data-do="delete"]'),
  n: () => location.assign(at('/schedules/new')),
  u: () => location.assign(at('/schedules')),
})
