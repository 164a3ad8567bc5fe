/** The page of all namespaces. Memory has no watch over namespaces: the page looks every two seconds while it is seen. */
import { one, write } from '../lib/dom.js'
import { bytes, count } from '../lib/format.js'
import { renderAll } from '../lib/fragments.js'
import { listen } from '../lib/keys.js'
import { later, leaving } from '../lib/later.js'
import { morph, parse } from '../lib/morph.js'
import { page } from '../lib/page.js'
import { tick } from '../lib/ticks.js'
import { poll } from '../list/poll.js'
import { Table } from '../list/table.js'
import { EntryForm, conflictText } from './entryform.js'
import { MemorySearch } from './memorysearch.js'
import { entryURL } from './value.js'

/** @import { MemoryNamespace } from '../../client/types.js' */

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

/** @param {MemoryNamespace} ns whether it is not shown as it is */
const changed = (ns) => table.get(ns.name)?.dataset.revision !== String(ns.revision)

/**
 * @param {MemoryNamespace[]} all
 * @param {Record<string, string>} html of those that changed, by name
 */
function show(all, html) {
  table.show(all.flatMap((ns) => {
    const [to] = parse(html[ns.name] ?? '')
    const fill = (/** @type {HTMLElement} */ el) => to && to !== el && morph(el, to)
    return to || table.get(ns.name) ? { key: ns.name, make: () => /** @type {HTMLElement} */ (to), fill, fresh: Boolean(to) } : []
  }))
  list.hidden = all.length === 0
  one(document, '#no-memory').hidden = all.length > 0
  one(document, '#search').hidden = all.length === 0
  const keys = all.reduce((n, ns) => n + ns.keys, 0)
  const size = all.reduce((n, ns) => n + ns.bytes, 0)
  write(one(document, '#summary'), all.length === 0 ? '' : `${count(all.length, 'namespace', 'namespaces')}, ${count(keys, 'key', 'keys')}, ${bytes(size)}`)
}

let turn = 0
async function look() {
  const mine = ++turn
  const all = await skein.memory.namespaces({ signal: ends })
  const html = await renderAll(all.filter(changed).map((ns) => ns.name), async (keys) => (await skein.memory.render({ html: 'namespace', keys }, { signal: ends })).rows ?? {})
  if (mine === turn) show(all, html)
}

void skein.ready.then(() => poll(skein, { look, ends, every: () => LOOK_MS, title: 'The namespaces are not up to date' }), () => {})
const again = later(50, () => document.visibilityState === 'visible' && skein.state === 'open' && void look().catch(() => {}))
document.addEventListener('visibilitychange', again)

setInterval(() => tick(document), 1000)

listen({ ...table.steps, n: add, '/': () => search.focus() })
