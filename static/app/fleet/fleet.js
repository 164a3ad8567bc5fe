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
import { SpawnDialog, again } from './spawn.js'

/** @import { Agent, SpawnResult } from '../../client/types.js' */
/** @import { Arrangement, Filter } from './order.js' */

const skein = page()
const address = new URLSearchParams(location.search)
const list = new AgentList({
  query: address.get('q') ?? '', type: address.get('type') ?? '', state: address.get('state') ?? '', sort: address.get('sort') ?? '',
}, (id) => fragments.want('row', id))
const fragments = new Fragments((ids, /** @type {'row'} */ kind) => skein.render(ids, kind), (_, ids, html) => list.rendered(ids, html),
  (id) => list.rows.has(id))
const stop = new StopDialog(skein)
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
})

// --- filter and order ---

const sort = /** @type {HTMLSelectElement} */ (one(document, '#sort'))
const heads = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('[data-sort]')])
/** @type {ListPage<Filter>} */
const around = new ListPage(list, {
  noun: ['agent', 'agents'], first: () => list.first(),
  url: (f) => {
    const q = new URLSearchParams(Object.entries({ q: f.query, sort: f.sort, state: f.state, type: f.type }).filter(([, v]) => v))
    return at(q.size > 0 ? `/?${q}` : '/')
  },
  filtered: () => {
    const { key, rising } = list.direction
    sort.value = key
    for (const head of heads) mark(head, 'aria-sort', head.dataset.sort === key ? (rising ? 'ascending' : 'descending') : 'none')
  },
})
list.addEventListener('arrange', (e) => {
  const { counts, living } = /** @type {CustomEvent<Arrangement>} */ (e).detail
  const wanting = counts.needs ? `, ${needYou(counts.needs)}` : ''
  around.counted(counts, list.size === 0 ? '' : `${count(list.size, 'agent', 'agents')}, ${counts.alive} alive${wanting}`)
  spawning.running(living)
})
for (const head of heads) {
  around.follows(one(head, 'a'), () => {
    const key = head.dataset.sort ?? 'age'
    around.filter({ sort: (list.filter.sort || 'age') === key ? `-${key}` : key })
  })
}
around.chooses(sort, () => around.filter({ sort: sort.value }))

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
  const button = /** @type {HTMLButtonElement | null} */ (/** @type {Element} */ (e.target).closest('button[data-do]'))
  const agent = button && agentOf(button)
  if (!agent) return
  switch (button.dataset.do) {
    case 'stop':
      return ask([agent])
    case 'dismiss':
      return list.dismiss([agent])
    case 'again':
      busy(button, true)
      shown(await again(skein, agent))
      busy(button, false)
  }
})

one(document, '#list').addEventListener('submit', async (e) => {
  e.preventDefault()
  const answer = /** @type {HTMLFormElement} */ (e.target)
  const agent = agentOf(answer)
  const box = /** @type {HTMLInputElement} */ (one(answer, 'input'))
  const send = /** @type {HTMLButtonElement} */ (one(answer, 'button'))
  if (!agent || send.disabled) return
  busy(send, true)
  try {
    await skein.input(agent.id, `${box.value}\n`)
    box.value = ''
    toast('done', `${AgentList.title(agent)} has your answer`, '', { say: (n) => `${n} agents have your answers` })
  } catch (err) {
    failed(`${AgentList.title(agent)} did not get the answer`, err)
  } finally {
    busy(send, false)
  }
})

// --- selection, stop, keys ---

const stopPicked = /** @type {HTMLButtonElement} */ (one(document, '#bulk [data-do="stop-selected"]'))
around.selects((picked, bar) => {
  const living = picked.filter((a) => alive(a)).length
  write(one(bar, '[data-f="stop-word"]'), living === picked.length ? 'Stop' : `Stop the ${living} alive`)
  stopPicked.disabled = living === 0
})
stopPicked.addEventListener('click', () => ask(list.picked))

/** @param {Agent[]} agents */
function ask(agents) {
  if (agents.length > 0) stop.ask(agents, { done: () => list.clear() })
}

listen({
  ...around.keys,
  a: around.onRow((row) => row.agent && need(row.agent) === 'question' && (row.answer ?? row.answeredThere)?.focus()),
  s: () => {
    const agents = list.meant
    ask(agents)
    return agents.length > 0
  },
  n: () => spawning.open(),
})
