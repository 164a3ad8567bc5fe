/**
 * The page of one agent. The server rendered it with the last events; this script follows from there.
 */
import { kept } from '../artifact/kept.js'
import { again } from '../fleet/spawn.js'
import { still } from '../fleet/still.js'
import { at } from '../lib/base.js'
import { busy, field, mark, one, write } from '../lib/dom.js'
import { clean, cpuCell, droppedText, heartbeat, memCell, need, pidText, replaces, state } from '../lib/format.js'
import { Fragments } from '../lib/fragments.js'
import { listen } from '../lib/keys.js'
import { parse, showParts } from '../lib/morph.js'
import { page } from '../lib/page.js'
import { StopDialog } from '../lib/stop.js'
import { tick } from '../lib/ticks.js'
import { failed, toast } from '../lib/toast.js'
import { Output } from './output.js'
import { Timeline } from './timeline.js'

/** @import { Agent } from '../../client/types.js' */

/** How many inputs the up arrow brings back. */
const MAX_HISTORY = 100

/** How many events the page loads when it must start again because its events are not those of the log. */
const MAX_BACK = 500

const skein = page()
const root = one(document, '#agent')
const id = root.dataset.id ?? ''
const epoch = root.dataset.epoch ?? ''
const cursor = Number(root.dataset.cursor)

const timeline = new Timeline(skein, id)
const output = new Output(skein, { id, epoch, first: Number(root.dataset.first) })
const stop = new StopDialog(skein)

/** @type {Agent | undefined} */
let agent

// --- the head ---

let made = '' // the still() of the record that the HTML in the page was rendered from

const fragments = new Fragments((ids, /** @type {'page'} */ kind) => skein.render(ids, kind), (_, __, html) => {
  const text = html[id]
  if (!text) {
    made = '' // so that the next change requests it again
    return
  }
  showParts(parse(text))
  hot()
})

/** @param {Agent} a */
function show(a) {
  if (!replaces(a, agent)) return
  if (!agent && root.dataset.rev === String(a.rev)) made = still(a)
  agent = a
  if (made !== still(a)) {
    made = still(a)
    fragments.want('page', id)
  }
  mark(root, 'data-state', state(a))
  mark(root, 'data-activity', a.activity ?? '')
  const dropped = one(root, '#dropped')
  write(dropped, a.dropped ? droppedText(a.dropped) : '') // with times in the reader's time zone
  dropped.hidden = !a.dropped
  title(a)
  hot()
}

/** Writes the values that the server does not render because they change all the time. */
function hot() {
  tick(root)
  if (!agent) return
  write(field(root, 'pid'), pidText(agent))
  write(field(root, 'cpu'), cpuCell(agent))
  write(field(root, 'mem'), memCell(agent))
  write(field(root, 'beat'), heartbeat(agent, Date.now()))
  input.show()
}
setInterval(hot, 1000)
hot()

/** @param {Agent} a the agent, whose state the title of the tab shows */
function title(a) {
  const sign = need(a) === 'question' ? '? ' : a.reason === 'failed' ? '✕ ' : ''
  document.title = `${sign}${clean(a.name)} · Skein`
}

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
  let ended = false // whether its standard input was closed from this page

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
      failed('The input was not sent', err)
    }
  })

  const close = async () => {
    try {
      await skein.input(id, '', { eof: true })
      ended = true
      hot()
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
    /**
     * Updates the input box. Standard input that was closed from this page takes nothing more, even if the record does not
     * say so yet.
     */
    show() {
      if (!ended || box.disabled) return
      box.disabled = send.disabled = eof.disabled = true
      mark(box, 'placeholder', 'Its input was closed')
    },
  }
})()

const answer = /** @type {HTMLFormElement} */ (one(root, '#answer'))
answer.addEventListener('submit', async (e) => {
  e.preventDefault()
  const box = /** @type {HTMLInputElement} */ (one(answer, 'input'))
  const send = /** @type {HTMLButtonElement} */ (one(answer, 'button'))
  busy(send, true)
  try {
    await skein.input(id, `${box.value}\n`)
    box.value = ''
  } catch (err) {
    failed('The answer was not sent', err)
  } finally {
    busy(send, false)
  }
})

// --- acts ---

const stopButton = /** @type {HTMLButtonElement} */ (one(root, '#stop-open'))

const ask = () => {
  if (agent && !stopButton.disabled) stop.ask([agent], { grace: Number(root.dataset.grace) })
}
stopButton.addEventListener('click', ask)

const respawn = /** @type {HTMLButtonElement} */ (one(root, '#again'))
respawn.addEventListener('click', async () => {
  if (!agent) return
  busy(respawn, true)
  const next = (await again(skein, agent))?.agents[0]
  busy(respawn, false)
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
