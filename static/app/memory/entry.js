/** The page of one entry of memory: its value, its history, changing it, and what to do when two did so at once. */
import { RpcError } from '../../client/errors.js'
import { toPayload } from '../../client/payload.js'
import { clone, field, mark, one, write } from '../lib/dom.js'
import { ago, bytes, clean } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { later, leaving } from '../lib/later.js'
import { page } from '../lib/page.js'
import { failed, toast } from '../lib/toast.js'
import { flash } from '../list/arrange.js'
import { Conflict } from './conflict.js'
import { changes, showDiff } from './diff.js'
import { EntryForm } from './entryform.js'
import { showWriter } from './memorysearch.js'
import { MAX_HEX, expiresText, goneText, kindWord, shownValue, spaceURL, textOf, valueBytes, valueKind, versionWord, writerWord } from './value.js'

/** @import { MemoryEntry } from '../../client/types.js' */
/** @import { MemoryInit } from '../../client/memory.js' */

const skein = page()
const root = one(document, '#entry')
const names = { namespace: root.dataset.namespace ?? '', key: root.dataset.key ?? '' }
const ends = leaving()

/** @type {MemoryEntry | undefined} what is there, with its value; none: nothing is */
let current
/** @type {MemoryEntry | undefined} the deletion, if nothing is there */
let deletion
/** @type {MemoryEntry[]} newest first */
let versions = []
let newest = 0 // the revision that is shown
let known = false // whether current is true: it is read when the page is live

const nameOf = (/** @type {string | undefined} */ writer) => skein.fleet.agents.get(writer ?? '')?.name

// --- what is there ---

const panel = one(root, '#value')
const facts = one(root, '#facts')

function show() {
  const e = current
  const gone = !e
  mark(root, 'data-gone', gone)
  mark(root, 'data-revision', String(e?.revision ?? 0))
  one(root, '#gone').hidden = !gone
  one(root, '#acts').hidden = gone
  panel.hidden = gone
  if (gone) {
    one(root, '#delete').hidden = true
    write(field(root, 'gone-text'), goneText(deletion, nameOf(deletion?.writer)))
  } else value(e)
  const told = e ?? deletion
  facts.hidden = !told
  if (told) tell(told)
  tick()
}

/** @param {MemoryEntry} e */
function value(e) {
  const b = valueBytes(e)
  const kind = valueKind(b)
  const pre = field(panel, 'value')
  write(pre, shownValue(b))
  mark(pre, 'data-kind', kind)
  pre.hidden = kind === 'empty'
  write(field(panel, 'kind'), kindWord(kind))
  field(panel, 'copy').hidden = kind === 'binary' || kind === 'empty'
  field(panel, 'cut').hidden = kind !== 'binary' || b.length <= MAX_HEX
  field(panel, 'empty').hidden = kind !== 'empty'
}

/** @param {MemoryEntry} e */
function tell(e) {
  const f = (/** @type {string} */ name) => field(facts, name)
  write(f('size'), bytes(e.size))
  write(f('type'), clean(e.content_type ?? '') || '–')
  write(f('revision'), String(e.revision))
  showWriter(skein, f('writer'), e.writer)
  for (const [part, at] of /** @type {const} */ ([['updated', e.updated_at], ['created', e.created_at]])) {
    mark(f(part), 'datetime', at)
    mark(f(part), 'title', at)
  }
  mark(f('expires'), 'datetime', e.deleted ? '' : (e.expires_at ?? ''))
}

function tick() {
  const now = Date.now()
  for (const t of /** @type {NodeListOf<HTMLTimeElement>} */ (root.querySelectorAll('time[datetime]'))) {
    if (t.dataset.f === 'expires') write(t, expiresText(t.dateTime, now))
    else if (t.dateTime) write(t, ago(now - Date.parse(t.dateTime)))
  }
}
setInterval(tick, 1000)

/** Reads what is there, and its history. */
async function load() {
  const [entry, all] = await Promise.all([
    orNone(skein.memory.retrieve(names, { signal: ends })),
    orNone(skein.memory.history(names, { signal: ends })),
  ])
  versions = all ?? []
  known = true
  take(entry ?? (versions[0]?.deleted ? versions[0] : undefined))
  history()
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

/** @param {MemoryEntry | undefined} e what is there now, or its deletion */
function take(e) {
  if (e && e.revision < newest) return
  newest = e?.revision ?? 0
  current = e && !e.deleted ? e : undefined
  deletion = e?.deleted ? e : undefined
  show()
}

// --- history ---

const list = one(root, '#versions')

function history() {
  const open = new Set([...list.querySelectorAll('.version:has(details[open])')].map((el) => /** @type {HTMLElement} */ (el).dataset.revision))
  list.replaceChildren(...versions.map((e, i) => version(e, versions[i + 1], open.has(String(e.revision)))))
  one(root, '#no-history').hidden = versions.length > 0
  tick()
}

/**
 * @param {MemoryEntry} e
 * @param {MemoryEntry | undefined} before
 * @param {boolean} open
 */
function version(e, before, open) {
  const el = clone('version')
  const f = (/** @type {string} */ name) => field(el, name)
  mark(el, 'data-revision', String(e.revision))
  mark(el, 'data-deleted', Boolean(e.deleted))
  write(f('word'), versionWord(e))
  const now = !e.deleted && e.revision === current?.revision
  f('now').hidden = !now
  mark(f('when'), 'datetime', e.updated_at)
  mark(f('when'), 'title', e.updated_at)
  write(f('revision'), String(e.revision))
  showWriter(skein, f('writer'), e.writer)
  write(f('size'), bytes(e.size))
  f('size').hidden = Boolean(e.deleted)
  const details = /** @type {HTMLDetailsElement} */ (f('changes'))
  details.hidden = Boolean(e.deleted)
  const compare = () => showDiff(field(details, 'diff'), changes(before && !before.deleted ? valueBytes(before) : new Uint8Array(), valueBytes(e)))
  details.addEventListener('toggle', () => details.open && compare(), { once: true })
  if (open) details.open = true
  const form = f('restore')
  form.hidden = Boolean(e.deleted) || now
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void restore(e)
  })
  return el
}

/** @param {MemoryEntry} e */
async function restore(e) {
  try {
    await save({ ...names, value: e.value ?? toPayload(''), content_type: e.content_type, if_revision: current?.revision ?? 0 })
    toast('done', `Revision ${e.revision} is restored`, 'It is stored again, as a new revision.')
  } catch (err) {
    failed('It was not restored', err)
  }
}

// --- change ---

/** @type {Conflict} */
const conflict = new Conflict({
  again: (params) => save(params),
  theirs: () => {
    if (known) show()
    panel.scrollIntoView({ block: 'nearest' })
  },
})

/**
 * Stores; a conflict is shown.
 * @param {MemoryInit} params
 */
async function save(params) {
  try {
    const entry = await skein.memory.store(params)
    conflict.close()
    form.close()
    take({ ...entry, value: params.value === undefined ? undefined : toPayload(params.value) })
    fresh()
  } catch (e) {
    if (!(e instanceof RpcError) || e.kind !== 'conflict') throw e
    const there = await theirs(e)
    form.close() // which gives the focus back, before the conflict takes it
    conflict.show(there, params, nameOf)
  }
}

/**
 * What is there, with its value; none: it was deleted.
 * @param {RpcError} e
 * @returns {Promise<MemoryEntry | undefined>}
 */
async function theirs(e) {
  const entry = /** @type {MemoryEntry | undefined} */ (/** @type {any} */ (e.data).entry)
  if (entry && (entry.value || entry.size === 0)) return entry
  return orNone(skein.memory.retrieve(names))
}

const form = new EntryForm({ names, save, closed: () => one(document, '[data-do="edit"]').focus() })

function edit() {
  if (conflict.open) return
  one(root, '#delete').hidden = true
  form.edit(current, current ? (textOf(valueBytes(current)) ?? '') : '')
  if (current && valueKind(valueBytes(current)) === 'binary') form.meanwhile('The value is bytes and no text: what you save here takes their place.')
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
function ask() {
  if (!current) return
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
  e.preventDefault()
  if (!current) return
  try {
    await skein.memory.delete({ ...names, if_revision: current.revision })
    question.hidden = true
    fresh()
    one(root, '#gone a').focus()
  } catch (err) {
    if (err instanceof RpcError && err.kind === 'conflict') failed('It was not deleted', new Error('It was changed meanwhile: look at it, and delete it again if it is still to go.'))
    else failed('It was not deleted', err)
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

const fresh = later(100, () => void load().catch((e) => ends.aborted || failed('The entry could not be read', e)))

/** @param {MemoryEntry} e */
function changed(e) {
  if (e.revision <= newest) return
  const mine = e.revision
  take(e)
  flash(panel)
  const who = writerWord(e.writer, nameOf(e.writer))
  if (conflict.open) conflict.show(current, undefined, nameOf)
  else if (form.open && form.revision !== (current?.revision ?? 0)) {
    form.meanwhile(e.deleted ? `Meanwhile it was deleted by ${who}. Saving shows both versions first.` : `Meanwhile ${who} changed it (revision ${mine}). Saving shows both versions first.`)
  }
  fresh()
}

async function follow() {
  const after = Number(root.dataset.cursor)
  const from = after > 0 ? { after, epoch: root.dataset.epoch } : {}
  for await (const { entries, reset } of skein.memory.watch({ namespace: names.namespace, prefix: names.key, values: true, signal: ends, ...from })) {
    if (reset) {
      newest = 0
      await load()
    }
    for (const e of entries) if (e.key === names.key) changed(e)
  }
}
void skein.ready
  .then(load)
  .then(follow)
  .catch((e) => {
    if (!ends.aborted) failed('The entry is no longer live', e)
  })

listen({ e: () => one(root, '[data-do="edit"]').click(), d: () => one(root, '[data-do="delete"]').click(), u: () => location.assign(spaceURL(names.namespace)) })
