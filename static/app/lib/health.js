/**
 * What there is to say about an agent's work and health, beyond its status. The same rules stand in ui/words/health.go, for the
 * first render; ui/testdata/health.json holds both.
 */
import { at } from './base.js'
import { mark } from './dom.js'
import { alive, count, span } from './format.js'

/** @import { Agent } from '../../client/types.js' */

/** @typedef {{kind: 'load' | 'note' | 'warn' | 'bad', text: string, href: string}} Badge */

/**
 * @param {Agent} a
 * @param {number} most how many tasks it may have in work; 0: it takes none
 * @param {number} now
 * @returns {Badge[]}
 */
export function badges(a, most, now) {
  /** @type {Badge[]} */
  const out = []
  const add = (/** @type {Badge['kind']} */ kind, /** @type {string} */ text, href = '') => out.push({ kind, text, href })
  if (alive(a) && a.crash_loop) add('bad', 'Crash loop')
  if (a.suspended) add('warn', 'Suspended')
  if (a.stalled) add('warn', `Stalled${since(a.stalled_since, now)}`)
  if (a.status === 'unknown' && a.last_heartbeat) add('warn', `No heartbeat${since(a.last_heartbeat, now)}`)
  if (a.restart_at) add('warn', startsAgain(Date.parse(a.restart_at) - now))
  const task = a.tasks?.[0]
  const load = loadText(a, most)
  if (load) add('load', load, task ? at(`/tasks/${encodeURIComponent(task)}`) : '')
  if (a.restarts) add('note', count(a.restarts, 'restart', 'restarts'))
  return out
}

/**
 * @param {Agent} a
 * @param {number} most
 */
export function loadText(a, most) {
  const n = a.tasks?.length ?? 0
  const parts = []
  if (alive(a) && (n > 0 || most > 0)) parts.push(`${n} of ${count(Math.max(n, most), 'task', 'tasks')}`)
  if (a.done) parts.push(`${a.done} done`)
  return parts.join(', ')
}

/**
 * @param {string | undefined} time
 * @param {number} now
 */
const since = (time, now) => (time ? ` for ${span(now - Date.parse(time))}` : '')

/** @param {number} ms rounded up: what is still to come is never "0s" */
const startsAgain = (ms) => (ms <= 0 ? 'Starts again now' : `Starts again in ${span(ms + 999)}`)

/**
 * Writes badges into their place. Those that stay keep their element, and with it the focus.
 * @param {HTMLElement} el
 * @param {Badge[]} all
 */
export function writeBadges(el, all) {
  while (el.children.length > all.length) el.lastElementChild?.remove()
  for (const [i, { kind, text, href }] of all.entries()) {
    const name = href ? 'A' : 'SPAN'
    let badge = el.children[i]
    if (badge?.tagName !== name) {
      const fresh = document.createElement(name)
      fresh.className = 'badge'
      if (badge) badge.replaceWith(fresh)
      else el.append(fresh)
      badge = fresh
    }
    mark(badge, 'data-kind', kind)
    if (href) mark(badge, 'href', href)
    if (badge.textContent !== text) badge.textContent = text
  }
}
