/** The page of all namespaces. Memory has no watch over namespaces: the page looks every two seconds while it is seen. */
import { clone, field, mark, one, write } from '../lib/dom.js'
import { ago, bytes, count } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { later, leaving } from '../lib/later.js'
import { page } from '../lib/page.js'
import { poll } from '../list/poll.js'
import { Table } from '../list/table.js'
import { EntryForm } from './entryform.js'
import { MemorySearch } from './memorysearch.js'
import { conflictText, showUsage } from './usage.js'
import { entryURL, spaceURL } from './value.js'

/** @import { MemoryNamespace } from '../../client/types.js' */
/** @import { Item } from '../list/table.js' */

const LOOK_MS = 2000

const skein = page()
const list = one(document, '#namespaces')
const search = new MemorySearch(skein)
const ends = leaving()

const form = new EntryForm({
  save: async (params) => {
    try {
      await skein.memory.store(params)
    } catch (e) {
      throw conflictText(e)
    }
    location.assign(entryURL(params.namespace, params.key))
  },
})

const add = () => {
  form.show()
  const space = form.control('namespace')
  ;(space.value ? form.control('key') : space).focus()
}
one(document, '#new-open').addEventListener('click', (e) => {
  e.preventDefault()
  add()
})

const table = new Table(list, one(document, '#namespace-rows'), 'name')

/** @param {MemoryNamespace} ns @returns {Item} */
function item(ns) {
  const old = table.get(ns.name)
  const time = old && field(old, 'updated')
  const changed = time?.dataset.live === '' && time.title !== `Revision ${ns.revision}`
  return { key: ns.name, make: () => made(ns), fill: (el) => fill(el, ns), fresh: !old || changed }
}

/** @param {MemoryNamespace} ns */
function made({ name }) {
  const el = clone('namespace-row')
  mark(el, 'data-name', name)
  write(field(el, 'name'), name)
  mark(field(el, 'name'), 'href', spaceURL(name))
  return el
}

/** @param {MemoryNamespace[]} all */
function show(all) {
  table.show(all.map(item))
  list.hidden = all.length === 0
  one(document, '#no-memory').hidden = all.length > 0
  one(document, '#search').hidden = all.length === 0
  const keys = all.reduce((n, ns) => n + ns.keys, 0)
  const size = all.reduce((n, ns) => n + ns.bytes, 0)
  write(one(document, '#summary'), all.length === 0 ? '' : `${count(all.length, 'namespace', 'namespaces')}, ${count(keys, 'key', 'keys')}, ${bytes(size)}`)
}

/**
 * @param {HTMLElement} el
 * @param {MemoryNamespace} ns
 */
function fill(el, ns) {
  const time = field(el, 'updated')
  showUsage(el, ns, { keys: String(ns.keys) })
  mark(time, 'title', `Revision ${ns.revision}`)
  mark(time, 'datetime', ns.updated_at)
  write(time, ago(Date.now() - Date.parse(ns.updated_at)))
  time.dataset.live = ''
}

async function look() {
  show(await skein.memory.namespaces({ signal: ends }))
}

void skein.ready.then(() => poll(skein, { look, ends, every: () => LOOK_MS, title: 'The namespaces are not up to date' }), () => {})
const again = later(50, () => document.visibilityState === 'visible' && skein.state === 'open' && void look().catch(() => {}))
document.addEventListener('visibilitychange', again)

setInterval(() => {
  for (const t of /** @type {NodeListOf<HTMLTimeElement>} */ (document.querySelectorAll('time[data-f="updated"]'))) write(t, ago(Date.now() - Date.parse(t.dateTime)))
}, 1000)

listen({ ...table.steps, n: add, '/': () => search.focus() })
