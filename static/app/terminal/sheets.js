/**
 * xterm.js writes style elements, and style attributes for characters that have a colour of their own or are selected, which the content
 * security policy of the pages forbids. From now on this document makes, in place of such an element, one whose text goes into a style
 * sheet of the page, and elements whose attribute becomes their style (CSSOM, which the policy does not concern). The option
 * documentOverride would not do: xterm.js 6.0 uses the window's document in some places all the same.
 * @param {Document} page
 */
export function styleByCSSOM(page) {
  const create = page.createElement.bind(page)
  page.createElement = (/** @type {string} */ tag, /** @type {any} */ options) => {
    if (tag.toLowerCase() === 'style') return sheet(page, create('span'))
    const el = create(tag, options)
    if (tag.toLowerCase() === 'span') el.setAttribute = setAttribute
    return el
  }
}

/**
 * Element.setAttribute, but for the style.
 * @this {HTMLElement}
 * @param {string} name
 * @param {string} value
 */
function setAttribute(name, value) {
  if (name === 'style') this.style.cssText = value
  else Element.prototype.setAttribute.call(this, name, value)
}

/**
 * @param {Document} page
 * @param {HTMLElement} el
 * @returns {HTMLElement} el, which looks like a style element to who writes its text
 */
function sheet(page, el) {
  const sheet = new CSSStyleSheet()
  page.adoptedStyleSheets.push(sheet)
  el.hidden = true
  Object.defineProperty(el, 'textContent', { get: () => '', set: (css) => sheet.replaceSync(css) })
  const remove = el.remove.bind(el)
  el.remove = () => {
    page.adoptedStyleSheets = page.adoptedStyleSheets.filter((s) => s !== sheet)
    remove()
  }
  return el
}
