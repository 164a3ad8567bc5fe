/**
 * The section with what an agent has changed in its folder (changed in ui/agent/side.templ). Git must look, so that it is loaded after the
 * page, and anew when the folder has changed.
 */
import { one } from '../lib/dom.js'
import { morph } from '../lib/morph.js'

/** @import { Agent } from '../../client/types.js' */

/** How often the page asks whether the folder of an agent that lives has changed, in milliseconds. */
const OLD_MS = 10_000

export class Changed {
  #place
  #src
  #stamp = ''
  #does = '' // what the agent did when it was last looked
  #alive = true
  #looking = false
  #again = false

  /**
   * @param {HTMLElement} section
   * @param {string} src the address of its parts
   */
  constructor(section, src) {
    this.#place = one(section, '#changed-summary')
    this.#src = src
    setInterval(() => this.#alive && !document.hidden && void this.#check(), OLD_MS)
    document.addEventListener('visibilitychange', () => document.hidden || void this.#check())
    void this.look()
  }

  /** @param {Agent} a the agent as it is now; when it begins or ends something, its folder may be another */
  show(a) {
    const does = `${a.status} ${a.activity ?? ''} ${a.folder?.state ?? ''}`
    if (this.#does && does !== this.#does) void this.look()
    this.#does = does
    this.#alive = !['exited', 'lost'].includes(a.status)
  }

  async look() {
    this.#again = this.#looking
    if (this.#looking) return
    this.#looking = true
    try {
      const to = document.createElement('div')
      for (const { name, value } of this.#place.attributes) to.setAttribute(name, value)
      to.append(...new DOMParser().parseFromString(await this.#get('summary'), 'text/html').body.childNodes)
      morph(this.#place, to)
      this.#stamp = /** @type {HTMLElement | null} */ (this.#place.querySelector('[data-stamp]'))?.dataset.stamp ?? ''
    } catch {
      // what was shown stays; the next look may do better
    }
    this.#looking = false
    if (this.#again) void this.look()
  }

  async #check() {
    try {
      if (this.#stamp && (await this.#get('stamp')) !== this.#stamp) await this.look()
    } catch {
      // without a connection; the next check may do better
    }
  }

  /** @param {string} part */
  async #get(part) {
    const response = await fetch(`${this.#src}${part}`)
    if (!response.ok) throw new Error(response.statusText)
    return response.text()
  }
}

/**
 * The section of a page, if the folder of its agent can be looked at.
 * @param {HTMLElement} root
 */
export function changed(root) {
  const section = /** @type {HTMLElement | null} */ (root.querySelector('#changed'))
  return section ? new Changed(section, section.dataset.src ?? '') : undefined
}
