/**
 * Returns an element that the page always has, and throws if it is missing.
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
 * @param {string} name the value of data-f
 * @returns {T}
 */
export const field = (root, name) => /** @type {T} */ (one(root, `[data-f="${name}"]`))

/**
 * Changes a text only if it differs, to avoid needless layout.
 * @param {Element} el
 * @param {string} text
 */
export function write(el, text) {
  if (el.textContent !== text) el.textContent = text
}

/**
 * @param {Element} el
 * @param {string} name
 * @param {string | boolean | null} value false and null remove the attribute
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
 * Disables a button while its request is in progress. What the server's HTML says about the button meanwhile takes effect
 * afterwards.
 * @param {HTMLButtonElement} button
 * @param {boolean} on
 */
export function busy(button, on) {
  const disabled = on ? button.disabled : button.getAttribute('data-busy') === 'disabled'
  mark(button, 'data-busy', on && (disabled ? 'disabled' : ''))
  button.disabled = on || disabled
}

/**
 * Makes a <svg><use> show another shape of the sprite.
 * @param {Element} svg
 * @param {string} name
 */
export const shape = (svg, name) => mark(one(svg, 'use'), 'href', `#${name}`)

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id the id of a <template>
 * @returns {T} a copy of its only element
 */
export function clone(id) {
  const t = /** @type {HTMLTemplateElement} */ (one(document, `#${id}`))
  return /** @type {T} */ (/** @type {Element} */ (t.content.firstElementChild).cloneNode(true))
}

/** Settings that are kept in this browser. Storage may be forbidden. */
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
      // the setting is then kept for this page only
    }
  },
}
