import { dialog, open } from './dialog.js'
import { field, mark, one, write } from './dom.js'
import { alive, clean, count, leftoversText } from './format.js'
import { hold } from './hold.js'
import { failed, messageOf, toast } from './toast.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Agent, StopReport, StopResult } from '../../client/types.js' */

/** How many of the agents that are not gone the report names; it counts the others. */
const MAX_TROUBLES = 50

/** How long the button shows the hint to hold it, in milliseconds. */
const HINT_MS = 2500

const WORD = 'Stop everything'

/**
 * Runs the emergency stop: the button that must be held, the keyboard shortcut that asks first, and the dialog that shows
 * the progress.
 * @param {Skein} skein
 * @returns {() => void} asks whether everything is to be stopped
 */
export function emergency(skein) {
  const stop = new Emergency(skein)
  const button = one(document, '#emergency-hold')
  const word = one(button, '.emergency-word')
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  hold(button, {
    held: () => stop.go(),
    ask: () => stop.ask(),
    early: () => {
      clearTimeout(timer)
      write(word, 'Hold to stop all')
      timer = setTimeout(() => write(word, WORD), HINT_MS)
    },
  })
  document.addEventListener('keydown', (e) => {
    if (!chord(e)) return
    e.preventDefault()
    if (!e.repeat) stop.ask()
  }, { capture: true }) // even in text fields and other dialogs
  return () => stop.ask()
}

/**
 * Whether the keys are Ctrl+Shift+., by the key's position or its character, since keyboards differ in both.
 * @param {KeyboardEvent} e
 */
const chord = (e) => e.ctrlKey && e.shiftKey && !e.altKey && !e.metaKey && (e.code === 'Period' || e.key === '.' || e.key === '>')

class Emergency {
  #skein
  #dialog = dialog('emergency')
  #f
  #running = false

  /** @param {Skein} skein */
  constructor(skein) {
    this.#skein = skein
    const f = (/** @type {string} */ name) => field(this.#dialog, name)
    this.#f = {
      title: f('title'), lead: f('lead'), progress: f('progress'), gone: f('gone'), elapsed: f('elapsed'), facts: f('facts'),
      stopped: f('stopped'), forced: f('forced'), left: f('left'), canceled: f('canceled'), took: f('took'), troubles: f('troubles'),
      cancel: f('cancel'), open: /** @type {HTMLButtonElement} */ (f('open')), confirm: f('confirm'),
    }
    one(this.#dialog, 'form').addEventListener('submit', (e) => {
      e.preventDefault()
      void this.go()
    })
    this.#f.open.addEventListener('click', () => void this.#openAdmission())
  }

  /** Asks for confirmation, with the focus on the button that confirms. If a stop is in progress, it shows that instead. */
  ask() {
    if (this.#running) return open(this.#dialog)
    const f = this.#f
    const n = this.#living().length
    this.#show({ title: 'Stop everything?', lead: `${n === 0 ? 'No agent is known to be alive.' : `${count(n, 'agent is', 'agents are')} alive.`} Each process group gets SIGTERM, and after the grace of its type SIGKILL. Tasks in work are canceled. Nothing starts until admission is opened again.` })
    f.confirm.hidden = false
    write(f.cancel, 'Cancel')
    open(this.#dialog)
    f.confirm.focus()
  }

  /** Stops everything, at once. */
  async go() {
    if (this.#running) return open(this.#dialog)
    this.#running = true
    const began = performance.now()
    const agents = this.#living()
    const watch = this.#watch(agents, began)
    try {
      this.#done(agents, await this.#skein.stop({ scope: 'all' }), performance.now() - began)
    } catch (e) {
      this.#show({ title: 'The stop was not confirmed', lead: `${messageOf(e)} Some agents may still be alive: check, and stop again.` })
      if (!this.#dialog.open) failed('The stop was not confirmed', e)
    } finally {
      watch()
      this.#running = false
    }
  }

  #living() {
    return [...this.#skein.fleet.agents.values()].filter((a) => alive(a))
  }

  /**
   * Shows how many agents are gone, until the returned function is called.
   * @param {Agent[]} agents
   * @param {number} began
   */
  #watch(agents, began) {
    const f = this.#f
    this.#show({ title: 'Stopping everything', lead: this.#skein.state === 'open' ? 'Admission is closed; each agent is verified to be gone.' : 'The server does not answer. The stop is sent as soon as it does.' })
    f.progress.hidden = false
    write(f.cancel, 'Hide')
    open(this.#dialog)
    f.title.focus() // so that a key that is still held presses no button
    const bar = one(this.#dialog, 'progress')
    mark(bar, 'max', String(Math.max(1, agents.length)))
    const show = () => {
      const gone = agents.filter((a) => !alive(this.#skein.fleet.agents.get(a.id) ?? a)).length
      mark(bar, 'value', String(gone))
      write(f.gone, `${gone} of ${agents.length} gone`)
    }
    const tick = setInterval(() => write(f.elapsed, took(performance.now() - began)), 100)
    write(f.elapsed, took(0))
    this.#skein.fleet.addEventListener('change', show)
    show()
    return () => {
      clearInterval(tick)
      this.#skein.fleet.removeEventListener('change', show)
    }
  }

  /**
   * @param {Agent[]} agents
   * @param {StopResult} result
   * @param {number} ms
   */
  #done(agents, { reports, more = 0, more_failed = 0, canceled = [], more_canceled = 0, closed }, ms) {
    const bad = reports.filter((r) => r.error || r.leftovers?.length)
    const failures = bad.length + more_failed
    const all = reports.length + more
    const title = failures > 0 ? 'Not everything is gone' : 'Everything is stopped'
    this.#show({ title, lead: closed ? 'Admission stays closed: nothing starts until it is opened.' : '' })
    const f = this.#f
    write(f.stopped, count(all - failures, 'agent', 'agents'))
    write(f.forced, String(reports.filter((r) => r.forced).length))
    write(f.left, String(reports.reduce((n, r) => n + (r.leftovers?.length ?? 0), 0)))
    write(f.canceled, String(canceled.length + more_canceled))
    write(f.took, took(ms))
    f.facts.hidden = false
    f.troubles.replaceChildren(...troubles(agents, bad).map(item))
    f.troubles.hidden = bad.length === 0
    f.open.hidden = !closed
    if (!this.#dialog.open) toast(failures > 0 ? 'failed' : 'done', title, count(all, 'agent', 'agents'))
  }

  /** @param {{title: string, lead: string}} words the words of a stage; what other stages show is hidden */
  #show({ title, lead }) {
    const f = this.#f
    write(f.title, title)
    write(f.lead, lead)
    write(f.cancel, 'Close')
    f.progress.hidden = f.facts.hidden = f.troubles.hidden = f.open.hidden = f.confirm.hidden = true
  }

  async #openAdmission() {
    const { open: button } = this.#f
    button.disabled = true
    try {
      await this.#skein.admission.set({ closed: false })
      this.#dialog.close()
      toast('done', 'Admission is open')
    } catch (e) {
      failed('Admission was not opened', e)
    } finally {
      button.disabled = false
    }
  }
}

/** @param {number} ms */
const took = (ms) => `${(ms / 1000).toFixed(1)} s`

/** @param {string} text */
function item(text) {
  const li = document.createElement('li')
  li.textContent = text
  return li
}

/**
 * @param {Agent[]} agents
 * @param {StopReport[]} bad
 */
function troubles(agents, bad) {
  const names = new Map(agents.map((a) => [a.id, clean(a.name)]))
  const lines = bad.slice(0, MAX_TROUBLES).map((r) => {
    const why = r.error ? messageOf(new Error(r.error.message)) : `still there: ${leftoversText(r.leftovers)}`
    return `${names.get(r.id) || r.id}: ${why}`
  })
  if (bad.length > MAX_TROUBLES) lines.push(`and ${bad.length - MAX_TROUBLES} more`)
  return lines
}
