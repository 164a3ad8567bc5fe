import { failed } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */

/**
 * Polls what can't be watched, while the page is visible and connected. It shows an error once when polling starts to fail.
 * @param {Skein} skein
 * @param {object} options
 * @param {() => Promise<void>} options.look
 * @param {() => number} options.every milliseconds
 * @param {AbortSignal} options.ends
 * @param {string} options.title the title of that error
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
