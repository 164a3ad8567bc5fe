/**
 * The page of what an agent has changed. The server rendered it; this script loads the diffs that are opened, and lets a person comment on
 * lines: by a click on the number of one, or by the arrow keys and Enter.
 */
import { clone, field, one, write } from '../lib/dom.js'
import { listen } from '../lib/keys.js'
import { page } from '../lib/page.js'
import { failed, toast } from '../lib/toast.js'

/** How often the page asks whether the folder of an agent that works has changed, in milliseconds. */
const OLD_MS = 10_000

page()
listen({})

const root = one(document, '#changes')

/**
 * Loads the diff of a file that was opened.
 * @param {HTMLDetailsElement} details
 */
async function load(details) {
  if (!details.open || details.dataset.loaded !== undefined || !details.dataset.src) return
  details.dataset.loaded = ''
  const place = field(details, 'diff')
  place.setAttribute('aria-busy', 'true')
  try {
    const response = await fetch(details.dataset.src)
    if (!response.ok) throw new Error((await response.text()) || response.statusText)
    const parsed = new DOMParser().parseFromString(await response.text(), 'text/html')
    place.replaceChildren(...parsed.body.childNodes)
    firstStop(details)
  } catch (e) {
    delete details.dataset.loaded
    details.open = false
    failed('The diff could not be loaded', e)
  }
  place.removeAttribute('aria-busy')
}

/** The buttons of the lines of a file. */
const stops = (/** @type {Element} */ el) => /** @type {HTMLButtonElement[]} */ ([...el.querySelectorAll('.at button')])

/**
 * Lets the tab key come to a file's first line, from where the arrow keys go on.
 * @param {Element} el
 */
function firstStop(el) {
  for (const b of stops(el)) b.disabled = !comments
  const first = stops(el)[0]
  if (first) first.tabIndex = 0
}

const template = /** @type {HTMLTemplateElement | null} */ (document.querySelector('#line-comment'))
const comments = template !== null
const form = /** @type {HTMLFormElement | null} */ (document.querySelector('#comment'))

/**
 * Moves to another line of a file.
 * @param {HTMLButtonElement} from
 * @param {string} key
 */
function move(from, key) {
  const table = from.closest('table')
  if (!table) return false
  const all = stops(table)
  const at = all.indexOf(from)
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1, PageDown: at + 20, PageUp: at - 20 }[key]
  if (to === undefined) return false
  const next = all[Math.max(0, Math.min(all.length - 1, to))]
  from.tabIndex = -1
  if (next) {
    next.tabIndex = 0
    next.focus()
  }
  return true
}

/**
 * Opens the form of a comment below a line.
 * @param {HTMLButtonElement} button
 */
function comment(button) {
  const row = button.closest('tr')
  if (!row) return
  const open = row.nextElementSibling
  if (open?.classList.contains('comment-row')) {
    one(open, 'textarea').focus()
    return
  }
  const el = clone('line-comment')
  write(field(el, 'label'), `Line ${row.dataset.line}${row.dataset.side === 'old' ? ' of what was there before' : ''}`)
  row.after(el)
  const text = /** @type {HTMLTextAreaElement} */ (one(el, 'textarea'))
  text.focus()
  const close = () => {
    el.remove()
    button.focus()
    count()
  }
  one(el, '[data-act=cancel]').addEventListener('click', close)
  one(el, 'form').addEventListener('submit', (e) => {
    e.preventDefault()
    void send(el).then((sent) => sent && close())
  })
  text.addEventListener('input', count)
  text.addEventListener('keydown', (e) => {
    if (e.key === 'Escape' && !text.value) close()
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) /** @type {HTMLFormElement} */ (text.form).requestSubmit()
  })
}

/** The comments that somebody has begun. */
const begun = () => [...document.querySelectorAll('.comment-row')].filter((el) => /** @type {HTMLTextAreaElement} */ (one(el, 'textarea')).value.trim())

/** Shows how many comments wait to be sent, from two on. */
function count() {
  const n = begun().length
  const bar = one(document, '#comments-bar')
  bar.hidden = n < 2
  write(field(bar, 'comments-count'), `${n} comments`)
}

/**
 * Tells the agent what a comment says of its line.
 * @param {Element} el
 */
async function send(el) {
  const row = /** @type {HTMLElement} */ (el.previousElementSibling)
  const text = /** @type {HTMLTextAreaElement} */ (one(el, 'textarea'))
  const path = /** @type {HTMLElement} */ (el.closest('.file'))?.dataset.path ?? ''
  return post(
    { text: text.value, path, line: row.dataset.line ?? '', side: row.dataset.side ?? '', code: field(row, 'code').textContent ?? '' },
    /** @type {HTMLButtonElement[]} */ ([...el.querySelectorAll('button')]),
  )
}

/**
 * @param {Record<string, string>} fields
 * @param {HTMLButtonElement[]} buttons which can't be pressed meanwhile
 */
async function post(fields, buttons) {
  if (!form || buttons.some((b) => b.disabled)) return false
  for (const b of buttons) b.disabled = true
  try {
    const response = await fetch(form.action, { method: 'POST', headers: { Accept: 'application/json' }, body: new URLSearchParams(fields) })
    if (!response.ok) throw new Error((await response.json()).error?.message)
    toast('done', 'The agent was told')
    return true
  } catch (e) {
    failed('The comment was not sent', e)
    return false
  } finally {
    for (const b of buttons) b.disabled = false
  }
}

async function sendAll() {
  for (const el of begun()) {
    if (!(await send(el))) break
    el.remove()
  }
  count()
}

/** Says when the folder is no longer as it is shown. What is shown stays, since somebody is reading it. */
async function look() {
  if (document.hidden || root.dataset.alive === undefined || !root.dataset.stamp) return
  try {
    const response = await fetch(`${location.pathname}?part=stamp`)
    if (response.ok) one(document, '#newer').hidden = (await response.text()) === root.dataset.stamp
  } catch {
    // the next time
  }
}

for (const el of document.querySelectorAll('.file details')) {
  firstStop(el)
  el.addEventListener('toggle', () => void load(/** @type {HTMLDetailsElement} */ (el)))
}
root.addEventListener('click', (e) => {
  const target = /** @type {Element} */ (e.target)
  const at = /** @type {HTMLButtonElement | null} */ (target.closest('.at button'))
  if (at && comments) comment(at)
  const copy = /** @type {HTMLElement | null} */ (target.closest('[data-copy]'))
  if (copy) void navigator.clipboard.writeText(copy.dataset.copy ?? '').then(() => toast('done', 'Copied'), (e2) => failed('It was not copied', e2))
  const link = target.closest('.file-list a')
  const details = link && document.querySelector(`${link.getAttribute('href')} details`)
  if (details) /** @type {HTMLDetailsElement} */ (details).open = true
})
root.addEventListener('keydown', (e) => {
  const at = /** @type {HTMLButtonElement | null} */ (/** @type {Element} */ (e.target).closest('.at button'))
  if (at && !e.ctrlKey && !e.metaKey && !e.altKey && move(at, e.key)) e.preventDefault()
})
form?.addEventListener('submit', (e) => {
  e.preventDefault()
  const text = /** @type {HTMLTextAreaElement} */ (one(form, 'textarea'))
  void post({ text: text.value }, /** @type {HTMLButtonElement[]} */ ([...form.querySelectorAll('button')])).then((sent) => {
    if (sent) text.value = ''
  })
})
if (comments) one(document, '#comments-send').addEventListener('click', () => void sendAll())
window.addEventListener('beforeunload', (e) => {
  if (begun().length > 0) e.preventDefault()
})
setInterval(look, OLD_MS)
document.addEventListener('visibilitychange', look)
