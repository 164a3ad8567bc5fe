/**
 * The page of all tasks: the queue, or the board. The server rendered it; this script keeps it up to date and runs its controls.
 */
import { at } from '../lib/base.js'
import { mark, one, write } from '../lib/dom.js'
import { clean, count } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { leaving } from '../lib/later.js'
import { page } from '../lib/page.js'
import { failed, toast } from '../lib/toast.js'
import { ListPage } from '../list/page.js'
import { CancelDialog, retry } from './cancel.js'
import { Fragments } from '../lib/fragments.js'
import { SubmitDialog, submit } from './submit.js'
import { cancelable, lastRun, retryable, taskSummary } from './taskformat.js'
import { TaskList } from './tasklist.js'

/** @import { Task, TaskHTML } from '../../client/types.js' */
/** @import { TaskArrangement, TaskFilter } from './queue.js' */

const skein = page()
const address = new URLSearchParams(location.search)
const list = new TaskList({
  query: address.get('q')?.trim() ?? '', type: address.get('type') ?? '', state: known(address.get('state') ?? ''),
  board: address.get('view') === 'board', parts: address.get('children') === 'all',
}, (t) => clean(skein.fleet.agents.get(lastRun(t)?.agent ?? '')?.question ?? ''), (kind, id) => want(kind, id))
/** @type {Map<string, Task | undefined>} the record that was known when a task's HTML was requested */
const asked = new Map()
const fragments = new Fragments((ids, /** @type {TaskHTML} */ kind) => skein.tasks.render(ids, kind), (kind, ids, html) => {
  list.rendered(kind, ids.flatMap((id) => {
    const made = html[id]
    return made ? { id, html: made, task: asked.get(`${kind} ${id}`) } : []
  }))
  for (const id of ids) asked.delete(`${kind} ${id}`)
})

/**
 * @param {TaskHTML} kind
 * @param {string} id
 */
function want(kind, id) {
  asked.set(`${kind} ${id}`, list.get(id))
  fragments.want(kind, id)
}

const cancel = new CancelDialog(skein)
const submitting = new SubmitDialog(skein, shown)

/** @param {string} state one that has a chip; '' for any other */
function known(state) {
  return document.querySelector(`.chip[data-group="${CSS.escape(state)}"]`) ? state : ''
}

// --- live ---

const ends = leaving()

let turned = new AbortController() // aborted when the other view is chosen, which needs other HTML

async function follow() {
  /** @type {{after?: number, epoch?: string}} */
  let position = {}
  for (;;) {
    turned = new AbortController()
    try {
      for await (const p of updates(list.filter.board ? 'card' : 'row', position)) position = p
    } catch (e) {
      if (ends.aborted || !turned.signal.aborted) throw e
    }
  }
}

/**
 * Takes the updates of a watch, and yields the position after each.
 * @param {TaskHTML} kind
 * @param {{after?: number, epoch?: string}} position
 */
async function* updates(kind, position) {
  /** @type {Map<string, Task> | undefined} a full list of which not all parts have arrived */
  let incoming
  /** @type {Record<string, string>} of an update's parts */
  let html = {}
  for await (const u of skein.tasks.watch({ html: kind, ...position, signal: AbortSignal.any([ends, turned.signal]) })) {
    if (u.reset) incoming = new Map()
    Object.assign(html, u.html)
    if (incoming) {
      for (const t of u.tasks ?? []) incoming.set(t.id, t)
      for (const id of u.removed ?? []) incoming.delete(id)
    } else list.put(u.tasks ?? [], u.removed, html)
    if (u.more) continue
    html = {}
    if (incoming) list.replace(incoming)
    incoming = undefined
    yield { after: u.cursor, epoch: u.epoch }
  }
}
follow().catch((e) => {
  if (!ends.aborted) failed('The tasks are no longer live', e)
})

skein.fleet.addEventListener('change', () => list.asked())

// --- filter and view ---

let board = list.filter.board
const parts = one(document, '#parts')
const views = /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll('#views a'))
/** @type {ListPage<TaskFilter>} */
const around = new ListPage(list, {
  noun: ['task', 'tasks'], first: () => list.move(1), url, cleared: { query: '', type: '', state: '' },
  filtered: (f) => {
    if (f.board !== board) turned.abort()
    board = f.board
    for (const a of views) {
      const its = a.dataset.view === 'board'
      mark(a, 'aria-current', its === f.board)
      mark(a, 'href', url({ ...f, board: its }))
    }
    mark(parts, 'aria-current', f.parts)
    mark(parts, 'href', url({ ...f, parts: !f.parts }))
    write(one(parts, '[data-f="word"]'), f.parts ? 'Hide finished child tasks' : 'Finished child tasks')
  },
})
list.addEventListener('arrange', (e) => {
  const { counts, children } = /** @type {CustomEvent<TaskArrangement>} */ (e).detail
  write(one(parts, '.chip-count'), String(children))
  parts.hidden = children === 0
  around.counted(counts, taskSummary(counts))
})

/** @param {TaskFilter} f */
function url({ query: q, type: t, state, board: columns, parts: children }) {
  const values = Object.entries({ children: children ? 'all' : '', q, state, type: t, view: columns ? 'board' : '' }).filter(([, v]) => v)
  const text = new URLSearchParams(values).toString()
  return at(text ? `/tasks?${text}` : '/tasks')
}

for (const a of views) around.follows(a, () => around.filter({ board: a.dataset.view === 'board' }))
around.follows(parts, () => around.filter({ parts: !list.filter.parts }))

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
    const task = row && list.get(row.dataset.id ?? '')
    if (!task) return
    if (button?.dataset.do === 'cancel') askCancel([task])
    else void again([task])
  })
}

// --- selection, keys ---

const bulkCancel = /** @type {HTMLButtonElement} */ (one(document, '#bulk [data-do="cancel-selected"]'))
const bulkRetry = one(document, '#bulk [data-do="retry-selected"]')
around.selects((picked, bar) => {
  const open = picked.filter(cancelable).length
  const failures = picked.filter(retryable).length
  write(one(bar, '[data-f="cancel-word"]'), open === 0 ? 'Cancel' : open === picked.length ? `Cancel ${count(open, 'task', 'tasks')}` : `Cancel the ${open} unfinished`)
  write(one(bar, '[data-f="retry-word"]'), failures === picked.length ? `Retry ${count(failures, 'task', 'tasks')}` : `Retry ${failures}`)
  bulkCancel.disabled = open === 0
  bulkRetry.hidden = failures === 0
})
bulkCancel.addEventListener('click', () => askCancel(list.picked))
bulkRetry.addEventListener('click', () => void again(list.picked))

listen({
  ...around.keys,
  h: () => list.cross(-1),
  l: () => list.cross(1),
  ArrowLeft: around.arrow(() => list.cross(-1)),
  ArrowRight: around.arrow(() => list.cross(1)),
  c: () => askCancel(list.meant),
  r: () => void again(list.meant),
  n: () => submitting.open(),
  b: () => (list.whole ? around.filter({ board: !list.filter.board }) : location.assign(url({ ...list.filter, board: !list.filter.board }))),
})
