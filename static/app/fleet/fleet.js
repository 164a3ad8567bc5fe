/**
 * The page of all agents. The server rendered it; this keeps it true and makes it act.
 */
import { at } from '../lib/base.js'
import { mark, one, write } from '../lib/dom.js'
import { alive, count, need } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { page } from '../lib/page.js'
import { StopDialog } from '../lib/stop.js'
import { failed, toast } from '../lib/toast.js'
import { List } from './list.js'
import { SpawnDialog, again, spawn } from './spawn.js'

/** @import { Agent, SpawnResult } from '../../client/types.js' */
/** @import { Row } from './row.js' */

const skein = page()
const address = new URLSearchParams(location.search)
const list = new List({
  query: address.get('q') ?? '', type: address.get('type') ?? '', state: address.get('state') ?? '', sort: address.get('sort') ?? '',
})
const stop = new StopDialog(skein)
const spawning = new SpawnDialog(skein, shown)

// --- live ---

let whole = false // a snapshot came, so that what is missing is gone
skein.fleet.addEventListener('snapshot', () => {
  whole = true
  list.replace(skein.fleet.agents)
})
skein.fleet.addEventListener('change', (e) => {
  if (!whole) return
  const { agents, removed } = /** @type {import('../../client/index.js').FleetChangeEvent} */ (e)
  list.put(agents.flatMap((id) => skein.fleet.agents.get(id) ?? []), removed)
})

list.addEventListener('arrange', (e) => {
  const { counts, living } = /** @type {CustomEvent<import('./order.js').Arrangement>} */ (e).detail
  for (const chip of chips) {
    const key = chip.dataset.group ?? ''
    const n = counts[key] ?? 0
    write(one(chip, '.chip-count'), String(n))
    mark(chip, 'data-some', n > 0)
    chip.hidden = n === 0 && !['', 'needs', 'running', list.filter.state].includes(key)
  }
  const title = `${counts.needs ? `(${counts.needs}) ` : ''}Fleet · Skein`
  if (document.title !== title) document.title = title
  spawning.running(living)
})

// --- filter and order ---

const chips = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('.chip')])
const query = /** @type {HTMLInputElement} */ (one(document, '#q'))
const type = /** @type {HTMLSelectElement} */ (one(document, '#type'))
const sort = /** @type {HTMLSelectElement} */ (one(document, '#sort'))

/** @param {Partial<import('./order.js').Filter>} change */
function filter(change) {
  Object.assign(list.filter, change)
  const { filter: f } = list
  const q = new URLSearchParams()
  for (const [name, value] of [['q', f.query], ['sort', f.sort], ['state', f.state], ['type', f.type]]) if (value) q.set(name ?? '', value)
  history.replaceState(null, '', at(q.size > 0 ? `/?${q}` : '/'))
  for (const chip of chips) mark(chip, 'aria-current', chip.dataset.group === f.state && 'true')
  if (query.value.trim() !== f.query) query.value = f.query
  type.value = f.type
  const { key, rising } = list.direction
  sort.value = key
  for (const head of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-sort]'))) {
    mark(head, 'aria-sort', head.dataset.sort === key ? (rising ? 'ascending' : 'descending') : 'none')
  }
  list.arrange()
}

/**
 * A link does its work in place, unless a person wants it elsewhere.
 * @param {MouseEvent} e
 */
const plain = (e) => e.button === 0 && !e.ctrlKey && !e.metaKey && !e.shiftKey && !e.altKey

/** Before the first snapshot the server does it: its links and the form are real. */
for (const chip of chips) {
  chip.addEventListener('click', (e) => {
    if (!whole || !plain(e)) return
    e.preventDefault()
    filter({ state: chip.dataset.group ?? '' })
  })
}
for (const head of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-sort]'))) {
  one(head, 'a').addEventListener('click', (e) => {
    if (!whole || !plain(/** @type {MouseEvent} */ (e))) return
    e.preventDefault()
    const key = head.dataset.sort ?? 'age'
    filter({ sort: (list.filter.sort || 'age') === key ? `-${key}` : key })
  })
}
const form = /** @type {HTMLFormElement} */ (one(document, '#filters'))
form.addEventListener('submit', (e) => {
  if (!whole) return
  e.preventDefault()
  list.first()
})
query.addEventListener('input', () => filter({ query: query.value.trim() }))
query.addEventListener('keydown', (e) => {
  if (e.key !== 'Escape') return
  e.preventDefault()
  if (query.value) filter({ query: '' })
  query.blur()
})
type.addEventListener('change', () => (whole ? filter({ type: type.value }) : form.submit()))
sort.addEventListener('change', () => (whole ? filter({ sort: sort.value }) : form.submit()))
one(document, '#clear-filter').addEventListener('click', (e) => {
  if (!whole) return
  e.preventDefault()
  filter({ query: '', type: '', state: '' })
  query.focus()
})

// --- spawn ---

/** @param {SpawnResult} [result] */
function shown(result) {
  if (!result) return
  list.put(result.agents)
  const there = list.reveal(result.agents.map((a) => a.id))
  if (!there && result.agents.length > 0) toast('done', 'The filter hides what you spawned')
}

one(document, '#spawn-open').addEventListener('click', () => spawning.open())
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('[data-spawn]'))) {
  button.addEventListener('click', async () => {
    button.disabled = true
    shown(await spawn(skein, JSON.parse(button.dataset.spawn ?? '{}')))
    button.disabled = false
  })
}

// --- rows ---

/**
 * @param {EventTarget | null} target
 * @returns {Agent | undefined}
 */
function agentOf(target) {
  const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (target).closest('.agent'))
  return row ? list.agent(row.dataset.id ?? '') : undefined
}

one(document, '#list').addEventListener('click', async (e) => {
  const button = /** @type {HTMLButtonElement | null} */ (/** @type {Element} */ (e.target).closest('button[data-do]'))
  const agent = button && agentOf(button)
  if (!agent) return
  switch (button.dataset.do) {
    case 'stop':
      return ask([agent])
    case 'dismiss':
      return list.dismiss([agent])
    case 'again':
      button.disabled = true
      shown(await again(skein, agent))
      button.disabled = false
  }
})

one(document, '#list').addEventListener('submit', async (e) => {
  e.preventDefault()
  const answer = /** @type {HTMLFormElement} */ (e.target)
  const agent = agentOf(answer)
  const box = /** @type {HTMLInputElement} */ (one(answer, 'input'))
  const send = /** @type {HTMLButtonElement} */ (one(answer, 'button'))
  if (!agent || send.disabled) return
  send.disabled = true
  try {
    await skein.input(agent.id, `${box.value}\n`)
    box.value = ''
    toast('done', `${List.title(agent)} has your answer`)
  } catch (err) {
    failed(`${List.title(agent)} did not get the answer`, err)
  } finally {
    send.disabled = false
  }
})

// --- selection and stop ---

const bulk = one(document, '#bulk')
const stopPicked = /** @type {HTMLButtonElement} */ (one(bulk, '[data-do="stop-selected"]'))
list.addEventListener('select', () => {
  const picked = list.picked
  const living = picked.filter((a) => alive(a)).length
  bulk.hidden = picked.length === 0
  write(one(bulk, '[data-f="count"]'), count(picked.length, 'agent selected', 'agents selected'))
  write(one(bulk, '[data-f="stop-word"]'), living === picked.length ? 'Stop' : `Stop the ${living} alive`)
  stopPicked.disabled = living === 0
})
stopPicked.addEventListener('click', () => ask(list.picked))
one(bulk, '[data-do="clear"]').addEventListener('click', () => list.clear())

/** @param {Agent[]} agents */
function ask(agents) {
  if (agents.length > 0) stop.ask(agents, { done: () => list.clear() })
}

// --- keys ---

/** @param {(row: Row) => void} action */
const onRow = (action) => () => {
  const row = list.current
  if (!row) return false
  action(row)
  return true
}

/** @param {1 | -1} step */
const arrow = (step) => () => {
  const at = document.activeElement
  if (at && at !== document.body && !at.closest('.agent') && at.id !== 'main') return false
  list.move(step)
  return true
}

listen({
  j: () => list.move(1),
  k: () => list.move(-1),
  ArrowDown: arrow(1),
  ArrowUp: arrow(-1),
  x: onRow((row) => list.toggle(row.id, false)),
  X: onRow((row) => list.toggle(row.id, true)),
  a: onRow((row) => row.agent && need(row.agent) === 'question' && row.answer?.focus()),
  s: () => {
    const agents = list.picked.length > 0 ? list.picked : list.current?.agent ? [list.current.agent] : []
    ask(agents)
    return agents.length > 0
  },
  n: () => spawning.open(),
  '/': () => query.select(),
  Escape: () => {
    if (list.picked.length === 0) return false
    list.clear()
    return true
  },
})

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) list.arrange()
})
