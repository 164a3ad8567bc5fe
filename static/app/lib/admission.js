import { busy, one } from './dom.js'
import { morph, parse } from './morph.js'
import { tick } from './ticks.js'
import { failed, toast } from './toast.js'

/** @import { Skein } from '../../client/index.js' */

/**
 * Runs the banner that every page has while admission is closed. The server renders it, again when admission changes.
 * @param {Skein} skein
 */
export function admission(skein) {
  const banner = one(document, '#admission')
  const form = /** @type {HTMLFormElement} */ (one(banner, 'form'))

  const show = async () => {
    const { html = '' } = await skein.admission.get({ html: true })
    const [now] = parse(html)
    if (now) morph(banner, now)
    tick(banner)
  }
  let shown = Promise.resolve()
  skein.fleet.addEventListener('admission', () => {
    if ((skein.fleet.admission?.since ?? '') === banner.dataset.since) return
    shown = shown.then(show).catch(() => {}) // the page keeps what it shows; the connection badge says why
  })
  setInterval(() => banner.hidden || tick(banner), 1000)

  form.addEventListener('submit', async (e) => {
    e.preventDefault()
    const button = /** @type {HTMLButtonElement} */ (one(form, 'button'))
    busy(button, true)
    try {
      await skein.admission.set({ closed: false })
      toast('done', 'Admission is open')
    } catch (err) {
      failed('Admission was not opened', err)
    } finally {
      busy(button, false)
    }
  })
}
