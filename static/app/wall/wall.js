/**
 * The wall: what many agents show, live. The server rendered the cells; this script keeps them up to date, and draws the pictures.
 */
import { at } from '../lib/base.js'
import { busy, mark, one } from '../lib/dom.js'
import { count, need, needYou } from '../lib/format.js'
import { Fragments } from '../lib/fragments.js'
import { listen } from '../lib/keys.js'
import { page } from '../lib/page.js'
import { StopDialog } from '../lib/stop.js'
import { failed, toast } from '../lib/toast.js'
import { Cell } from './cell.js'
import { MAX_CELLS, SIZES, arrange, choose, pace, parseFilter, search } from './choice.js'
import { Frames } from './draw.js'
import { beside } from './grid.js'
import { Surroundings } from './surroundings.js'

/** @import { FleetChangeEvent } from '../../client/index.js' */
/** @import { Size } from './choice.js' */

const skein = page()
const wall = one(document, '#wall')
const frames = new Frames()
const stop = new StopDialog(skein)
const filter = parseFilter(new URLSearchParams(location.search))
/** @type {Map<string, Cell>} */
const cells = new Map()
/** @type {Set<Cell>} */
const inSight = new Set()
const sight = new IntersectionObserver(seen, { rootMargin: '120px 0px' })
const fragments = new Fragments((ids, /** @type {'cell'} */ kind) => skein.render(ids, kind), (_, ids, html) => void frames.next(() => rendered(ids, html)), (id) => cells.has(id))
const around = new Surroundings(filter, { filtered: () => look(true), sized })

for (const el of /** @type {NodeListOf<HTMLElement>} */ (wall.querySelectorAll('.cell'))) add(el.dataset.id ?? '', el)

// --- the fleet ---

let whole = false // whether a snapshot has come, so that agents that are missing are gone
let fresh = false // the filter is another one: only what it lets through is to be shown
let due = false
skein.fleet.addEventListener('snapshot', () => {
  whole = true
  look()
})
skein.fleet.addEventListener('change', (e) => {
  const { agents } = /** @type {FleetChangeEvent} */ (e)
  for (const id of agents) put(cells.get(id))
  look()
})

/** Looks, in the next frame, which agents are to be shown. @param {boolean} [anew] */
function look(anew = false) {
  fresh ||= anew
  if (due || !whole) return
  due = true
  void frames.next(() => {
    due = false
    show()
  })
}

function show() {
  const { agents } = skein.fleet
  const choice = choose(agents.values(), filter)
  const before = fresh ? [] : [...cells.keys()]
  const now = arrange(before, choice.shown.map((a) => a.id), (id) => agents.has(id))
  fresh = false
  const keep = new Set(now)
  for (const cell of cells.values()) if (!keep.has(cell.id)) remove(cell)
  place(now)
  const shown = now.flatMap((id) => agents.get(id) ?? [])
  const asking = shown.filter((a) => need(a) === 'question').length
  around.show(choice, agents.size, {
    summary: shown.length === 0 ? '' : count(shown.length, 'agent', 'agents') + (asking > 0 ? `, ${needYou(asking)}` : ''),
    cut: choice.shown.length > MAX_CELLS ? `The first ${MAX_CELLS} of ${choice.shown.length}: filter for fewer.` : '',
    none: now.length === 0,
  })
}

/** Makes cells for those that have none, and puts all in order. @param {string[]} ids */
function place(ids) {
  /** @type {Element | null} */
  let here = wall.firstElementChild
  for (const id of ids) {
    const cell = cells.get(id) ?? add(id)
    put(cell)
    if (cell.element === here) here = here.nextElementSibling
    else wall.insertBefore(cell.element, here)
  }
  const had = [...cells.keys()]
  if (ids.every((id, i) => id === had[i])) return
  const all = new Map(cells)
  cells.clear()
  for (const id of ids) cells.set(id, /** @type {Cell} */ (all.get(id)))
}

/** @param {string} id @param {HTMLElement} [element] */
function add(id, element) {
  const cell = new Cell(id, element, (agent, options) => skein.glance(agent, options), frames)
  cells.set(id, cell)
  sight.observe(cell.element)
  return cell
}

/** @param {Cell} cell */
function remove(cell) {
  sight.unobserve(cell.element)
  cell.close()
  inSight.delete(cell)
  cells.delete(cell.id)
  cell.element.remove()
}

/** Gives a cell the newest record of its agent. @param {Cell | undefined} cell */
function put(cell) {
  const agent = cell && skein.fleet.agents.get(cell.id)
  if (agent && cell.put(agent)) fragments.want('cell', cell.id)
}

/** @param {string[]} ids @param {Record<string, string>} html */
function rendered(ids, html) {
  for (const id of ids) {
    cells.get(id)?.show(html[id])
    put(cells.get(id))
  }
}

// --- pictures ---

/** @param {IntersectionObserverEntry[]} entries */
function seen(entries) {
  for (const { target, isIntersecting } of entries) {
    const cell = cells.get(/** @type {HTMLElement} */ (target).dataset.id ?? '')
    if (!cell) continue
    if (isIntersecting) inSight.add(cell)
    else inSight.delete(cell)
    if (isIntersecting) cell.open(looks())
    else cell.close()
  }
}

const looks = () => ({ ...SIZES[filter.size], wait: () => pace(inSight.size) })

/** Another size has other rows. */
function sized() {
  mark(wall, 'data-size', filter.size)
  for (const cell of inSight) {
    cell.close()
    cell.open(looks())
  }
}

// --- acts ---

/** @param {EventTarget | null} target */
const cellOf = (target) => cells.get(/** @type {HTMLElement | null} */ (/** @type {Element | null} */ (target)?.closest('.cell'))?.dataset.id ?? '')

wall.addEventListener('submit', async (e) => {
  e.preventDefault()
  const form = /** @type {HTMLFormElement} */ (e.target)
  const agent = cellOf(form)?.agent
  const box = /** @type {HTMLInputElement} */ (one(form, 'input'))
  const send = /** @type {HTMLButtonElement} */ (one(form, 'button'))
  if (!agent || send.disabled) return
  busy(send, true)
  try {
    await skein.input(agent.id, `${box.value}${agent.tty ? '\r' : '\n'}`)
    box.value = ''
    toast('done', `${agent.name} has your answer`, '', { say: (n) => `${n} agents have your answers` })
  } catch (err) {
    failed(`${agent.name} did not get the answer`, err)
  } finally {
    busy(send, false)
  }
})

/** @param {Parameters<typeof beside>[2]} to */
const move = (to) => () => {
  const on = document.activeElement
  const cell = cellOf(on)
  if (!cell && on && on !== document.body && on.id !== 'main') return false
  const all = [...cells.values()]
  const next = all[cell ? beside(all.map((c) => c.element), all.indexOf(cell), to) : 0]
  next?.name.focus()
  next?.element.scrollIntoView({ block: 'nearest' })
  return next !== undefined
}

/** @param {(cell: Cell) => void | boolean} act */
const onCell = (act) => () => {
  const cell = cellOf(document.activeElement)
  return cell !== undefined && act(cell) !== false
}

/** @param {1 | -1} by */
function resize(by) {
  const all = /** @type {Size[]} */ (Object.keys(SIZES))
  const to = all[all.indexOf(filter.size) + by]
  if (to) around.resize(to)
}

listen({
  ArrowLeft: move('left'), ArrowRight: move('right'), ArrowUp: move('up'), ArrowDown: move('down'), Home: move('first'), End: move('last'),
  h: move('left'), l: move('right'), k: move('up'), j: move('down'),
  '/': () => around.search(),
  a: onCell((cell) => (cell.answer ? cell.answer.focus() : false)),
  s: onCell((cell) => cell.agent && stop.ask([cell.agent])),
  '-': () => resize(-1), '+': () => resize(1), '=': () => resize(1),
  u: () => location.assign(at(`/${search({ ...filter, agents: [], size: 'medium' })}`)),
})
