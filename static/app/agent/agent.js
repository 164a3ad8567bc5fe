/**
 * The page of one agent. The server rendered it with the last events; this script follows from there.
 */
import { kept } from '../artifact/kept.js'
import { RemoveDialog } from '../fleet/remove.js'
import { opened } from '../fleet/seen.js'
import { SpawnDialog, again } from '../fleet/spawn.js'
import { still } from '../fleet/still.js'
import { Cards } from '../inbox/cards.js'
import { at } from '../lib/base.js'
import { busy, field, mark, one, write } from '../lib/dom.js'
import { clean, cpuCell, droppedText, heartbeat, memCell, need, pidText, replaces, state } from '../lib/format.js'
import { Fragments } from '../lib/fragments.js'
import { listen } from '../lib/keys.js'
import { QUESTION } from '../lib/longest.js'
import { parse, showParts } from '../lib/morph.js'
import { page } from '../lib/page.js'
import { StopDialog } from '../lib/stop.js'
import { tick } from '../lib/ticks.js'
import { title } from '../lib/title.js'
import { failed, toast } from '../lib/toast.js'
import { changed } from './changed.js'
import { lines } from './pipes.js'
import { showPlan } from './plan.js'
import { restarts } from './restart.js'
import { sessions } from './sessions.js'
import { Timeline } from './timeline.js'

/** @import { FleetChangeEvent } from '../../client/index.js' */
/** @import { Agent } from '../../client/types.js' */
/** @import { Body } from '../lib/body.js' */

const root = one(document, '#agent')
const id = root.dataset.id ?? ''
const skein = page({ asks: { params: { agent: id, html: true }, show: ({ html }) => cards.show(html) } })
const cards = new Cards(skein, one(document, '#asks'), countAsks)
const folder = changed(root)
const epoch = root.dataset.epoch ?? ''
const cursor = Number(root.dataset.cursor)

const timeline = new Timeline(skein, id)
const stop = new StopDialog(skein)

/** Says in the links to the parts of the page how many questions there are. */
function countAsks() {
  const link = field(root, 'asks')
  const n = cards.all.length
  write(link, n === 1 ? '1 question' : `${n} questions`)
  link.hidden = n === 0
}

/** @type {Agent | undefined} */
let agent

/** @type {Body | undefined} */
let body

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
  opened(a)
  if (made !== still(a)) {
    made = still(a)
    fragments.want('page', id)
  }
  mark(root, 'data-state', state(a))
  mark(root, 'data-activity', a.activity ?? '')
  body?.show(a)
  folder?.show(a)
  const dropped = one(root, '#dropped')
  write(dropped, a.dropped ? droppedText(a.dropped) : '') // with times in the reader's time zone
  dropped.hidden = !a.dropped
  entitle(a)
  hot()
}

/** Writes the values that the server does not render because they change all the time. */
function hot() {
  tick(root)
  if (!agent) return
  write(field(root, 'does'), clean(agent.summary ?? ''))
  write(field(root, 'pid'), pidText(agent))
  write(field(root, 'cpu'), cpuCell(agent))
  write(field(root, 'mem'), memCell(agent))
  write(field(root, 'beat'), heartbeat(agent, Date.now()))
  body?.hot()
}
setInterval(hot, 1000)
hot()
document.addEventListener('visibilitychange', () => agent && opened(agent))

/** @param {Agent} a the agent, whose state the title of the tab shows */
function entitle(a) {
  const sign = need(a) === 'question' ? '? ' : a.reason === 'failed' ? '✕ ' : ''
  title(`${sign}${clean(a.name)}`)
}

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

/** Puts the focus on what the agent asks, if the address says so. */
function meet() {
  if (location.hash !== QUESTION) return
  if (cards.all.length > 0) return cards.move(1)
  if (answer.hidden) one(document, '#main').focus()
  else one(answer, 'input').focus()
}
addEventListener('hashchange', meet)
meet()

// --- acts ---

const stopButton = /** @type {HTMLButtonElement} */ (one(root, '#stop-open'))

const ask = () => {
  if (agent && !stopButton.disabled) stop.ask([agent], { grace: Number(root.dataset.grace) })
}
stopButton.addEventListener('click', ask)

const pause = /** @type {HTMLButtonElement} */ (one(root, '#pause'))
pause.addEventListener('click', async () => {
  if (!agent) return
  busy(pause, true)
  const paused = agent.paused
  try {
    // a process that is given neither prompts nor tasks can only be frozen
    const { reports } = await (paused ? skein.resume({ ids: [id] }) : skein.pause({ ids: [id], freeze: agent.kind === 'exec' }))
    if (reports[0].error) failed(paused ? 'It was not resumed' : 'It was not paused', reports[0].error)
  } catch (e) {
    failed(paused ? 'It was not resumed' : 'It was not paused', e)
  } finally {
    busy(pause, false)
  }
})

const startNow = /** @type {HTMLButtonElement} */ (one(root, '#start-now'))
startNow.addEventListener('click', async () => {
  busy(startNow, true)
  try {
    const { reports } = await skein.resume({ ids: [id] })
    if (reports[0].error) failed('It was not started', reports[0].error)
  } catch (e) {
    failed('It was not started', e)
  } finally {
    busy(startNow, false)
  }
})

const respawn = /** @type {HTMLButtonElement} */ (one(root, '#again'))
respawn.addEventListener('click', async () => {
  if (!agent) return
  busy(respawn, true)
  const next = (await again(skein, agent))?.agents[0]
  busy(respawn, false)
  if (next) location.assign(at(`/agents/${encodeURIComponent(next.id)}`))
})

const changedAgain = /** @type {HTMLButtonElement} */ (one(root, '#again-with'))
/** @type {SpawnDialog | undefined} */
let spawning
changedAgain.addEventListener('click', () => {
  if (!agent) return
  spawning ??= new SpawnDialog(skein, ({ agents: [next] }) => next && location.assign(at(`/agents/${encodeURIComponent(next.id)}`)))
  spawning.open(agent)
})

const removing = new RemoveDialog(skein)
const removeButton = one(root, '#remove-open')
const remove = () => {
  if (agent && !removeButton.hidden) removing.ask([agent], () => location.assign(at('/')))
}
removeButton.addEventListener('click', remove)

restarts(skein, root, id)
sessions(skein, root, () => agent)

one(root, '#copy-id').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(id)
    toast('done', 'The id is in the clipboard')
  } catch (e) {
    failed('The id was not copied', e)
  }
})

// --- live ---

skein.fleet.addEventListener('change', (e) => {
  if (/** @type {FleetChangeEvent} */ (e).removed.includes(id)) return gone()
  const a = skein.fleet.agents.get(id)
  if (a && a !== agent) show(a)
})

/** Says that the agent was removed: by somebody else, or since it ended long ago. */
function gone() {
  one(root, '.agent-acts').hidden = true
  write(field(root, 'gone'), `${clean(agent?.name ?? 'The agent')} was removed. What you see is no longer kept.`)
  one(root, '#gone').hidden = false
}

const ends = new AbortController()
addEventListener('pagehide', (e) => {
  if (!e.persisted) ends.abort(new Error('the page is gone'))
})

async function begin() {
  const from = { id, epoch, cursor, first: Number(root.dataset.first) }
  body = root.querySelector('#terminal') ? (await import('../terminal/view.js')).view(skein, root, from) : lines(skein, root, from)
  listen({ ...cards.digits, ...body.keys, s: ask, u: () => location.assign(at('/')) })
  if (agent) body.show(agent)
  await body.follow(ends.signal, {
    attached: show,
    event(e) {
      if (e.type === 'gap') return timeline.clear()
      timeline.add(e)
      showPlan(e)
    },
  })
}
begin().catch((e) => {
  if (!ends.signal.aborted) failed('The output is no longer live', e)
})

kept(skein)
