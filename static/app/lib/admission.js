import { field, one, write } from './dom.js'
import { ago, clean } from './format.js'
import { failed, toast } from './toast.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Admission } from '../../client/types.js' */

/**
 * That nothing starts, and of which types; '' while admission is open for all. The same rules stand in ui/frame/frame.go.
 * @param {Admission | undefined} a
 */
export function admissionText(a) {
  if (a?.closed) return 'Admission is closed: no agent is spawned and no task is started.'
  const types = a?.types ?? []
  return types.length > 0 ? `Admission is closed for ${list(types)}: none is spawned and no task is started on them.` : ''
}

/**
 * Who closed it, when and why.
 * @param {Admission} a
 * @param {number} now
 */
export function admissionWho({ since, actor, reason }, now) {
  const words = []
  if (since) words.push(ago(now - Date.parse(since)))
  if (clean(actor ?? '')) words.push(`by ${clean(actor ?? '')}`)
  return [words.join(' '), clean(reason ?? '')].filter(Boolean).join(': ')
}

/** @param {string[]} names */
const list = (names) => (names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`)

/**
 * The banner that every page has while admission is closed.
 * @param {Skein} skein
 */
export function admission(skein) {
  const banner = one(document, '#admission')
  const form = /** @type {HTMLFormElement} */ (one(banner, 'form'))
  const button = /** @type {HTMLButtonElement} */ (one(form, 'button'))

  const show = () => {
    const a = skein.fleet.admission
    if (!a) return // not known yet: the server's word holds
    const text = admissionText(a)
    banner.hidden = text === ''
    if (text === '') return
    write(field(banner, 'what'), text)
    write(field(banner, 'who'), admissionWho(a, Date.now()))
  }
  skein.fleet.addEventListener('admission', show)
  setInterval(show, 1000)

  form.addEventListener('submit', async (e) => {
    e.preventDefault()
    button.disabled = true
    try {
      await skein.admission.set({ closed: false })
      toast('done', 'Admission is open')
    } catch (err) {
      failed('Admission was not opened', err)
    } finally {
      button.disabled = false
    }
  })
}
