import { RpcError } from '../../client/errors.js'
import { mark, one, write } from '../lib/dom.js'
import { morph, parse } from '../lib/morph.js'
import { tick } from '../lib/ticks.js'
import { messageOf } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */

/** How long typing must rest before the server is asked, in milliseconds. */
const REST_MS = 200

/** The form that makes or changes a schedule. The browser posts it; this shows when the schedule would run while somebody types. */
export class ScheduleForm {
  #skein
  #form
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer
  #asked = 0 // counts what was asked, so that an answer that comes late is dropped

  /**
   * @param {Skein} skein
   * @param {HTMLFormElement} form
   */
  constructor(skein, form) {
    this.#skein = skein
    this.#form = form
    form.addEventListener('input', (e) => {
      const { name } = /** @type {HTMLInputElement} */ (e.target)
      if (['cron', 'at', 'zone', 'when'].includes(name)) this.#soon()
    })
    form.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) {
        e.preventDefault()
        form.requestSubmit()
      }
    })
    for (const zone of Intl.supportedValuesOf?.('timeZone') ?? []) one(form, '#zones').append(new Option(zone, zone))
    this.#soon(0)
  }

  #soon(ms = REST_MS) {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#preview(), ms)
  }

  async #preview() {
    const data = new FormData(this.#form)
    const [when, cron, at, zone] = ['when', 'cron', 'at', 'zone'].map((name) => data.get(name)?.toString() ?? '')
    const field = when === 'once' ? 'at' : 'cron'
    const box = one(this.#form, '#preview')
    const asked = ++this.#asked
    if (!(field === 'at' ? at : cron)) {
      box.hidden = true
      return
    }
    try {
      const { html } = await this.#skein.schedules.preview({ ...(field === 'at' ? { at } : { cron }), zone, html: true })
      if (asked !== this.#asked) return
      const [next] = parse(html ?? '')
      if (next) morph(box, next)
      tick(box)
      for (const name of ['cron', 'at', 'zone']) this.#fail(name, '')
    } catch (e) {
      if (asked !== this.#asked || !(e instanceof RpcError)) return // the connection badge says why
      box.hidden = true
      for (const name of ['cron', 'at', 'zone']) this.#fail(name, name === (e.field === 'zone' ? 'zone' : field) ? messageOf(e) : '')
    }
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #fail(name, text) {
    const p = one(this.#form, `[data-error="${name}"]`)
    write(p, text && (/[.?!]$/.test(text) ? text : `${text}.`))
    p.hidden = text === ''
    mark(one(this.#form, `[name="${name}"]`), 'aria-invalid', text !== '' && 'true')
  }
}
