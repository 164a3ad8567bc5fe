/**
 * The page of all agents. The server rendered it; this script keeps it up to date and runs its controls.
 */
import { at } from '../lib/base.js'
import { busy, mark, one, write } from '../lib/dom.js'
import { alive, count, need, needYou } from '../lib/format.js'
import { Fragments } from '../lib/fragments.js'
import { listen } from '../lib/keys.js'
import { page } from '../lib/page.js'
import { StopDialog } from '../lib/stop.js'
import { failed, toast } from '../lib/toast.js'
import { ListPage } from '../list/page.js'
import { AgentList } from './agentlist.js'
import { starters } from './empty.js'
import { offer } from './offer.js'
import { KEYS } from './order.js'
import { asking } from './alike.js'
import { removable } from './removable.js'
import { RemoveDialog } from './remove.js'
import { SpawnDialog, again } from './spawn.js'
import { ViewsDialog } from './views.js'

/** @import { Agent, SpawnResult } from '../../client/types.js' */
/** @import { Arrangement, Filter } from './order.js' */

const skein = page()
const address = new URLSearchParams(location.search)
const asked = (/** @type {string} */ name) => address.get(name) ?? ''
const list = new AgentList({
  query: asked('q').trim(), type: asked('type'), label: asked('label'), node: asked('node'), sort: asked('sort'),
  state: KEYS.find((key) => key === asked('state')) ?? '',
}, (id) => fragments.want('row', id), async (id) => (await skein.render([id], 'peek'))[id])
const fragments = new Fragments((ids, /** @type {'row'} */ kind) => skein.render(ids, kind), (_, ids, html) => list.rendered(ids, html),
  (id) => list.rows.has(id))
const stop = new StopDialog(skein)
const removing = new RemoveDialog(skein)
list.remove = (agents) => removing.ask(agents, () => list.clear())
const spawning = new SpawnDialog(skein, shown)

// --- live ---

let whole = false // whether a snapshot has come, so that agents that are missing are gone
skein.fleet.addEventListener('snapshot', () => {
  whole = true
  list.replace(skein.fleet.agents)
})
skein.fleet.addEventListener('change', (e) => {
  if (!whole) return
  const { agents, removed } = /** @type {import('../../client/index.js').FleetChangeEvent} */ (e)
  list.put(agents.flatMap((id) => skein.fleet.agents.get(id) ?? []), removed)
  if (!document.hidden) list.now() // a visible page hears of changes in its animation frames
})

// --- filter and order ---

const sort = /** @type {HTMLSelectElement} */ (one(document, '#sort'))
const labels = /** @type {HTMLSelectElement} */ (one(document, '#label'))
const nodes = /** @type {HTMLSelectElement} */ (one(document, '#node'))
const toWall = /** @type {HTMLAnchorElement} */ (one(document, '#to-wall'))
const viewsOpen = one(document, '#views-open')
const heads = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('[data-sort]')])

/** The filters and the order as the query of the page's address; '' if there are none. @param {Filter} filter */
function queryOf({ query: q, label, node, sort, state, type }) {
  const all = new URLSearchParams(Object.entries({ label, node, q, sort, state, type }).filter(([, v]) => v))
  return all.size > 0 ? `?${all}` : ''
}

const views = new ViewsDialog(() => queryOf(list.filter))
/** @type {ListPage<Filter>} */
const around = new ListPage(list, {
  noun: ['agent', 'agents'], first: () => list.first(), cleared: { query: '', type: '', label: '', node: '', state: '' },
  url: (f) => at(`/${queryOf(f)}`),
  filtered: (f) => {
    views.show()
    mark(toWall, 'href', wallOf(f))
    labels.value = f.label
    nodes.value = f.node
    const { key, rising } = list.direction
    sort.value = key
    for (const head of heads) mark(head, 'aria-sort', head.dataset.sort === key ? (rising ? 'ascending' : 'descending') : 'none')
  },
})
list.addEventListener('arrange', (e) => {
  const all = /** @type {CustomEvent<Arrangement>} */ (e).detail
  const { counts } = all
  const wanting = (counts.needs ? `, ${needYou(counts.needs)}` : '') + (counts.failing ? `, ${counts.failing} failing` : '')
  around.counted(counts, list.size === 0 ? '' : `${count(list.size, 'agent', 'agents')}, ${counts.alive} alive${wanting}`)
  nothing()
  toWall.hidden = viewsOpen.hidden = list.size === 0
  spawning.running(all.living)
  offer(labels, all.labels, list.filter.label, 1)
  offer(nodes, all.nodes, list.filter.node, 2)
})

/**
 * The address of the wall with what is selected, or else with what the filter lets through.
 * @param {Filter} filter
 */
function wallOf({ query: q, label, node, state, type }) {
  const agents = list.picked.map((a) => a.id).join(',')
  const all = new URLSearchParams(Object.entries(agents ? { agents } : { label, node, q, state, type }).filter(([, v]) => v))
  return at(all.size > 0 ? `/wall?${all}` : '/wall')
}

/** Says why no agent is shown. */
function nothing() {
  const { query, type, label, node, state } = list.filter
  const filtered = [query, type, label, node, state].some(Boolean)
  one(document, '#clear-filter').hidden = !filtered
  write(one(document, '#no-match-title'), filtered ? 'No agent matches' : 'No agent is at work')
  if (!filtered) write(one(document, '#no-match-text'), 'Those that have ended, and those that work on one task each, have lists of their own.')
}

for (const head of heads) {
  around.follows(one(head, 'a'), () => {
    const key = head.dataset.sort ?? 'age'
    around.filter({ sort: (list.filter.sort || 'age') === key ? `-${key}` : key })
  })
}
around.chooses(sort, () => around.filter({ sort: sort.value }))
around.chooses(labels, () => around.filter({ label: labels.value }))
around.chooses(nodes, () => around.filter({ node: nodes.value }))

viewsOpen.addEventListener('click', () => views.open())

// --- spawn ---

/** @param {SpawnResult} [result] */
function shown(result) {
  if (!result) return
  list.put(result.agents)
  const there = list.reveal(result.agents.map((a) => a.id))
  if (!there && result.agents.length > 0) toast('done', 'The filter hides what you spawned')
}

one(document, '#spawn-open').addEventListener('click', () => spawning.open())
starters(skein, shown)

// --- rows ---

/**
 * @param {EventTarget | null} target
 * @returns {Agent | undefined}
 */
function agentOf(target) {
  const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (target).closest('.agent'))
  return row ? list.get(row.dataset.id ?? '') : undefined
}

one(document, '#list').addEventListener('click', async (e) => {
  const line = /** @type {Element} */ (e.target).closest('.c-line')
  const peeked = line && !(/** @type {Element} */ (e.target).closest('a')) && list.rows.get(list.idAt(line))
  if (peeked && getSelection()?.isCollapsed) return list.peek.toggle(peeked)
  const button = /** @type {HTMLButtonElement | null} */ (/** @type {Element} */ (e.target).closest('button[data-do]'))
  const agent = button && agentOf(button)
  if (!agent) return
  switch (button.dataset.do) {
    case 'stop':
      return ask([agent])
    case 'dismiss':
      return list.dismiss([agent])
    case 'start':
      busy(button, true)
      await startNow(agent)
      return busy(button, false)
    case 'again':
      busy(button, true)
      shown(await again(skein, agent))
      busy(button, false)
  }
})

/** @param {Agent} agent waits to start again */
async function startNow(agent) {
  try {
    const { reports } = await skein.resume({ ids: [agent.id] })
    if (reports[0].error) failed(`${AgentList.title(agent)} was not started`, reports[0].error)
  } catch (e) {
    failed(`${AgentList.title(agent)} was not started`, e)
  }
}

one(document, '#list').addEventListener('submit', async (e) => {
  e.preventDefault()
  const answer = /** @type {HTMLFormElement} */ (e.target)
  const agent = agentOf(answer)
  const box = /** @type {HTMLInputElement} */ (one(answer, 'input'))
  const send = /** @type {HTMLButtonElement} */ (/** @type {SubmitEvent} */ (e).submitter ?? one(answer, 'button'))
  if (!agent || send.disabled) return
  const peeks = answer.dataset.f === 'reply' // what became of it is seen there
  const to = send.dataset.f === 'answer-all' ? asking(agent, skein.fleet.agents.values()) : [agent]
  const text = `${box.value}${agent.tty ? '\r' : '\n'}`
  busy(send, true)
  const sent = await Promise.allSettled(to.map((a) => skein.input(a.id, text)))
  busy(send, false)
  for (const [i, s] of sent.entries()) if (s.status === 'rejected') failed(`${AgentList.title(/** @type {Agent} */ (to[i]))} did not get the answer`, s.reason)
  const have = to.filter((_, i) => sent[i]?.status === 'fulfilled')
  if (have.includes(agent)) box.value = ''
  if (peeks || !have[0]) return
  if (have.length > 1) toast('done', `${have.length} agents have your answer`)
  else toast('done', `${AgentList.title(have[0])} has your answer`, '', { say: (n) => `${n} agents have your answers` })
})

// --- selection, stop, keys ---

const stopPicked = /** @type {HTMLButtonElement} */ (one(document, '#bulk [data-do="stop-selected"]'))
const removePicked = one(document, '#bulk [data-do="remove-selected"]')
const pickedToWall = one(document, '#bulk [data-f="wall"]')
around.selects((picked, bar) => {
  const living = picked.filter((a) => alive(a)).length
  write(one(bar, '[data-f="stop-word"]'), living === picked.length ? `Stop ${count(living, 'agent', 'agents')}` : `Stop the ${living} alive`)
  stopPicked.hidden = living === 0
  const ended = removable(picked).length
  removePicked.hidden = ended === 0
  write(removePicked, ended === picked.length ? `Remove ${count(ended, 'agent', 'agents')}` : `Remove the ${ended} ended`)
  mark(pickedToWall, 'href', wallOf(list.filter))
})
stopPicked.addEventListener('click', () => ask(list.picked))
removePicked.addEventListener('click', () => list.remove(list.picked))

/** @param {Agent[]} agents */
function ask(agents) {
  if (agents.length > 0) stop.ask(agents, { done: () => list.clear() })
}

listen({
  ...around.keys,
  ' ': around.onRow((row) => document.activeElement === row.name && (list.peek.toggle(row), true)),
  Escape: () => list.peek.close() || around.keys.Escape?.(new KeyboardEvent('keydown')) === true,
  a: around.onRow((row) => row.agent && need(row.agent) === 'question' && (row.answer ?? row.answeredThere)?.focus()),
  s: () => {
    const agents = list.meant
    ask(agents)
    return agents.length > 0
  },
  n: () => spawning.open(),
  v: () => !viewsOpen.hidden && (views.open(), true),
  w: () => location.assign(wallOf(list.filter)),
})
