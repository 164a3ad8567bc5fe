/** The page of all artifacts. Artifacts can't be watched, so the page polls every two seconds while it is visible. */
import { dialog, open } from '../lib/dialog.js'
import { field, one, write } from '../lib/dom.js'
import { bytes, clean, count } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { later, leaving, writeURL } from '../lib/later.js'
import { morph, parse } from '../lib/morph.js'
import { page } from '../lib/page.js'
import { tick } from '../lib/ticks.js'
import { failed, toast } from '../lib/toast.js'
import { poll } from '../list/poll.js'
import { Table } from '../list/table.js'
import { inList, rendered } from './artifact.js'
import { Uploads } from './uploads.js'

/** @import { Artifact, ArtifactListResult } from '../../client/types.js' */

const LOOK_MS = 2000
const BUSY_MS = 700
const MAX_ARTIFACTS = 200

const skein = page()
const root = one(document, '#artifacts')
const list = one(document, '#list')
const box = /** @type {HTMLInputElement} */ (one(document, '#q'))
const ends = leaving()
const links = { ...(root.dataset.task && { task: root.dataset.task }), ...(root.dataset.agent && { agent: root.dataset.agent }) }

// --- the list ---

const table = new Table(list, one(document, '#artifact-rows'), 'id')
/** @type {Map<string, Artifact>} the artifacts that the rows show */
let shown = new Map()

/**
 * @param {ArtifactListResult} got
 * @param {Record<string, string>} html the HTML of those that changed, by id
 */
function show({ artifacts, total, bytes: all }, html) {
  table.show(artifacts.flatMap((a) => {
    const [to] = parse(html[a.id] ?? '')
    return to || table.get(a.id) ? {
      key: a.id, make: () => /** @type {HTMLElement} */ (to), fresh: table.get(a.id) ? (shown.get(a.id)?.state ?? a.state) !== a.state : true,
      fill: (el) => {
        if (to && to !== el) morph(el, to)
        inList(el, { q: box.value.trim(), ...links })
        field(el, 'resume').hidden = el.dataset.state !== 'paused' || uploads.fills(a.id)
      },
    } : []
  }))
  tick(list)
  shown = new Map(artifacts.map((a) => [a.id, a]))
  const filtered = box.value.trim() !== '' || Object.keys(links).length > 0
  const none = total === 0 && !filtered
  list.hidden = artifacts.length === 0
  one(document, '#no-artifacts').hidden = !none
  one(document, '#no-match').hidden = total > 0 || none
  one(document, '#search').hidden = none
  one(document, '#more').hidden = total <= artifacts.length
  write(one(document, '#more-text'), `${artifacts.length} of ${total} are shown. Filter to see others.`)
  const n = count(total, 'artifact', 'artifacts')
  write(one(document, '#summary'), none ? '' : filtered ? `${n} with this filter; all artifacts take ${bytes(all)}` : `${n}, ${bytes(all)}`)
}

let turn = 0
async function look() {
  const mine = ++turn
  const got = await skein.artifacts.list({ ...links, query: box.value.trim(), limit: MAX_ARTIFACTS }, { signal: ends })
  if (mine !== turn) return
  const html = await rendered(skein, 'row', got.artifacts, (id) => table.get(id), ends)
  if (mine === turn) show(got, html)
}
const soon = later(30, () => void look().catch(() => {}))

document.addEventListener('visibilitychange', soon)

const filter = later(150, () => {
  writeURL({ q: box.value.trim() })
  soon()
})
table.filteredBy(box, filter)

/** @param {Element | null} el @returns {Artifact | undefined} */
const artifactAt = (el) => shown.get(table.keyAt(el) ?? '')

list.addEventListener('click', (e) => {
  const button = /** @type {Element} */ (e.target).closest('[data-do]')
  const a = button && artifactAt(button)
  if (!button || !a) return
  const what = button.getAttribute('data-do')
  e.preventDefault()
  if (what === 'delete') ask(a)
  else if (what === 'copy') void copy(a)
  else if (what === 'resume') resume(a)
})

/** @param {Artifact} a */
async function copy(a) {
  try {
    await navigator.clipboard.writeText(a.sha256 ?? '')
    toast('done', 'The SHA-256 is in the clipboard')
  } catch (e) {
    failed('The SHA-256 was not copied', e)
  }
}

// --- delete ---

const question = dialog('delete')
/** @type {Artifact | undefined} */
let doomed

/** @param {Artifact} a */
function ask(a) {
  doomed = a
  write(field(question, 'title'), `Delete ${clean(a.name)}?`)
  write(field(question, 'lead'), a.state === 'complete' ? `Its ${bytes(a.size)} are removed for good.` : 'Its upload ends, and the part received so far is removed.')
  open(question)
  field(question, 'confirm').focus()
}

one(question, 'form').addEventListener('submit', async (e) => {
  e.preventDefault()
  question.close()
  const a = doomed
  if (!a) return
  try {
    await skein.artifacts.delete(a.id)
    toast('done', `${clean(a.name)} is deleted`, '', { say: (n) => `${n} artifacts are deleted` })
  } catch (err) {
    failed(`${clean(a.name)} was not deleted`, err)
  }
  soon()
})

// --- upload ---

const uploads = new Uploads(skein, { links, changed: soon })
const files = /** @type {HTMLInputElement} */ (one(document, '#files'))
/** @type {Artifact | undefined} that the next choice goes on with */
let resumed

const choose = () => {
  resumed = undefined
  files.multiple = true
  files.click()
}
for (const id of ['#upload-open', '#upload-first']) {
  const button = one(document, id)
  button.hidden = false
  button.addEventListener('click', choose)
}

/** @param {Artifact} a */
function resume(a) {
  resumed = a
  files.multiple = false
  files.click()
}

files.addEventListener('change', () => {
  const chosen = [...(files.files ?? [])]
  files.value = ''
  const a = resumed
  resumed = undefined
  const file = chosen[0]
  if (!a) take(chosen)
  else if (file && file.size !== a.size) failed('This is another file', new Error(`${file.name} has ${bytes(file.size)}; ${clean(a.name)} has ${bytes(a.size)}.`))
  else if (file) uploads.add([file], a.id)
})

/** @param {File[]} chosen */
function take(chosen) {
  const left = uploads.add(chosen)
  if (left > 0) failed(`${count(left, 'file was', 'files were')} left out`, new Error('Clear the finished ones, and add them again.'))
}

const drop = one(document, '#drop')
const carries = (/** @type {DragEvent} */ e) => e.dataTransfer?.types.includes('Files') ?? false
addEventListener('dragenter', (e) => {
  if (carries(e)) drop.hidden = false
})
addEventListener('dragover', (e) => {
  if (carries(e)) e.preventDefault()
})
addEventListener('dragleave', (e) => {
  if (!e.relatedTarget) drop.hidden = true
})
addEventListener('drop', (e) => {
  if (!carries(e)) return
  e.preventDefault()
  drop.hidden = true
  const items = [...(e.dataTransfer?.items ?? [])]
  const folders = items.filter((i) => i.webkitGetAsEntry?.()?.isDirectory).length
  const dropped = items.filter((i) => !i.webkitGetAsEntry?.()?.isDirectory).flatMap((i) => i.getAsFile() ?? [])
  if (folders > 0) failed(`${count(folders, 'folder was', 'folders were')} left out`, new Error('Drop the files in it, or an archive of it.'))
  take(dropped)
})

void skein.ready.then(() => poll(skein, { look, ends, every: () => (uploads.active > 0 ? BUSY_MS : LOOK_MS), title: 'The artifacts are not up to date' }), () => {})

listen({
  ...table.steps, n: choose, '/': () => box.select(),
  d: () => {
    const a = artifactAt(document.activeElement)
    if (!a) return false
    ask(a)
    return true
  },
})
