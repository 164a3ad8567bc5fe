import { failed } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */

/**
 * Looks again and again at what has no watch, while the page is seen and connected. A person is told once when it fails.
 * @param {Skein} skein
 * @param {object} options
 * @param {() => Promise<void>} options.look
 * @param {() => number} options.every milliseconds
 * @param {AbortSignal} options.ends
 * @param {string} options.title of what is said when it fails
 */
export async function poll(skein, { look, every, ends, title }) {
  let told = false
  for (;;) {
    try {
      if (document.visibilityState === 'visible' && skein.state === 'open') await look()
      told = false
    } catch (e) {
      if (ends.aborted || skein.state === 'closed') return
      if (!told) failed(title, e)
      told = true
    }
    await new Promise((wake) => setTimeout(wake, every()))
  }
}
