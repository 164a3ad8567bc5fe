/** The page of one entry of memory: its value, its history, changing it, and what to do when two did so at once. */
import { RpcError } from '../../client/errors.js'
import { toPayload } from '../../client/payload.js'
import { field, mark, one } from '../lib/dom.js'
import { listen } from '../lib/keys.js'
import { leaving } from '../lib/later.js'
import { parse, showParts } from '../lib/morph.js'
import { page } from '../lib/page.js'
import { tick } from '../lib/ticks.js'
import { failed, toast } from '../lib/toast.js'
import { flash } from '../list/arrange.js'
import { Conflict } from './conflict.js'
import { EntryForm } from './entryform.js'
import { entryURL, spaceURL, textOf, valueBytes } from './value.js'

/** @import { MemoryEntry } from '../../client/types.js' */
/** @import { MemoryInit } from '../../client/memory.js' */

const skein = page()
const root = one(document, '#entry')
const names = { namespace: root.dataset.namespace ?? '', key: root.dataset.key ?? '' }
const ends = leaving()

/** @type {MemoryEntry | undefined} what is there, with its value; none: nothing is */
let current
let newest = 0 // its revision, or that of its deletion
let known = false // whether current is true: it is read when the page is live

// --- what is there ---

const panel = one(root, '#value')
const versions = one(root, '#versions')

/** The parts of the page that change, as the server renders them. The page itself has those that fit no message. */
async function parts() {
  const { html } = await skein.memory.render({ html: 'page', ...names }, { signal: ends })
  if (html) return parse(html)
  const answer = await fetch(entryURL(names.namespace, names.key), { headers: { accept: 'text/html' }, signal: ends })
  const doc = new DOMParser().parseFromString(await answer.text(), 'text/html')
  const shown = ['facts', 'gone', 'value', 'versions', 'no-history'].flatMap((id) => doc.getElementById(id) ?? [])
  if (shown.length === 0) throw new Error(`The server answered with another page: ${doc.title || answer.status}.`)
  return shown
}

/** @type {Promise<void> | undefined} */
let renewing
let due = false
let changed = false // elsewhere, since the page was shown

/** Has the server render the page anew, one request at a time. */
function refresh() {
  due = true
  return (renewing ??= renew())
}

async function renew() {
  try {
    for (; due; show(await parts())) due = false
  } catch (e) {
    if (!ends.aborted) failed('The entry could not be read', e)
  } finally {
    renewing = undefined
  }
}

/** @param {Element[]} shown */
function show(shown) {
  const last = versions.contains(document.activeElement)
  showParts(shown)
  if (last && !versions.contains(document.activeElement)) versions.querySelector('summary')?.focus() // the version is no longer kept
  mark(root, 'data-gone', !current)
  mark(root, 'data-revision', String(current?.revision ?? 0))
  one(root, '#acts').hidden = !current
  if (!current) one(root, '#delete').hidden = true
  if (changed) flash(panel)
  changed = false
  meanwhile()
}

setInterval(() => tick(root), 1000)

/** Reads what is there. */
async function load() {
  const before = newest
  const e = await orNone(skein.memory.retrieve(names, { signal: ends }))
  if (newest === before) {
    current = e
    newest = e?.revision ?? 0
  }
  known = true
  await refresh()
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T | undefined>}
 */
async function orNone(promise) {
  try {
    return await promise
  } catch (e) {
    if (e instanceof RpcError && e.kind === 'not_found') return undefined
    throw e
  }
}

// --- history ---

versions.addEventListener('submit', (e) => {
  if (!known) return
  e.preventDefault()
  void restore(/** @type {HTMLFormElement} */ (e.target))
})

/** @param {HTMLFormElement} from */
async function restore(from) {
  const revision = Number(new FormData(from).get('version'))
  try {
    if (form.open || conflict.open) throw new Error('Save or close what you are editing first.')
    const [e] = await skein.memory.history({ ...names, before: revision + 1 })
    if (e?.revision !== revision) throw new Error(`Revision ${revision} is no longer kept.`)
    const stored = await save({ ...names, value: e.value ?? toPayload(''), content_type: e.content_type, if_revision: current?.revision ?? 0 }, from)
    if (stored) toast('done', `Revision ${revision} is restored`, 'It is stored again, as a new revision.')
  } catch (err) {
    failed('It was not restored', err)
  }
}

// --- change ---

const conflict = new Conflict(skein, { again: save, theirs: () => panel.scrollIntoView({ block: 'nearest' }) })

/**
 * Stores; a conflict is shown. One that fits no message the server shows as a page, as without script.
 * @param {MemoryInit} params
 * @param {HTMLFormElement} from that asks for the same
 * @returns {Promise<boolean>} whether it is stored
 */
async function save(params, from) {
  try {
    const entry = await skein.memory.store(params)
    conflict.close()
    form.close()
    if (entry.revision > newest) {
      newest = entry.revision
      current = { ...entry, value: params.value === undefined ? undefined : toPayload(params.value) }
    }
    void refresh()
    return true
  } catch (e) {
    if (!(e instanceof RpcError) || e.kind !== 'conflict') throw e
  }
  const html = await conflict.render(params)
  if (!html) {
    from.submit()
    return false
  }
  form.close() // which gives the focus back, before the conflict takes it
  conflict.show(html, params)
  return false
}

const form = new EntryForm({ names, save, closed: () => one(document, '[data-do="edit"]').focus() })

function edit() {
  if (conflict.open) return
  one(root, '#delete').hidden = true
  if (form.open) return form.control('value').focus() // with what was typed
  form.edit(current, current ? (textOf(valueBytes(current)) ?? '') : '')
  if (current && textOf(valueBytes(current)) === undefined) form.meanwhile('The value is bytes and no text: what you save here takes their place.')
}
/**
 * Has a link act in the page. Until it is known what is there, the link leads to the server's own form, as without script.
 * @param {HTMLElement} link
 * @param {() => void} act
 */
function actsHere(link, act) {
  link.addEventListener('click', (e) => {
    if (!known) return
    e.preventDefault()
    act()
  })
}
for (const b of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-do="edit"]'))) actsHere(b, edit)

const question = one(root, '#delete')
const asked = /** @type {HTMLInputElement} */ (one(question, '[name="revision"]'))
function ask() {
  if (!current) return
  asked.value = String(current.revision)
  question.hidden = false
  question.scrollIntoView({ block: 'nearest' })
  one(question, 'button').focus()
}
actsHere(one(root, '[data-do="delete"]'), ask)
const keep = () => {
  question.hidden = true
  one(root, '[data-do="delete"]').focus()
}
one(question, '[data-do="keep"]').addEventListener('click', (e) => {
  e.preventDefault()
  keep()
})
question.addEventListener('keydown', (e) => {
  if (e.key === 'Escape') keep()
})
one(question, 'form').addEventListener('submit', async (e) => {
  if (!known) return
  e.preventDefault()
  if (!current) return
  try {
    await skein.memory.delete({ ...names, if_revision: Number(asked.value) })
    question.hidden = true
    await load()
    one(root, '#gone a').focus()
  } catch (err) {
    if (err instanceof RpcError && err.kind === 'conflict') {
      keep()
      failed('It was not deleted', new Error('It was changed meanwhile: look at it, and delete it again if it is still to go.'))
    } else failed('It was not deleted', err)
  }
})

one(panel, '[data-do="copy"]').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(current ? (textOf(valueBytes(current)) ?? '') : field(panel, 'value').textContent)
    toast('done', 'The value is in the clipboard')
  } catch (e) {
    failed('The value was not copied', e)
  }
})

// --- live ---

/** @param {MemoryEntry} e */
function change(e) {
  if (e.revision <= newest) return
  newest = e.revision
  current = e.deleted ? undefined : e
  changed = true
  void refresh()
}

/** Says what happened while a form was open, or a conflict. */
function meanwhile() {
  const revision = current?.revision ?? 0
  if (conflict.open) {
    if (conflict.revision !== revision) conflict.again().catch((e) => failed('The conflict is not up to date', e))
  } else if (form.open && form.revision !== revision) {
    const who = field(root, 'writer').textContent
    form.meanwhile(current ? `Meanwhile ${who} changed it (revision ${revision}). Saving shows both versions first.` : `Meanwhile it was deleted by ${who}. Saving shows both versions first.`)
  }
}

async function follow() {
  const after = Number(root.dataset.cursor)
  const from = after > 0 ? { after, epoch: root.dataset.epoch } : {}
  for await (const { entries, reset } of skein.memory.watch({ namespace: names.namespace, prefix: names.key, values: true, signal: ends, ...from })) {
    if (reset) {
      newest = 0
      await load()
    }
    for (const e of entries) if (e.key === names.key) change(e)
  }
}
void skein.ready
  .then(load)
  .then(follow)
  .catch((e) => {
    if (!ends.aborted) failed('The entry is no longer live', e)
  })

listen({ e: () => one(root, '[data-do="edit"]').click(), d: () => one(root, '[data-do="delete"]').click(), u: () => location.assign(spaceURL(names.namespace)) })
