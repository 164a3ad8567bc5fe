/**
 * The page of a moment: what the agents did then. The server renders each moment; this script goes from one to another.
 */
import { at } from '../lib/base.js'
import { mark, one, write } from '../lib/dom.js'
import { listen } from '../lib/keys.js'
import { page } from '../lib/page.js'
import { parse, showParts } from '../lib/morph.js'
import { failed, toast } from '../lib/toast.js'
import { Player, stepOf, timeText } from './player.js'

page()
const moment = one(document, '#moment')
const slider = /** @type {HTMLInputElement} */ (one(document, '#slider'))
const play = /** @type {HTMLButtonElement} */ (one(document, '#play'))
const speeds = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll('#speeds button')])
const number = (/** @type {string} */ name) => Number(moment.dataset[name])

const player = new Player({ load, shown: show, ended: stopped }, { first: number('first'), last: number('last'), at: number('at') })

/** @param {number} ms @param {AbortSignal} signal */
async function load(ms, signal) {
  const res = await fetch(at(`/history?part=moment&at=${encodeURIComponent(new Date(ms).toISOString())}`), { signal })
  if (!res.ok) throw new Error(res.status === 401 ? 'You are signed out: sign in again' : `The server answered ${res.status}`)
  showParts(parse(await res.text()))
  fit()
  return { first: number('first'), last: number('last') }
}

/** Gives the pictures of screens their size, which the server can't: pages may have no style attributes. */
function fit() {
  for (const rows of /** @type {NodeListOf<HTMLElement>} */ (moment.querySelectorAll('[data-kind="screen"] > .cell-rows'))) {
    rows.style.setProperty('--cols', rows.dataset.cols ?? '80')
    rows.style.setProperty('--rows', rows.dataset.rows ?? '24')
  }
}

/** Shows the time, before what the agents did then has come. */
function show() {
  const { first, last } = player
  mark(slider, 'min', String(first))
  mark(slider, 'max', String(last))
  slider.value = String(player.at)
  const text = timeText(player.at, Date.now())
  mark(slider, 'aria-valuetext', text)
  write(one(moment, '#moment-time'), text)
  mark(one(moment, '#moment-time'), 'datetime', new Date(player.at).toISOString())
}

/** @param {number} ms */
function go(ms) {
  void player.go(ms).then(settled, (e) => failed('That moment could not be shown', e))
}

/** The address is that of the moment, so that it can be shared. */
function settled() {
  history.replaceState(null, '', at(`/history?at=${encodeURIComponent(new Date(player.at).toISOString())}`))
}

function toggle() {
  if (player.playing) return player.pause()
  if (player.at >= player.last - 1000) player.rewind()
  mark(play, 'aria-pressed', 'true')
  write(play, 'Pause')
  player.play().catch((e) => failed('The past could not be played', e))
}

function stopped() {
  mark(play, 'aria-pressed', 'false')
  write(play, 'Play')
  settled()
}

/** @param {number} speed */
function faster(speed) {
  player.speed = speed
  for (const b of speeds) mark(b, 'aria-pressed', String(Number(b.dataset.speed) === speed))
}

play.addEventListener('click', toggle)
for (const b of speeds) b.addEventListener('click', () => faster(Number(b.dataset.speed)))
slider.addEventListener('input', () => go(Number(slider.value)))
slider.addEventListener('keydown', (e) => {
  const by = stepOf(e)
  if (by === 0) return
  e.preventDefault() // the browser's step is a millisecond
  go(player.at + by)
})
moment.addEventListener('click', (e) => {
  const link = /** @type {HTMLElement | null} */ (/** @type {Element} */ (e.target).closest('#steps a'))
  if (!link || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return
  e.preventDefault()
  go(player.at + Number(link.dataset.by))
})
const copy = one(document, '#copy-moment')
copy.addEventListener('click', async () => {
  settled()
  try {
    await navigator.clipboard.writeText(location.href)
    toast('done', 'The link to this moment is in the clipboard')
  } catch (e) {
    failed('The link was not copied: it is the address of this page', e)
  }
})

const by = (/** @type {KeyboardEvent} */ e) => go(player.at + stepOf(e))
listen({ p: toggle, ' ': (e) => (e.target instanceof HTMLButtonElement || e.target instanceof HTMLAnchorElement ? false : toggle()), ArrowLeft: by, ArrowRight: by, PageUp: by, PageDown: by, u: () => location.assign(at('/wall')) })
one(document, '#player').hidden = copy.hidden = false
faster(10)
fit()
show()
