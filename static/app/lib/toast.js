import { clone, field, one, shape, write } from './dom.js'

/** How long a toast stays, in milliseconds. */
const STAY = { done: 5000, failed: 12000 }

/** How many toasts are shown at once; a new one removes the oldest. */
const MAX_TOASTS = 4

/**
 * Shows a toast that says how something went.
 * @param {'done' | 'failed'} kind
 * @param {string} title
 * @param {string} [detail]
 */
export function toast(kind, title, detail = '') {
  const region = one(document, '#toasts')
  const list = one(region, '#toast-list')
  const el = clone('toast')
  el.dataset.kind = kind
  shape(one(el, '.glyph'), kind === 'failed' ? 's-failed' : 's-completed')
  write(field(el, 'title'), title)
  const text = field(el, 'detail')
  write(text, detail)
  text.hidden = detail === ''
  const go = () => {
    el.remove()
    if (!list.childElementCount && region.matches(':popover-open')) region.hidePopover()
  }
  let timer = setTimeout(go, STAY[kind])
  const hold = () => clearTimeout(timer)
  const release = () => {
    clearTimeout(timer)
    timer = setTimeout(go, STAY[kind])
  }
  el.addEventListener('pointerenter', hold)
  el.addEventListener('pointerleave', release)
  el.addEventListener('focusin', hold)
  el.addEventListener('focusout', release)
  one(el, 'button').addEventListener('click', go)
  while (list.childElementCount >= MAX_TOASTS) list.firstElementChild?.remove()
  if (region.matches(':popover-open')) region.hidePopover() // showing it again puts it above a dialog that opened since
  region.showPopover()
  list.append(el)
}

/**
 * @param {string} what what failed
 * @param {unknown} e
 */
export function failed(what, e) {
  toast('failed', what, messageOf(e))
}

/** @param {unknown} e */
export function messageOf(e) {
  const text = e instanceof Error ? e.message : String(e)
  return text ? (text[0]?.toUpperCase() ?? '') + text.slice(1) : 'The server did not say why.'
}
