import { clone, field, mark, write } from '../lib/dom.js'

/** @typedef {{text: string, hit: boolean}} Piece */

/**
 * @typedef {object} Option a line of the list that can be chosen
 * @property {string} key identifies it in the list
 * @property {string} icon
 * @property {Piece[]} title
 * @property {Piece[]} detail
 * @property {string} note
 * @property {string} [href]
 * @property {boolean} [code] whether the detail is a line of output
 * @property {boolean} [more] whether it leads to what else there is
 *
 * @typedef {{title: string, options: Option[], note?: string}} Section a group of options; note: what is to be said below them
 */

/**
 * Shows pieces of a text, with the hits marked.
 * @param {Element} el
 * @param {Piece[]} pieces
 */
function fill(el, pieces) {
  el.replaceChildren(...pieces.map(({ text, hit }) => {
    if (!hit) return text
    const m = document.createElement('mark')
    m.textContent = text
    return m
  }))
}

/**
 * @param {Option} o
 * @param {string} id
 */
function optionNode(o, id) {
  const el = clone('palette-option')
  el.id = id
  el.dataset.key = o.key
  mark(el, 'href', o.href ?? null)
  mark(el, 'data-code', o.code === true)
  mark(el, 'data-more', o.more === true)
  const icon = /** @type {SVGElement} */ (el.querySelector('svg'))
  icon.setAttribute('class', o.icon.startsWith('s-') ? 'glyph' : 'icon')
  icon.querySelector('use')?.setAttribute('href', `#${o.icon}`)
  fill(field(el, 'title'), o.title)
  const detail = field(el, 'detail')
  fill(detail, o.detail)
  detail.hidden = o.detail.length === 0
  const note = field(el, 'note')
  write(note, o.note)
  note.hidden = !o.note
  return el
}

/**
 * @param {Section} section
 * @param {string} id of the section's element
 */
export function sectionNode(section, id) {
  const el = clone('palette-group')
  const title = field(el, 'group')
  title.id = `${id}-title`
  el.setAttribute('aria-labelledby', title.id)
  write(title, section.title)
  title.after(...section.options.map((o, i) => optionNode(o, `${id}-${i}`)))
  const note = field(el, 'group-note')
  write(note, section.note ?? '')
  note.hidden = !section.note
  return el
}
