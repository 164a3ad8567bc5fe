/**
 * The page of all tasks: the queue, or the board. The server rendered it; this keeps it true and makes it act.
 */
import { at } from '../lib/base.js'
import { mark, one, write } from '../lib/dom.js'
import { clean, count } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { page } from '../lib/page.js'
import { failed, toast } from '../lib/toast.js'
import { CancelDialog, retry } from './cancel.js'
import { SubmitDialog, submit } from './submit.js'
import { cancelable, lastRun, retryable, taskSummary } from './taskformat.js'
import { TaskList } from './tasklist.js'

/** @import { Task } from '../../client/types.js' */
/** @import { TaskArrangement, TaskFilter } from './queue.js' */
/** @import { TaskRow } from './taskrow.js' */

const skein = page()
const address = new URLSearchParams(location.search)
const list = new TaskList({
  query: address.get('q')?.trim() ?? '', type: address.get('type') ?? '', state: known(address.get('state') ?? ''),
  board: address.get('view') === 'board', parts: address.get('children') === 'all',
}, (t) => clean(skein.fleet.agents.get(lastRun(t)?.agent ?? '')?.question ?? ''))
const cancel = new CancelDialog(skein)
const submitting = new SubmitDialog(skein, shown)

/** @param {string} state one that has a chip; '' for any other */
function known(state) {
  return document.querySelector(`.chip[data-group="${CSS.escape(state)}"]`) ? state : ''
}

// --- live ---

let whole = false // every task is known: what is missing is gone
const ends = new AbortController()
addEventListener('pagehide', (e) => {
  if (!e.persisted) ends.abort(new Error('the page is gone'))
})

async function follow() {
  /** @type {Map<string, Task> | undefined} a list of all that is on its way */
  let incoming
  for await (const u of skein.tasks.watch({ signal: ends.signal })) {
    if (u.reset) incoming = new Map()
    if (!incoming) {
      list.put(u.tasks ?? [], u.removed)
      continue
    }
    for (const t of u.tasks ?? []) incoming.set(t.id, t)
    for (const id of u.removed ?? []) incoming.delete(id)
    if (u.more) continue
    whole = true
    list.replace(incoming)
    incoming = undefined
  }
}
follow().catch((e) => {
  if (!ends.signal.aborted) failed('The tasks are no longer live', e)
})

skein.fleet.addEventListener('change', () => list.asked())

const el = {
  summary: one(document, '#summary'), chips: one(document, '#chips'), filters: one(document, '#filters'), parts: one(document, '#parts'),
  noTasks: one(document, '#no-tasks'), noMatch: one(document, '#no-match'), noMatchText: one(document, '#no-match-text'),
}
const chips = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('.chip[data-group]')])

list.addEventListener('arrange', (e) => {
  const { parts, counts, children } = /** @type {CustomEvent<TaskArrangement>} */ (e).detail
  const all = counts[''] ?? 0
  for (const chip of chips) {
    const key = chip.dataset.group ?? ''
    const n = counts[key] ?? 0
    write(one(chip, '.chip-count'), String(n))
    mark(chip, 'data-some', n > 0)
    chip.hidden = n === 0 && chip.dataset.always === undefined && key !== list.filter.state
  }
  write(one(el.parts, '.chip-count'), String(children))
  el.parts.hidden = children === 0
  const matching = [...parts.values()].reduce((n, p) => n + p.length, 0)
  el.noTasks.hidden = all > 0
  el.chips.hidden = el.filters.hidden = all === 0
  el.noMatch.hidden = all === 0 || matching > 0
  write(el.noMatchText, `The filter hides ${all === 1 ? 'the only task' : `all ${all} tasks`}.`)
  write(el.summary, taskSummary(counts))
  const title = `${counts.input_required ? `(${counts.input_required}) ` : ''}Tasks · Skein`
  if (document.title !== title) document.title = title
})

// --- filter and view ---

const query = /** @type {HTMLInputElement} */ (one(document, '#q'))
const type = /** @type {HTMLSelectElement} */ (one(document, '#type'))
const views = /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll('#views a'))

/** @param {Partial<TaskFilter>} change */
function filter(change) {
  Object.assign(list.filter, change)
  const f = list.filter
  history.replaceState(null, '', url(f))
  for (const chip of chips) {
    const key = chip.dataset.group ?? ''
    mark(chip, 'aria-current', key === f.state && 'true')
    mark(chip, 'href', url({ ...f, state: key }))
  }
  for (const a of views) {
    const board = a.dataset.view === 'board'
    mark(a, 'aria-current', board === f.board)
    mark(a, 'href', url({ ...f, board }))
  }
  mark(el.parts, 'aria-current', f.parts)
  mark(el.parts, 'href', url({ ...f, parts: !f.parts }))
  write(one(el.parts, '[data-f="word"]'), f.parts ? 'Hide finished child tasks' : 'Finished child tasks')
  if (query.value.trim() !== f.query) query.value = f.query
  type.value = f.type
  list.arrange()
}

/** @param {TaskFilter} f */
function url({ query: q, type: t, state, board, parts }) {
  const values = Object.entries({ children: parts ? 'all' : '', q, state, type: t, view: board ? 'board' : '' }).filter(([, v]) => v)
  const text = new URLSearchParams(values).toString()
  return at(text ? `/tasks?${text}` : '/tasks')
}

/**
 * A link does its work in place, unless a person wants it elsewhere. Before all tasks are known the server does it: its
 * links and the form are real.
 * @param {MouseEvent} e
 */
const plain = (e) => whole && e.button === 0 && !e.ctrlKey && !e.metaKey && !e.shiftKey && !e.altKey

/**
 * @param {HTMLElement} link
 * @param {() => void} act
 */
function follows(link, act) {
  link.addEventListener('click', (e) => {
    if (!plain(e)) return
    e.preventDefault()
    act()
  })
}

for (const chip of chips) follows(chip, () => filter({ state: chip.dataset.group ?? '' }))
for (const a of views) follows(a, () => filter({ board: a.dataset.view === 'board' }))
follows(el.parts, () => filter({ parts: !list.filter.parts }))
follows(one(document, '#clear-filter'), () => {
  filter({ query: '', type: '', state: '' })
  query.focus()
})
const form = /** @type {HTMLFormElement} */ (one(document, '#filters'))
form.addEventListener('submit', (e) => {
  if (!whole) return
  e.preventDefault()
  list.move(1)
})
query.addEventListener('input', () => filter({ query: query.value.trim() }))
query.addEventListener('keydown', (e) => {
  if (e.key !== 'Escape') return
  e.preventDefault()
  if (query.value) filter({ query: '' })
  query.blur()
})
type.addEventListener('change', () => (whole ? filter({ type: type.value }) : form.submit()))

// --- new tasks ---

/** @param {Task | undefined} task */
function shown(task) {
  if (!task) return
  list.add([task])
  if (!list.reveal([task.id])) toast('done', 'The filter hides what you submitted')
}

one(document, '#submit-open').addEventListener('click', () => submitting.open())
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('.starter'))) {
  button.addEventListener('click', async () => {
    const { submit: spec, orchestrate } = button.dataset
    button.disabled = true
    shown(await submit(skein, orchestrate ? { orchestrate: JSON.parse(orchestrate) } : { submit: JSON.parse(spec ?? '{}') }))
    button.disabled = false
  })
}

// --- rows ---

/** @param {Task[]} tasks */
function askCancel(tasks) {
  const open = tasks.filter(cancelable)
  if (open.length > 0) cancel.cancel(open, { below: list.openBelow(open.map((t) => t.id)), done: () => list.clear() })
}

/** @param {Task[]} tasks */
async function again(tasks) {
  const over = tasks.filter(retryable)
  if (over.length === 0) return
  await retry(skein, over)
  list.clear()
}

for (const view of ['#queue', '#board']) {
  one(document, view).addEventListener('click', (e) => {
    const button = /** @type {HTMLButtonElement | null} */ (/** @type {Element} */ (e.target).closest('.task button[data-do]'))
    const row = /** @type {HTMLElement | null | undefined} */ (button?.closest('.task'))
    const task = row && list.task(row.dataset.id ?? '')
    if (!task) return
    if (button?.dataset.do === 'cancel') askCancel([task])
    else void again([task])
  })
}

// --- selection ---

const bulk = one(document, '#bulk')
const bulkCancel = /** @type {HTMLButtonElement} */ (one(bulk, '[data-do="cancel-selected"]'))
const bulkRetry = one(bulk, '[data-do="retry-selected"]')
list.addEventListener('select', () => {
  const picked = list.picked
  const open = picked.filter(cancelable).length
  const failures = picked.filter(retryable).length
  bulk.hidden = picked.length === 0
  write(one(bulk, '[data-f="count"]'), count(picked.length, 'task selected', 'tasks selected'))
  write(one(bulk, '[data-f="cancel-word"]'), open === picked.length || open === 0 ? 'Cancel' : `Cancel the ${open} that go on`)
  write(one(bulk, '[data-f="retry-word"]'), failures === picked.length ? 'Retry' : `Retry ${failures}`)
  bulkCancel.disabled = open === 0
  bulkRetry.hidden = failures === 0
})
bulkCancel.addEventListener('click', () => askCancel(list.picked))
bulkRetry.addEventListener('click', () => void again(list.picked))
one(bulk, '[data-do="clear"]').addEventListener('click', () => list.clear())

// --- keys ---

/** @param {(row: TaskRow) => void} action */
const onRow = (action) => () => {
  const row = list.current
  if (!row) return false
  action(row)
  return true
}

/** @param {() => void | boolean} action an arrow is the browser's while something else has the focus */
const arrow = (action) => () => {
  const at = document.activeElement
  if (at && at !== document.body && !at.closest('.task') && at.id !== 'main') return false
  return action() ?? true
}

/** The selected tasks, or the one that has the focus. */
const meant = () => (list.picked.length > 0 ? list.picked : list.current?.task ? [list.current.task] : [])

listen({
  j: () => list.move(1),
  k: () => list.move(-1),
  h: () => list.cross(-1),
  l: () => list.cross(1),
  ArrowDown: arrow(() => list.move(1)),
  ArrowUp: arrow(() => list.move(-1)),
  ArrowLeft: arrow(() => list.cross(-1)),
  ArrowRight: arrow(() => list.cross(1)),
  x: onRow((row) => list.toggle(row.id, false)),
  X: onRow((row) => list.toggle(row.id, true)),
  c: () => askCancel(meant()),
  r: () => void again(meant()),
  n: () => submitting.open(),
  b: () => (whole ? filter({ board: !list.filter.board }) : location.assign(url({ ...list.filter, board: !list.filter.board }))),
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
