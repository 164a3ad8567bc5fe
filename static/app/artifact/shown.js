/** The page of one artifact. The server rendered it; while the artifact is uploaded, the page asks for it again until it is whole. */
import { one } from '../lib/dom.js'
import { listen } from '../lib/keys.js'
import { leaving } from '../lib/later.js'
import { morph } from '../lib/morph.js'
import { page } from '../lib/page.js'
import { tick } from '../lib/ticks.js'
import { failed, toast } from '../lib/toast.js'
import { poll } from '../list/poll.js'

const LOOK_MS = 700

const skein = page()
const root = one(document, '#artifact')
const ends = leaving()

/** Lets the browser's viewer show a PDF, if it has one. The frame is made here, since a browser without one would download the file. */
function showPDF() {
  const place = /** @type {HTMLElement | null} */ (root.querySelector('[data-f="pdf"]'))
  if (!place || place.querySelector('iframe') || !navigator.pdfViewerEnabled) return
  const frame = document.createElement('iframe')
  frame.title = place.dataset.title ?? ''
  frame.src = place.dataset.src ?? ''
  frame.referrerPolicy = 'no-referrer'
  place.replaceChildren(frame)
}

/**
 * Makes a button switch a class of what is shown on and off.
 * @param {string} id of the button
 * @param {string} part that has it
 * @param {string} name of the class
 * @param {boolean} by whether a click on the part does the same
 */
function switches(id, part, name, by) {
  const button = root.querySelector(`#${id}`)
  const el = root.querySelector(part)
  if (!(button instanceof HTMLElement) || !(el instanceof HTMLElement)) return
  button.hidden = false
  const flip = () => button.setAttribute('aria-pressed', String(el.classList.toggle(name)))
  button.addEventListener('click', flip)
  if (by) el.addEventListener('click', flip)
}

/** What the content needs of the script, each time that it is new. */
function prepare() {
  showPDF()
  switches('full', '.preview-picture', 'full', true)
  switches('wrap', '.preview-lines', 'wrapped', false)
  tick(root)
}

/** Shows the page as the server renders it now. */
async function refresh() {
  const response = await fetch(location.href, { headers: { Accept: 'text/html' }, signal: ends })
  if (response.status === 404) return gone()
  if (!response.ok) throw new Error(response.statusText)
  const to = new DOMParser().parseFromString(await response.text(), 'text/html').querySelector('#artifact')
  if (!to) throw new Error('The server sent another page.')
  morph(root, to)
  prepare()
}

function gone() {
  root.dataset.state = 'gone'
  one(root, '#gone').hidden = false
}

if (root.dataset.state !== 'complete') {
  const look = async () => {
    if (root.dataset.state !== 'complete' && root.dataset.state !== 'gone') await refresh()
  }
  void skein.ready.then(() => poll(skein, { look, every: () => LOOK_MS, ends, title: 'The artifact is not up to date' }), () => {})
}

root.addEventListener('click', (e) => {
  const copy = /** @type {HTMLElement | null} */ (/** @type {Element} */ (e.target).closest('[data-copy]'))
  if (copy) void navigator.clipboard.writeText(copy.dataset.copy ?? '').then(() => toast('done', `${copy.dataset.what} is in the clipboard`), (err) => failed('It was not copied', err))
})

/** Follows a link of the page. @param {string} name */
const follow = (name) => () => {
  const link = /** @type {HTMLAnchorElement | null} */ (root.querySelector(`a[data-do="${name}"]`))
  if (!link) return false
  location.assign(link.href)
  return true
}

prepare()
listen({ j: follow('next'), k: follow('previous'), ']': follow('next'), '[': follow('previous'), d: follow('delete'), u: follow('list'), Escape: follow('list') })
