/** Attributes that the script or the reader sets and the server's HTML does not have. */
const OURS = new Set(['aria-activedescendant', 'aria-checked', 'aria-rowindex', 'data-busy', 'data-dismissed', 'data-fresh', 'data-open', 'data-picked', 'open'])

/** @param {string} html the HTML of elements, from the server; the result is not in the page yet */
export function parse(html) {
  const t = document.createElement('template')
  t.innerHTML = html
  return /** @type {HTMLElement[]} */ ([...t.content.children])
}

/**
 * Changes an element of the page into what the server rendered, and touches only what differs: elements keep their focus,
 * their listeners and their selection. An element with data-ours stays as it is: a script has made it.
 * @param {Element} el
 * @param {Element} to an element of the same kind; its new parts are moved into the page
 */
export function morph(el, to) {
  if (el.hasAttribute('data-ours')) return
  attributes(el, to)
  const keys = keyed(el)
  const kept = keyed(to)
  for (const [key, child] of keys) if (!kept.has(key)) child.remove() // first, since an element that is moved loses its focus
  let at = el.firstChild
  for (const node of [...to.childNodes]) {
    const known = node instanceof HTMLElement && node.dataset.key !== undefined ? keys.get(node.dataset.key) : undefined
    if (known && known !== at) el.insertBefore(known, at)
    const here = known ?? (at && like(at, node) ? at : undefined)
    if (!here) {
      el.insertBefore(node, at)
      continue
    }
    at = here.nextSibling
    if (here instanceof Element) morph(here, /** @type {Element} */ (node))
    else if (here.nodeValue !== node.nodeValue) here.nodeValue = node.nodeValue
  }
  while (at) {
    const next = at.nextSibling
    at.remove()
    at = next
  }
}

/**
 * Shows what the server rendered of parts of the page, each by its element's id.
 * @param {Element[]} parts
 */
export function showParts(parts) {
  for (const part of parts) {
    const el = document.getElementById(part.id)
    if (el) morph(el, part)
  }
}

/**
 * @param {Element} el
 * @param {Element} to
 */
function attributes(el, to) {
  const busy = el.hasAttribute('data-busy') // see busy() in dom.js
  if (busy) el.setAttribute('data-busy', to.hasAttribute('disabled') ? 'disabled' : '')
  const ours = (/** @type {string} */ name) => OURS.has(name) || (busy && name === 'disabled')
  for (const name of el.getAttributeNames()) if (!to.hasAttribute(name) && !ours(name)) el.removeAttribute(name)
  for (const { name, value } of to.attributes) if (!ours(name) && el.getAttribute(name) !== value) el.setAttribute(name, value)
}

/** @param {Element} el an element whose children may be list items, each with a key */
function keyed(el) {
  const children = /** @type {HTMLElement[]} */ ([...el.children].filter((c) => c instanceof HTMLElement && c.dataset.key !== undefined))
  return new Map(children.map((c) => [c.dataset.key, c]))
}

/**
 * Whether one element can be changed into the other. List items can if they have the same key.
 * @param {ChildNode} a
 * @param {ChildNode} b
 */
function like(a, b) {
  if (a.nodeName !== b.nodeName) return false
  return !(a instanceof HTMLElement && b instanceof HTMLElement) || (a.dataset.key === b.dataset.key && a.id === b.id)
}
