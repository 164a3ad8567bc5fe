/**
 * The page of one agent. The server rendered it with the last events; this follows from there.
 */
import { kept } from '../artifact/kept.js'
import { again } from '../fleet/spawn.js'
import { at } from '../lib/base.js'
import { field, mark, one, shape, write } from '../lib/dom.js'
import {
  activityWord, age, clean, cpuCell, droppedText, heartbeat, inputRefusal, memCell, need, needGlyph, needText, pidText, shortId, state, stateDetail,
  stateWord, stoppable, NONE, replaces,
} from '../lib/format.js'
import { badges, loadText, writeBadges } from '../lib/health.js'
import { listen } from '../lib/keys.js'
import { page } from '../lib/page.js'
import { StopDialog } from '../lib/stop.js'
import { failed, toast } from '../lib/toast.js'
import { Output } from './output.js'
import { Timeline } from './timeline.js'

/** @import { Agent } from '../../client/types.js' */

/** By what all processes of an agent are found, and what that means: the words of ui/agent.templ. @type {Record<string, [string, string]>} */
const HELD = {
  cgroup: ['in a cgroup', 'It runs in a cgroup of its own: a stop finds whatever it started'],
  marks: ['by marks', 'No cgroup could be made: what it started is found by marks that processes inherit, and by their parents. skein doctor says why'],
}

/** How much of what was sent the up arrow brings back. */
const MAX_HISTORY = 100

/** How many events the page begins with again when what it has is not what the log has. */
const MAX_BACK = 500

const skein = page()
const root = one(document, '#agent')
const id = root.dataset.id ?? ''
const epoch = root.dataset.epoch ?? ''
const cursor = Number(root.dataset.cursor)
const most = Number(root.dataset.most)

const timeline = new Timeline(skein, id)
const output = new Output(skein, { id, epoch, first: Number(root.dataset.first) })
const stop = new StopDialog(skein)

/** @type {Agent | undefined} */
let agent

// --- the head ---

const head = {
  status: one(root, '.agent-head .status'), activity: one(root, '.agent-head .activity'), stop: /** @type {HTMLButtonElement} */ (one(root, '#stop-open')),
  age: one(root, '.facts [data-f="age"]'), pid: field(root, 'pid'), held: field(root, 'held'), cpu: field(root, 'cpu'), mem: field(root, 'mem'), exit: field(root, 'exit'), beat: field(root, 'beat'),
  banner: one(root, '#banner'), dropped: one(root, '#dropped'), badges: field(root, 'badges'), load: field(root, 'load'), work: field(root, 'work'), restarts: field(root, 'restarts'),
}

/** @param {Agent} a */
function show(a) {
  if (!replaces(a, agent)) return
  agent = a
  const s = state(a)
  mark(root, 'data-state', s)
  mark(root, 'data-activity', a.activity ?? '')
  mark(head.status, 'data-state', s)
  shape(field(head.status, 'glyph'), `s-${s}`)
  write(field(head.status, 'state-word'), stateWord(s))
  write(field(head.status, 'state-detail'), stateDetail(a))
  write(head.activity, activityWord(a.activity))
  head.activity.hidden = !a.activity
  write(head.pid, pidText(a))
  const [held, means] = HELD[a.containment ?? ''] ?? [NONE, '']
  write(head.held, held)
  head.held.title = means
  write(head.cpu, cpuCell(a))
  write(head.mem, memCell(a))
  write(head.exit, a.exit ? (a.exit.signal ?? '') || String(a.exit.code) : NONE)
  head.stop.disabled = !stoppable(a)
  write(field(head.stop, 'stop-word'), a.status === 'stopping' ? 'Stopping' : a.exit?.leftovers?.length ? 'End what is left' : 'Stop')
  write(head.dropped, a.dropped ? droppedText(a.dropped) : '')
  head.dropped.hidden = !a.dropped
  work(a)
  banner(a)
  input.show(a)
  title(a)
  tick()
}

/** @param {Agent} a */
function work(a) {
  write(head.load, loadText(a, most) || NONE)
  const ids = a.tasks ?? []
  writeBadges(head.work, ids.map((task) => ({ kind: 'load', text: shortId(task), href: at(`/tasks/${encodeURIComponent(task)}`) })))
  write(head.restarts, String(a.restarts ?? 0))
}

/** @param {Agent} a */
function banner(a) {
  const n = need(a)
  mark(head.banner, 'data-need', n)
  head.banner.hidden = n === ''
  if (n === '') return
  shape(field(head.banner, 'why-glyph'), `s-${needGlyph(n)}`)
  write(field(head.banner, 'why'), needText(a))
  one(head.banner, '#answer').hidden = n !== 'question'
}

/** @param {Agent} a what the tab says, so that a person sees it from another */
function title(a) {
  const sign = need(a) === 'question' ? '? ' : a.reason === 'failed' ? '✕ ' : ''
  document.title = `${sign}${clean(a.name)} · Skein`
}

function tick() {
  write(head.age, age({ created_at: head.age.dataset.created ?? '', exited_at: agent?.exited_at ?? (head.age.dataset.exited || undefined) }, Date.now()))
  if (!agent) return
  write(head.beat, heartbeat(agent, Date.now()))
  writeBadges(head.badges, badges(agent, 0, Date.now()).filter((b) => b.kind !== 'load' && b.kind !== 'note'))
}
setInterval(tick, 1000)

// --- input ---

const input = (() => {
  const form = /** @type {HTMLFormElement} */ (one(root, '#input'))
  const box = /** @type {HTMLTextAreaElement} */ (one(form, '#input-text'))
  const send = /** @type {HTMLButtonElement} */ (one(form, '#input-send'))
  const eof = /** @type {HTMLButtonElement} */ (one(form, '#input-eof'))
  /** @type {string[]} */
  const history = []
  let at = 0
  let draft = ''
  let ended = false // its standard input was closed from here

  /** @param {string} text */
  const put = (text) => {
    box.value = text
    box.setSelectionRange(text.length, text.length)
  }

  form.addEventListener('submit', async (e) => {
    e.preventDefault()
    const text = box.value
    put('')
    if (text !== '' && history.at(-1) !== text && history.push(text) > MAX_HISTORY) history.shift()
    at = history.length
    output.follow()
    try {
      await skein.input(id, `${text}\n`)
    } catch (err) {
      if (!box.value) put(text)
      failed('It was not written', err)
    }
  })

  const close = async () => {
    try {
      await skein.input(id, '', { eof: true })
      ended = true
      if (agent) show(agent)
      toast('done', 'End of input is sent')
    } catch (err) {
      failed('The end of input was not sent', err)
    }
  }
  eof.addEventListener('click', () => void close())

  box.addEventListener('keydown', (e) => {
    if (e.isComposing) return
    const first = !box.value.slice(0, box.selectionStart).includes('\n')
    const last = !box.value.slice(box.selectionEnd).includes('\n')
    if (e.key === 'Enter' && !e.shiftKey) form.requestSubmit()
    else if (e.key === 'd' && e.ctrlKey && box.value === '') void close()
    else if (e.key === 'ArrowUp' && first && at > 0) {
      if (at === history.length) draft = box.value
      put(history[--at] ?? '')
    } else if (e.key === 'ArrowDown' && last && at < history.length) put(++at === history.length ? draft : (history[at] ?? ''))
    else return
    e.preventDefault()
  })

  return {
    focus: () => box.focus(),
    /** @param {Agent} a */
    show(a) {
      const refusal = inputRefusal(a) || (ended ? 'Its input was closed' : '')
      box.disabled = send.disabled = eof.disabled = refusal !== ''
      mark(box, 'placeholder', refusal || 'Write a line')
    },
  }
})()

const answer = /** @type {HTMLFormElement} */ (one(root, '#answer'))
answer.addEventListener('submit', async (e) => {
  e.preventDefault()
  const box = /** @type {HTMLInputElement} */ (one(answer, 'input'))
  const send = /** @type {HTMLButtonElement} */ (one(answer, 'button'))
  send.disabled = true
  try {
    await skein.input(id, `${box.value}\n`)
    box.value = ''
  } catch (err) {
    failed('It did not get the answer', err)
  } finally {
    send.disabled = false
  }
})

// --- acts ---

const ask = () => {
  if (agent && stoppable(agent)) stop.ask([agent], { grace: Number(root.dataset.grace) })
}
head.stop.addEventListener('click', ask)

const respawn = /** @type {HTMLButtonElement} */ (one(root, '#again'))
respawn.addEventListener('click', async () => {
  if (!agent) return
  respawn.disabled = true
  const next = (await again(skein, agent))?.agents[0]
  respawn.disabled = false
  if (next) location.assign(at(`/agents/${encodeURIComponent(next.id)}`))
})

one(root, '#copy-id').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(id)
    toast('done', 'The id is in the clipboard')
  } catch (e) {
    failed('The id was not copied', e)
  }
})

// --- live ---

skein.fleet.addEventListener('change', () => {
  const a = skein.fleet.agents.get(id)
  if (a && a !== agent) show(a)
})

const ends = new AbortController()
addEventListener('pagehide', (e) => {
  if (!e.persisted) ends.abort(new Error('the page is gone'))
})

async function follow() {
  const options = { after: cursor, tail: MAX_BACK, epoch, signal: ends.signal, onattached: (/** @type {{agent: Agent}} */ a) => show(a.agent), onend: (/** @type {{agent: Agent}} */ e) => show(e.agent) }
  for await (const e of skein.events(id, options)) {
    output.add(e)
    if (e.type === 'gap') timeline.clear()
    else timeline.add(e)
  }
}
follow().catch((e) => {
  if (!ends.signal.aborted) failed('The output is no longer live', e)
})

kept(skein)

const press = (/** @type {string} */ name) => () => one(document, name).click()
listen({
  '/': () => output.find.focus(),
  n: () => output.find.step(1),
  N: () => output.find.step(-1),
  f: () => output.toggle(),
  i: () => input.focus(),
  s: ask,
  t: press('#times'),
  w: press('#wrap'),
  u: () => location.assign(at('/')),
})
