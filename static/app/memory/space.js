/**
 * The page of one namespace. The server rendered it with the first keys, as they were at a cursor; the watch goes on
 * from there.
 */
import { at } from '../lib/base.js'
import { field, one, write } from '../lib/dom.js'
import { Fragments, renderAll } from '../lib/fragments.js'
import { listen } from '../lib/keys.js'
import { later, leaving, writeURL } from '../lib/later.js'
import { morph, parse, showParts } from '../lib/morph.js'
import { page } from '../lib/page.js'
import { tick } from '../lib/ticks.js'
import { failed } from '../lib/toast.js'
import { Table } from '../list/table.js'
import { EntryForm, conflictText } from './entryform.js'
import { MemorySearch } from './memorysearch.js'
import { compareKeys, entryURL } from './value.js'

/** @typedef {Pick<import('../../client/types.js').MemoryEntry, 'key' | 'deleted'>} Change */

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
 * @param {string} key
 * @param {string | undefined} html none: it is gone
 * @param {boolean} live it changed just now
 */
function put(key, html, live) {
  const [to] = html && covers(key) ? parse(html) : []
  const el = table.get(key)
  if (!to || Number(el?.dataset.revision) >= Number(to.dataset.revision)) return
  const at = place(key)
  if (!el) keys.splice(at, 0, key)
  table.put({ key, make: () => to, fill: (row) => row !== to && morph(row, to), fresh: live }, at)
}

/** @param {string[]} keys */
const render = async (keys) => (await skein.memory.render({ html: 'row', namespace: name, keys }, { signal: ends })).rows ?? {}

const fragments = new Fragments(async (keys, /** @type {'row'} */ _) => {
  try {
    return await render(keys)
  } catch (e) {
    if (!ends.aborted) failed('The entries are no longer live', e)
    throw e
  }
}, (_, came, html) => {
  for (const key of came) put(key, html[key], true)
  sizes()
}, covers)

/** @param {string} key */
function drop(key) {
  fragments.forget(key)
  if (!table.get(key)) return
  table.drop(key)
  keys = keys.filter((k) => k !== key)
}

// --- pages ---

let turn = 0
let loading = false
/** @type {Change[]} what changed while a page was on its way */
let meanwhile = []

/** @param {string} from a key: the page goes on behind it; '': it begins anew */
async function load(from) {
  const mine = ++turn
  loading = true
  try {
    for await (const got of skein.memory.list({ namespace: name, prefix, limit: PAGE, ...(from && { after: from }) }, { signal: ends })) {
      const html = await renderAll(got.entries.map((e) => e.key), render)
      if (mine !== turn) return
      if (!from) {
        table.clear()
        keys = []
        after = ''
      }
      next = got.next ?? ''
      for (const { key } of got.entries) put(key, html[key], false)
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

/** @param {Change} e */
function change(e) {
  if (loading) meanwhile.push(e)
  else if (e.deleted) {
    drop(e.key)
    sizes()
  } else if (covers(e.key)) fragments.want('row', e.key)
}

function sizes() {
  list.hidden = keys.length === 0
  more.hidden = next === ''
  write(one(document, '#more-text'), `${keys.length} of ${Math.max(total, keys.length)} are shown`)
  one(document, '#no-match').hidden = total === 0 || keys.length > 0
}

/** How much the namespace holds; it is asked for when something changed. */
const refresh = later(300, () => void measure().catch(() => {}))

let measured = 0
async function measure() {
  const mine = ++measured
  const { html = '' } = await skein.memory.render({ html: 'space', namespace: name }, { signal: ends })
  if (mine !== measured) return
  showParts(parse(html))
  total = Number(one(document, '#use').dataset.keys)
  one(document, '#search').hidden = total === 0 && prefix === ''
  one(document, '#no-entries').hidden = total > 0
  sizes()
}

async function follow() {
  const from = { after: Number(root.dataset.cursor), epoch: root.dataset.epoch }
  for await (const { entries, reset } of skein.memory.watch({ namespace: name, signal: ends, ...(from.after > 0 && from) })) {
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

setInterval(() => tick(document), 1000)

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
    form.control('key').value = form.control('value').value = '' // before somebody opens it again
    put(entry.key, (await renderAll([entry.key], render))[entry.key], true)
    sizes()
    refresh()
    const el = table.get(entry.key)
    if (el && !form.open) /** @type {HTMLElement} */ (field(el, 'key')).focus()
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
