/**
 * The page of one task. The server rendered it; this script follows the task and all tasks below it from there. The server
 * renders the parts that change again, and the script replaces them.
 */
import { payloadText } from '../../client/index.js'
import { kept } from '../artifact/kept.js'
import { Cards } from '../inbox/cards.js'
import { field, mark, one } from '../lib/dom.js'
import { clean } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { leaving } from '../lib/later.js'
import { parse, showParts } from '../lib/morph.js'
import { page } from '../lib/page.js'
import { tick } from '../lib/ticks.js'
import { title } from '../lib/title.js'
import { failed, toast } from '../lib/toast.js'
import { CancelDialog, retry } from './cancel.js'
import { Fragments } from '../lib/fragments.js'
import { Graph } from './graph.js'
import { ResultList } from './results.js'
import { SubmitDialog } from './submit.js'
import { cancelable, isChild, isOver, lastRun, retryable, stoppable, taskURL } from './taskformat.js'
import { Tree } from './tree.js'

/** @import { Task, TaskHTML } from '../../client/types.js' */

/** The server sends a task's place in line only to this many of the first; the others ask. */
const TOLD = 20

const root = one(document, '#task')
const id = root.dataset.id ?? ''
const skein = page({ asks: { params: { task: id, html: true }, show: ({ html }) => cards.show(html) } })
const cards = new Cards(skein, one(document, '#asks'))

const fragments = new Fragments((ids, /** @type {TaskHTML} */ kind) => skein.tasks.render(ids, kind), (kind, ids, html) => {
  for (const made of ids) {
    const text = html[made]
    if (text && kind === 'page') show(text)
    else if (text && kind === 'graph') {
      showParts(parse(text))
      graph.shown()
    }
    else if (text) tree?.show(made, text)
  }
  tick(root)
})
const cancel = new CancelDialog(skein)
const submitting = new SubmitDialog(skein, (next) => location.assign(taskURL(next.id)))
const tree = root.querySelector('#below') ? new Tree(one(root, '#below'), id, (below) => fragments.want('twig', below)) : undefined
const results = root.querySelector('#results') ? new ResultList(one(root, '#results')) : undefined

/** @type {Task | undefined} as it is now */
let task
/** @type {Map<string, Task>} those below it */
const below = new Map()
/** @type {() => void} */
let arrive = () => {}
/** @type {Promise<void>} */
const arrived = new Promise((resolve) => (arrive = resolve))
const ends = leaving()

const graph = new Graph(skein, one(root, '#graph'), () => fragments.want('graph', id), ends)

// --- what changes ---

/** @param {string} html the parts that change, each with the id of the element that it replaces */
function show(html) {
  showParts(parse(html))
  tick(root)
  entitle()
}

/** Shows the task's state in the title of the tab. */
function entitle() {
  const sign = task?.state === 'input_required' ? '? ' : task?.state === 'failed' ? '✕ ' : ''
  title(`${sign}${one(root, 'h1').textContent}`)
}

setInterval(() => document.hidden || tick(root), 1000)
tick(root)

// --- live ---

/**
 * @param {Task} t
 * @param {string | undefined} html
 */
function take(t, html) {
  task = t
  mark(root, 'data-state', t.state)
  entitle()
  if (html) show(html)
  else fragments.want('page', id)
  graph.changed() // another task may depend on it now
}

async function follow() {
  // whether the current update, whose parts come one by one, is a reset
  let reset = false
  /** @type {Map<string, Task>} */
  let news = new Map()
  /** @type {string[]} */
  let gone = []
  /** @type {Record<string, string>} */
  let html = {}
  for await (const u of skein.tasks.watch({ filter: { root: id }, html: 'page', signal: ends })) {
    reset ||= u.reset
    if (u.reset) [news, gone, html] = [new Map(), [], {}]
    for (const t of u.tasks ?? []) news.set(t.id, t)
    gone.push(...(u.removed ?? []))
    Object.assign(html, u.html)
    if (u.more) continue
    const removed = reset ? [...below.keys()].filter((x) => !news.has(x)) : gone
    if (removed.includes(id) || (reset && !news.has(id))) toast('failed', 'The task is no longer stored', 'Skein removes the oldest finished tasks. This is its last known state.')
    const own = news.get(id)
    news.delete(id)
    for (const t of news.values()) below.set(t.id, t)
    for (const x of removed) below.delete(x)
    tree?.put(news.values(), removed, html)
    if (own) take(own, html[id])
    tick(root)
    arrive()
    ;[reset, news, gone, html] = [false, new Map(), [], {}]
  }
}

async function stream() {
  if (!results) return
  const all = skein.tasks.results(id, { after: results.after, html: true, signal: ends })
  for await (const r of all) results.add(r)
}

for (const part of [follow(), stream()]) {
  part.catch((e) => {
    if (!ends.aborted) failed('The task is no longer live', e)
  })
}

/** Asks for the task's place, since the server does not send every change far back in the line. */
function place() {
  if (!document.hidden && task?.state === 'submitted' && (task.position ?? 0) > TOLD) fragments.want('page', id)
}
setInterval(place, 5000)

let question = ''
skein.fleet.addEventListener('change', () => { // its agent may ask something else, which does not change the task
  const asks = task?.state === 'input_required' ? clean(skein.fleet.agents.get(lastRun(task)?.agent ?? '')?.question ?? '') : ''
  if (asks !== question && asks !== '') fragments.want('page', id)
  question = asks
})

// --- acts ---

const acts = { retry: form('retry'), cancel: form('cancel'), stop: form('stop') }

/** @param {string} name @returns {HTMLFormElement} */
function form(name) {
  return one(root, `form[data-act="${name}"]`)
}

const openBelow = () => [...below.values()].filter((t) => !isOver(t)).length

/**
 * Runs an action that was requested before the task was known as soon as it is.
 * @param {(t: Task) => void} what
 */
const known = (what) => () => void arrived.then(() => task && what(task))
const act = {
  retry: known((t) => void (retryable(t) && retry(skein, [t]))),
  cancel: known((t) => cancelable(t) && cancel.cancel([t], { below: openBelow() })),
  stop: known((t) => stoppable(t) && cancel.stop(t)),
}
for (const name of /** @type {const} */ (['retry', 'cancel', 'stop'])) {
  acts[name].addEventListener('submit', (e) => {
    if (!task) return // not known yet: the form submits it without the script
    e.preventDefault()
    act[name]()
  })
}

/** Opens the form, filled in with this task. */
const again = known((task) => void refill(task).catch((e) => failed('The form can’t be filled in', e)))

/** @param {Task} task */
async function refill(task) {
  if (!task.orchestration) {
    const whole = await skein.tasks.get(id) // with whole payloads
    return submitting.open({ ...whole, depends_on: await passed(whole) })
  }
  const children = [...below.values()].filter((t) => t.parent === id && isChild(t)).sort((a, b) => (a.index ?? 0) - (b.index ?? 0))
  const inputs = children.map((t) => payloadText(t.input))
  const lines = children.every((t, i) => !t.input?.base64 && !t.input?.size && !/\n/.test(inputs[i] ?? ''))
  submitting.open({ ...children[0], ...task, type: children[0]?.type, capabilities: children[0]?.capabilities, retry: children[0]?.retry, retry_on: children[0]?.retry_on, input: { text: lines ? inputs.join('\n') : '' } })
}
/**
 * The tasks that one comes after, without those that are gone or ended without success: after these nothing is submitted.
 * @param {Task} t
 */
async function passed({ depends_on: ids = [] }) {
  if (ids.length === 0) return ids
  const { tasks } = await skein.tasks.list({ ids })
  return ids.filter((x) => tasks.some((t) => t.id === x && (!isOver(t) || t.state === 'completed')))
}
one(root, '#again').addEventListener('click', again)

/**
 * @param {string} what
 * @param {() => string | Promise<string>} text
 */
async function copy(what, text) {
  try {
    await navigator.clipboard.writeText(await text())
    toast('done', `The ${what} is in the clipboard`)
  } catch (e) {
    failed(`The ${what} was not copied`, e)
  }
}
one(root, '#copy-id').addEventListener('click', () => void copy('id', () => id))
for (const name of /** @type {const} */ (['input', 'result'])) {
  field(one(root, `#${name}`), 'copy').addEventListener('click', () => void copy(name, async () => payloadText((await skein.tasks.get(id))[name])))
}

const parents = /** @type {NodeListOf<HTMLAnchorElement>} */ (root.querySelectorAll('.crumbs a'))
kept(skein)

listen({
  ...cards.digits,
  c: act.cancel,
  s: act.stop,
  r: act.retry,
  n: again,
  u: () => parents[parents.length - 1]?.click(),
})
