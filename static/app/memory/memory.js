/** The page of all namespaces. Memory has no watch over namespaces: the page looks every two seconds while it is seen. */
import { clone, field, mark, one, write } from '../lib/dom.js'
import { ago, bytes, count } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { flash, leaving, later, steps } from '../lib/later.js'
import { page } from '../lib/page.js'
import { failed } from '../lib/toast.js'
import { EntryForm } from './entryform.js'
import { MemorySearch } from './memorysearch.js'
import { conflictText, showUsage } from './usage.js'
import { entryURL, spaceURL } from './value.js'

/** @import { MemoryNamespace } from '../../client/types.js' */

const LOOK_MS = 2000

const skein = page()
const list = one(document, '#namespaces')
const rows = one(document, '#namespace-rows')
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

/** @type {Map<string, HTMLElement>} */
const shown = new Map()
for (const el of /** @type {Iterable<HTMLElement>} */ (rows.children)) shown.set(el.dataset.name ?? '', el)

/** @param {MemoryNamespace[]} all */
function show(all) {
  const names = new Set(all.map((ns) => ns.name))
  for (const [name, el] of shown) {
    if (names.has(name)) continue
    el.remove()
    shown.delete(name)
  }
  all.forEach((ns, i) => {
    let el = shown.get(ns.name)
    const old = el
    if (!el) {
      el = clone('namespace-row')
      mark(el, 'data-name', ns.name)
      write(field(el, 'name'), ns.name)
      mark(field(el, 'name'), 'href', spaceURL(ns.name))
      shown.set(ns.name, el)
    }
    if (rows.children[i] !== el) rows.insertBefore(el, rows.children[i] ?? null)
    fill(el, ns, Boolean(old))
  })
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
 * @param {boolean} known
 */
function fill(el, ns, known) {
  const time = field(el, 'updated')
  const changed = time.title !== `Revision ${ns.revision}`
  showUsage(el, ns, { keys: String(ns.keys) })
  mark(time, 'title', `Revision ${ns.revision}`)
  mark(time, 'datetime', ns.updated_at)
  write(time, ago(Date.now() - Date.parse(ns.updated_at)))
  if (!known || (changed && time.dataset.live === '')) flash(el)
  time.dataset.live = ''
}

async function look() {
  if (document.visibilityState !== 'visible' || skein.state !== 'open') return
  show(await skein.memory.namespaces({ signal: ends }))
}

let told = false
async function follow() {
  for (;;) {
    try {
      await look()
      told = false
    } catch (e) {
      if (ends.aborted || skein.state === 'closed') return
      if (!told) failed('The namespaces are not up to date', e)
      told = true
    }
    await new Promise((wake) => setTimeout(wake, LOOK_MS))
  }
}
void skein.ready.then(follow, () => {})
const again = later(50, () => void look().catch(() => {}))
document.addEventListener('visibilitychange', again)

setInterval(() => {
  for (const t of /** @type {NodeListOf<HTMLTimeElement>} */ (document.querySelectorAll('time[data-f="updated"]'))) write(t, ago(Date.now() - Date.parse(t.dateTime)))
}, 1000)

listen({ ...steps(list), n: add, '/': () => search.focus() })
