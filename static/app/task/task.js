/**
 * The page of one task. The server rendered it; this follows the task, and all below it, from there.
 */
import { payloadText } from '../../client/index.js'
import { kept } from '../artifact/kept.js'
import { clone, field, mark, one, shape, write } from '../lib/dom.js'
import { clean, clock, when } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { page } from '../lib/page.js'
import { failed, toast } from '../lib/toast.js'
import { CancelDialog, retry } from './cancel.js'
import { Panel } from './panel.js'
import { ResultList } from './results.js'
import { SubmitDialog } from './submit.js'
import {
  agentURL, attempts, bannerKind, bannerMore, bannerText, cancelable, done, isChild, isOver, lastRun, moments, retryable, stoppable, taskAge,
  taskGlyph, taskText, taskTitle, taskURL,
} from './taskformat.js'
import { writeAgent, writeStatus } from './taskrow.js'
import { Tree } from './tree.js'

/** @import { Payload, Task } from '../../client/types.js' */

/** The first in a line are told whenever their place changes. */
const TOLD = 20

const skein = page()
const root = one(document, '#task')
const id = root.dataset.id ?? ''

const cancel = new CancelDialog(skein)
const submitting = new SubmitDialog(skein, (next) => location.assign(taskURL(next.id)))
const panels = { result: new Panel(one(root, '#result')), input: new Panel(one(root, '#input')) }
const tree = root.querySelector('#below') ? new Tree(one(root, '#below'), id) : undefined
const results = root.querySelector('#results') ? new ResultList(one(root, '#results')) : undefined

/** @type {Task | undefined} as it is now; its payloads are whole once they were asked for */
let task
/** @type {Map<string, Task>} those below it */
const below = new Map()
/** @type {() => void} */
let arrive = () => {}
/** @type {Promise<void>} */
const arrived = new Promise((resolve) => (arrive = resolve))

// --- the head ---

const head = {
  line: one(root, '.agent-head'), agent: one(root, '.facts [data-f="agent"]'), noAgent: field(root, 'no-agent'), try: one(root, '.facts [data-f="try"]'),
  age: one(root, '.facts [data-f="age"]'), banner: one(root, '#banner'), moments: one(root, '#moments'),
}
const acts = {
  retry: form('retry'), cancel: form('cancel'), stop: form('stop'),
}

/** @param {string} name @returns {HTMLFormElement} */
function form(name) {
  return one(root, `form[data-act="${name}"]`)
}

/** @param {Task} t */
function show(t) {
  task = t
  mark(root, 'data-state', t.state)
  writeStatus(head.line, t)
  writeAgent(head.agent, t)
  head.noAgent.hidden = Boolean(lastRun(t)?.agent)
  write(head.try, attempts(t))
  acts.retry.hidden = !retryable(t)
  acts.cancel.hidden = !cancelable(t)
  acts.stop.hidden = !stoppable(t)
  results?.tally(t)
  timeline(t)
  outcome(t)
  const sign = t.state === 'input_required' ? '? ' : t.state === 'failed' ? '✕ ' : ''
  document.title = `${sign}${taskTitle(t)} · Skein`
  tick()
}

/** @param {Task} t */
function banner(t) {
  const kind = bannerKind(t)
  mark(head.banner, 'data-kind', kind)
  head.banner.hidden = kind === ''
  if (kind === '') return
  shape(field(head.banner, 'why-glyph'), `s-${taskGlyph(t.state)}`)
  const agent = lastRun(t)?.agent ?? ''
  const question = kind === 'input' ? clean(skein.fleet.agents.get(agent)?.question ?? '') : ''
  write(field(head.banner, 'why'), question || bannerText(t, Date.now()))
  const more = bannerMore(t)
  field(head.banner, 'why-more').hidden = more === ''
  write(field(head.banner, 'why-more'), more)
  const answer = field(head.banner, 'answer')
  answer.hidden = kind !== 'input'
  mark(answer, 'href', agentURL(agent))
}

/** @param {Task} t */
function outcome(t) {
  panels.result.hidden = !t.result && (t.state !== 'working' || Boolean(t.orchestration)) // the banner, or the results, say it
  if (isOver(t)) panels.result.show(t.result)
  else panels.result.pending(taskText(t, Date.now()), done(t))
}

/** @param {Task} t */
function timeline(t) {
  const now = Date.now()
  const items = /** @type {HTMLElement[]} */ ([...head.moments.children])
  const old = new Map(items.map((el) => [el.dataset.key, el]))
  let at = head.moments.firstElementChild
  for (const m of moments(t)) {
    const el = old.get(m.key) ?? clone('task-moment')
    old.delete(m.key)
    mark(el, 'data-key', m.key)
    mark(el, 'data-state', m.glyph)
    mark(el, 'data-later', m.later)
    shape(field(el, 'glyph'), `s-${m.glyph}`)
    write(field(el, 'title'), m.title)
    for (const name of /** @type {const} */ (['blame', 'detail'])) {
      write(field(el, name), m[name])
      field(el, name).hidden = m[name] === ''
    }
    field(el, 'who').hidden = m.agent === ''
    write(field(el, 'agent'), m.name)
    mark(field(el, 'agent'), 'href', agentURL(m.agent))
    mark(field(el, 'clock'), 'datetime', m.time)
    mark(field(el, 'clock'), 'title', m.time)
    write(field(el, 'clock'), clock(m.time))
    write(field(el, 'ago'), when(m.time, now))
    if (el === at) at = at.nextElementSibling
    else head.moments.insertBefore(el, at)
  }
  for (const el of old.values()) el.remove()
  for (const el of items) if (el.dataset.key === undefined) el.remove() // the server's, which have no key
}

function tick() {
  const now = Date.now()
  for (const el of head.moments.children) write(field(el, 'ago'), when(field(el, 'clock').getAttribute('datetime') ?? '', now))
  tree?.tick(now)
  if (!task) return
  write(head.age, taskAge(task, now))
  banner(task)
  if (!isOver(task)) panels.result.pending(taskText(task, now), done(task))
}
setInterval(() => document.hidden || tick(), 1000)

// --- live ---

const ends = new AbortController()
addEventListener('pagehide', (e) => {
  if (!e.persisted) ends.abort(new Error('the page is gone'))
})

/** Payloads that are whole, as they were asked for; those of a watch are cut. @type {{input?: Payload, result?: Payload}} */
const whole = {}

/** @param {Task} t as a watch gives it */
async function take(t) {
  const cut = (/** @type {Payload | undefined} */ p) => Boolean(p?.size)
  if ((cut(t.input) && !whole.input) || (cut(t.result) && !whole.result)) {
    const full = await skein.tasks.get(id, { signal: ends.signal })
    whole.input = full.input ?? {}
    if (full.result) whole.result = full.result
  }
  if (!isOver(t)) delete whole.result // another attempt, another result
  show({ ...t, input: whole.input ?? t.input, ...(t.result && { result: whole.result ?? t.result }) })
}

async function follow() {
  /** @type {Map<string, Task> | undefined} */
  let incoming
  for await (const u of skein.tasks.watch({ filter: { root: id }, signal: ends.signal })) {
    if (u.reset) incoming = new Map()
    const news = incoming ?? new Map()
    for (const t of u.tasks ?? []) news.set(t.id, t)
    for (const gone of u.removed ?? []) news.delete(gone)
    if (u.more) continue
    const removed = incoming ? [...below.keys()].filter((x) => !news.has(x)) : (u.removed ?? [])
    if (removed.includes(id) || (incoming && !news.has(id))) toast('failed', 'The task is forgotten', 'The oldest tasks that are over are. This is how it was.')
    incoming = undefined
    const own = news.get(id)
    news.delete(id)
    for (const t of news.values()) below.set(t.id, t)
    for (const gone of removed) below.delete(gone)
    tree?.put(news.values(), removed)
    if (own) await take(own)
    arrive()
  }
}

async function stream() {
  if (!results) return
  const all = skein.tasks.results(id, { after: results.after, signal: ends.signal })
  for await (const r of all) results.add(r)
}

for (const part of [follow(), stream()]) {
  part.catch((e) => {
    if (!ends.signal.aborted) failed('The task is no longer live', e)
  })
}
/** Far back in a line a task is not told of every step. */
async function place() {
  if (document.hidden || task?.state !== 'submitted' || (task.position ?? 0) <= TOLD) return
  const { state, waiting, position } = await skein.tasks.get(id, { signal: ends.signal })
  if (state === 'submitted' && task.state === 'submitted') show({ ...task, waiting, position })
}
setInterval(() => place().catch(() => {}), 5000) // the next time may go better

skein.fleet.addEventListener('change', () => task?.state === 'input_required' && banner(task))

// --- acts ---

const openBelow = () => [...below.values()].filter((t) => !isOver(t)).length

/**
 * What is asked for before the task is known is done when it is.
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
    if (!task) return // not known yet: the form does it
    e.preventDefault()
    act[name]()
  })
}

/** Opens the form with what this task was. */
const again = known((task) => {
  if (!task.orchestration) return submitting.open(task)
  const children = [...below.values()].filter((t) => t.parent === id && isChild(t)).sort((a, b) => (a.index ?? 0) - (b.index ?? 0))
  const inputs = children.map((t) => payloadText(t.input))
  const lines = children.every((t, i) => !t.input?.base64 && !t.input?.size && !/\n/.test(inputs[i] ?? ''))
  submitting.open({ ...children[0], ...task, type: children[0]?.type, capabilities: children[0]?.capabilities, retry: children[0]?.retry, retry_on: children[0]?.retry_on, input: { text: lines ? inputs.join('\n') : '' } })
})
one(root, '#again').addEventListener('click', again)

/**
 * @param {string} what
 * @param {string} text
 */
async function copy(what, text) {
  try {
    await navigator.clipboard.writeText(text)
    toast('done', `The ${what} is in the clipboard`)
  } catch (e) {
    failed(`The ${what} was not copied`, e)
  }
}
one(root, '#copy-id').addEventListener('click', () => void copy('id', id))
for (const name of /** @type {const} */ (['input', 'result'])) panels[name].oncopy = () => void copy(name, payloadText(task?.[name]))

const parents = /** @type {NodeListOf<HTMLAnchorElement>} */ (root.querySelectorAll('.crumbs a'))
kept(skein)

listen({
  c: act.cancel,
  s: act.stop,
  r: act.retry,
  n: again,
  u: () => parents[parents.length - 1]?.click(),
})
