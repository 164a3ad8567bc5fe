/**
 * The element that a page always has. A missing one is a mistake in the page.
 * @template {Element} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {T}
 */
export function one(root, selector) {
  const el = root.querySelector(selector)
  if (!el) throw new Error(`the page has no ${selector}`)
  return /** @type {T} */ (el)
}

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} name of data-f
 * @returns {T}
 */
export const field = (root, name) => /** @type {T} */ (one(root, `[data-f="${name}"]`))

/**
 * Changes text only when it differs, so that nothing is laid out for nothing.
 * @param {Element} el
 * @param {string} text
 */
export function write(el, text) {
  if (el.textContent !== text) el.textContent = text
}

/**
 * @param {Element} el
 * @param {string} name
 * @param {string | boolean | null} value false and null take the attribute away
 */
export function mark(el, name, value) {
  if (value === false || value === null) {
    if (el.hasAttribute(name)) el.removeAttribute(name)
  } else {
    const text = value === true ? '' : value
    if (el.getAttribute(name) !== text) el.setAttribute(name, text)
  }
}

/**
 * Disables a button while what it asked for is under way, whatever the server's HTML says of it meanwhile: that holds afterwards.
 * @param {HTMLButtonElement} button
 * @param {boolean} on
 */
export function busy(button, on) {
  const disabled = on ? button.disabled : button.getAttribute('data-busy') === 'disabled'
  mark(button, 'data-busy', on && (disabled ? 'disabled' : ''))
  button.disabled = on || disabled
}

/**
 * Gives a <svg><use> another shape of the sprite.
 * @param {Element} svg
 * @param {string} name
 */
export const shape = (svg, name) => mark(one(svg, 'use'), 'href', `#${name}`)

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id of a <template>
 * @returns {T} its only element, once more
 */
export function clone(id) {
  const t = /** @type {HTMLTemplateElement} */ (one(document, `#${id}`))
  return /** @type {T} */ (/** @type {Element} */ (t.content.firstElementChild).cloneNode(true))
}

/** A setting of this browser's. Storage may be forbidden. */
export const settings = {
  /** @param {string} name */
  get(name) {
    try {
      return localStorage.getItem(`skein.${name}`)
    } catch {
      return null
    }
  },
  /**
   * @param {string} name
   * @param {string} value
   */
  set(name, value) {
    try {
      localStorage.setItem(`skein.${name}`, value)
    } catch {
      // it holds for this page only
    }
  },
}
