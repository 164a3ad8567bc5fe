/**
 * The page of one namespace. The server rendered it with the first keys, as they were at a cursor; the watch goes on
 * from there.
 */
import { at } from '../lib/base.js'
import { clone, field, mark, one, write } from '../lib/dom.js'
import { ago, bytes, clean, count } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { later, leaving, writeURL } from '../lib/later.js'
import { page } from '../lib/page.js'
import { failed } from '../lib/toast.js'
import { Table } from '../list/table.js'
import { EntryForm } from './entryform.js'
import { MemorySearch, showWriter } from './memorysearch.js'
import { conflictText, showUsage } from './usage.js'
import { compareKeys, entryURL, expiresText, preview, valueBytes, valueKind } from './value.js'

/** @import { MemoryEntry } from '../../client/types.js' */

/** How many keys are shown at first, and more at a time. */
const PAGE = 200

const skein = page()
const root = one(document, '#space')
const name = root.dataset.name ?? ''
const list = one(document, '#entries')
const rows = one(document, '#entry-rows')
const box = /** @type {HTMLInputElement} */ (one(document, '#prefix'))
const more = one(document, '#more')
const ends = leaving()
const search = new MemorySearch(skein, name)

// --- which keys the page has ---

let prefix = box.value
let after = root.dataset.after ?? '' // the page begins behind this key
let next = root.dataset.next ?? '' // and has all up to this one; '': all there are
let total = 0
const table = new Table(list, rows, 'key')
/** @type {string[]} in their order */
let keys = [...table.keys]

/** @param {string} key whether it belongs among those shown */
const covers = (key) =>
  key.startsWith(prefix) && (after === '' || compareKeys(key, after) > 0) && (next === '' || compareKeys(key, next) <= 0)

/** @param {string} key where it stands, or would */
function place(key) {
  let from = 0
  for (let to = keys.length; from < to; ) {
    const middle = (from + to) >> 1
    if (compareKeys(keys[middle] ?? '', key) < 0) from = middle + 1
    else to = middle
  }
  return from
}

/**
 * @param {MemoryEntry} e
 * @param {boolean} live it changed just now
 */
function put(e, live) {
  const el = table.get(e.key)
  if (el && Number(el.dataset.revision) >= e.revision) return
  const at = place(e.key)
  if (!el) keys.splice(at, 0, e.key)
  table.put({ key: e.key, make: () => made(e), fill: (row) => fill(row, e), fresh: live }, at)
}

/** @param {MemoryEntry} e */
function made({ namespace, key }) {
  const el = clone('entry-row')
  mark(el, 'data-key', key)
  write(field(el, 'key'), key)
  mark(field(el, 'key'), 'href', entryURL(namespace, key))
  return el
}

/**
 * @param {HTMLElement} el
 * @param {MemoryEntry} e
 */
function fill(el, e) {
  const f = (/** @type {string} */ name) => field(el, name)
  const value = valueBytes(e)
  const now = Date.now()
  mark(el, 'data-revision', String(e.revision))
  write(f('value'), preview(value))
  mark(f('value'), 'data-kind', valueKind(value))
  write(f('size'), bytes(e.size))
  write(f('type'), clean(e.content_type ?? ''))
  write(f('revision'), String(e.revision))
  showWriter(skein, f('writer'), e.writer)
  for (const [part, at] of /** @type {const} */ ([['updated', e.updated_at], ['expires', e.expires_at ?? '']])) mark(f(part), 'datetime', at)
  mark(f('updated'), 'title', e.updated_at)
  mark(f('expires'), 'data-none', !e.expires_at)
  write(f('updated'), ago(now - Date.parse(e.updated_at)))
  write(f('expires'), expiresText(e.expires_at, now))
}

/** @param {string} key */
function drop(key) {
  if (!table.get(key)) return
  table.drop(key)
  keys = keys.filter((k) => k !== key)
}

// --- pages ---

let turn = 0
let loading = false
/** @type {MemoryEntry[]} what changed while a page was on its way */
let meanwhile = []

/** @param {string} from a key: the page goes on behind it; '': it begins anew */
async function load(from) {
  const mine = ++turn
  loading = true
  try {
    for await (const got of skein.memory.list({ namespace: name, prefix, limit: PAGE, values: true, ...(from && { after: from }) }, { signal: ends })) {
      if (mine !== turn) return
      if (!from) {
        table.clear()
        keys = []
        after = ''
      }
      next = got.next ?? ''
      for (const e of got.entries) put(e, false)
      break
    }
  } catch (e) {
    if (!ends.aborted && mine === turn) failed('The keys could not be read', e)
  } finally {
    if (mine === turn) {
      loading = false
      const waiting = meanwhile
      meanwhile = []
      for (const e of waiting) change(e)
      refresh()
    }
  }
}

one(document, '#load-more').addEventListener('click', (e) => {
  e.preventDefault()
  void load(next)
})

const filter = later(120, () => {
  if (box.value === prefix) return
  prefix = box.value
  writeURL({ prefix, after: '' })
  void load('')
})
table.filteredBy(box, filter)
one(document, '#no-match [data-do="clear"]').addEventListener('click', (e) => {
  e.preventDefault()
  box.value = ''
  filter()
  box.focus()
})

// --- live ---

/** @param {MemoryEntry} e */
function change(e) {
  if (loading) {
    meanwhile.push(e)
    return
  }
  if (e.deleted) drop(e.key)
  else if (covers(e.key)) put(e, true)
  else return
  sizes()
}

function sizes() {
  list.hidden = keys.length === 0
  more.hidden = next === ''
  write(one(document, '#more-text'), `${keys.length} of ${Math.max(total, keys.length)} are shown`)
  one(document, '#no-match').hidden = total === 0 || keys.length > 0
}

/** How much the namespace holds; it is asked for when something changed. */
const refresh = later(300, () => void measure().catch(() => {}))

async function measure() {
  const all = await skein.memory.namespaces({ signal: ends })
  const ns = all.find((n) => n.name === name)
  total = ns?.keys ?? 0
  write(one(document, '#summary'), `${count(total, 'key', 'keys')}, ${bytes(ns?.bytes ?? 0)}`)
  one(document, '#use').hidden = !ns
  one(document, '#search').hidden = !ns && prefix === ''
  one(document, '#no-entries').hidden = Boolean(ns)
  if (ns) showUsage(one(document, '#use'), ns, { keys: count(ns.keys, 'key', 'keys') })
  sizes()
}

async function follow() {
  const from = { after: Number(root.dataset.cursor), epoch: root.dataset.epoch }
  for await (const { entries, reset } of skein.memory.watch({ namespace: name, values: true, signal: ends, ...(from.after > 0 && from) })) {
    if (reset && from.after > 0) await load('') // what was shown is void: what follows is everything there is
    for (const e of entries) change(e)
    if (entries.length > 0) {
      refresh()
      search.again()
    }
  }
}
void skein.ready.then(() => {
  refresh()
  follow().catch((e) => {
    if (!ends.aborted) failed('The entries are no longer live', e)
  })
}, () => {})

setInterval(() => {
  const now = Date.now()
  for (const t of /** @type {NodeListOf<HTMLTimeElement>} */ (document.querySelectorAll('time[data-f="updated"]'))) write(t, ago(now - Date.parse(t.dateTime)))
  for (const t of /** @type {NodeListOf<HTMLTimeElement>} */ (rows.querySelectorAll('time[data-f="expires"]'))) if (t.dateTime) write(t, expiresText(t.dateTime, now))
}, 1000)

// --- new ---

const form = new EntryForm({
  save: async (params) => {
    let entry
    try {
      entry = await skein.memory.store(params)
    } catch (e) {
      throw conflictText(e)
    }
    if (entry.namespace !== name) return location.assign(entryURL(entry.namespace, entry.key))
    form.close()
    change({ ...entry, value: (await skein.memory.retrieve({ namespace: name, key: entry.key })).value })
    refresh()
    const el = table.get(entry.key)
    if (el) /** @type {HTMLElement} */ (field(el, 'key')).focus()
    form.control('key').value = form.control('value').value = ''
  },
  closed: () => one(document, '#new-open').focus(),
})

const add = () => {
  form.show()
  form.control('key').focus()
}
for (const b of document.querySelectorAll('#new-open, [data-do="new"]')) {
  b.addEventListener('click', (e) => {
    e.preventDefault()
    add()
  })
}

listen({ ...table.steps, n: add, '/': () => box.select(), w: () => search.focus(), u: () => location.assign(at('/memory')) })
