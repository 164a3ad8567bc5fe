import { dialog, open } from './dialog.js'
import { field, mark, one, write } from './dom.js'
import { alive, clean, count, leftoversText, span } from './format.js'
import { failed, messageOf, toast } from './toast.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Agent, StopReport, StopResult } from '../../client/types.js' */

/** How many names the dialog shows; it counts the others. */
const MAX_NAMES = 8

/** The dialog that asks before agents are stopped and then shows the progress. */
export class StopDialog {
  #skein
  #dialog = dialog('stop')
  #f
  /** @type {Agent[]} */
  #agents = []
  #running = 0 // stops in progress; the dialog may be closed meanwhile
  #turn = 0
  /** @type {(() => void) | undefined} */
  #done

  /** @param {Skein} skein */
  constructor(skein) {
    this.#skein = skein
    const f = (/** @type {string} */ name) => field(this.#dialog, name)
    this.#f = {
      title: f('title'), lead: f('lead'), names: f('names'), progress: f('progress'), text: f('progress-text'), report: f('report'),
      cancel: f('cancel'), confirm: /** @type {HTMLButtonElement} */ (f('confirm')),
    }
    one(this.#dialog, 'form').addEventListener('submit', (e) => {
      e.preventDefault()
      void this.#go()
    })
  }

  /**
   * @param {Agent[]} agents the agents; those that have ended are left out
   * @param {{grace?: number, done?: () => void}} [options] grace: milliseconds between SIGTERM and SIGKILL, if known
   */
  ask(agents, { grace, done } = {}) {
    this.#agents = agents.filter((a) => alive(a))
    this.#done = done
    const n = this.#agents.length
    const first = this.#agents[0]
    if (!first) return toast('done', agents.length === 1 ? 'It has ended already' : 'They have all ended already')
    const f = this.#f
    const what = n === 1 ? name(first) : `${n} agents`
    write(f.title, `Stop ${what}?`)
    write(f.lead, how(this.#agents, grace))
    f.names.replaceChildren(...(n === 1 ? [] : listed(this.#agents)))
    f.progress.hidden = f.report.hidden = true
    f.confirm.hidden = false
    f.confirm.disabled = false
    write(f.confirm, n === 1 ? 'Stop' : `Stop ${n} agents`)
    write(f.cancel, 'Cancel')
    this.#turn++
    open(this.#dialog)
    f.confirm.focus()
  }

  async #go() {
    const agents = this.#agents
    const turn = this.#turn
    const f = this.#f
    const mine = () => turn === this.#turn && this.#dialog.open
    f.confirm.hidden = true
    write(f.cancel, 'Hide')
    f.cancel.focus()
    f.progress.hidden = false
    write(f.title, agents.length === 1 ? `Stopping ${name(/** @type {Agent} */ (agents[0]))}` : `Stopping ${agents.length} agents`)
    this.#running++
    const watch = () => mine() && this.#progress(agents)
    this.#skein.fleet.addEventListener('change', watch)
    watch()
    try {
      const result = await this.#skein.stop({ ids: agents.map((a) => a.id) })
      const { reports } = result
      const bad = reports.filter((r) => r.error || r.leftovers?.length)
      if (mine() && bad.length > 0) this.#report(agents, result, bad)
      else {
        if (mine()) this.#dialog.close()
        if (bad.length > 0) toast('failed', summary(result), troubles(agents, bad).join(' '))
        else toast('done', reports.length === 1 ? `${title(agents, reports[0]?.id)} is stopped` : summary(result), detail(reports), { n: reports.length, say: (n) => `${n} agents are stopped` })
      }
    } catch (e) {
      if (mine()) {
        f.progress.hidden = true
        write(f.title, 'No stop was confirmed')
        write(f.lead, messageOf(e))
        write(f.cancel, 'Close')
      } else failed('The stop failed', e)
    } finally {
      this.#skein.fleet.removeEventListener('change', watch)
      this.#running--
      this.#done?.()
    }
  }

  /** @param {Agent[]} agents */
  #progress(agents) {
    const gone = agents.filter((a) => !alive(this.#skein.fleet.agents.get(a.id) ?? a)).length
    const bar = /** @type {HTMLProgressElement} */ (one(this.#dialog, 'progress'))
    mark(bar, 'max', String(agents.length))
    mark(bar, 'value', String(gone))
    write(this.#f.text, `${gone} of ${agents.length} ended`)
  }

  /**
   * @param {Agent[]} agents
   * @param {StopResult} result
   * @param {StopReport[]} bad
   */
  #report(agents, result, bad) {
    const f = this.#f
    f.progress.hidden = true
    f.names.replaceChildren()
    write(f.title, 'Not everything is gone')
    write(f.lead, summary(result))
    f.report.replaceChildren(
      ...troubles(agents, bad).map((text) => {
        const li = document.createElement('li')
        li.textContent = text
        return li
      }),
    )
    f.report.hidden = false
    write(f.cancel, 'Close')
  }
}

/**
 * Says what a stop does.
 * @param {Agent[]} agents
 * @param {number} [grace]
 */
function how(agents, grace) {
  const one = agents.length === 1
  if (agents.every((a) => a.kind === 'scripted')) return one ? 'Its script ends where it is.' : 'Their scripts end where they are.'
  const after = grace ? span(grace) : one ? 'the grace of its type' : 'the grace of their type'
  return `SIGTERM to ${one ? 'its process group' : 'each process group'}; after ${after}, SIGKILL to the rest.`
}

/** @param {Agent} a */
const name = (a) => clean(a.name) || a.id

/**
 * @param {Agent[]} agents
 * @param {string} [id]
 */
function title(agents, id) {
  const a = agents.find((x) => x.id === id)
  return a ? name(a) : (id ?? '')
}

/** @param {Agent[]} agents */
function listed(agents) {
  const words = agents.slice(0, MAX_NAMES).map(name)
  if (agents.length > MAX_NAMES) words.push(`and ${agents.length - MAX_NAMES} more`)
  return words.map((word) => {
    const li = document.createElement('li')
    li.textContent = word
    return li
  })
}

/** @param {StopResult} result */
function summary({ reports, more = 0, more_failed = 0 }) {
  const n = (/** @type {(r: StopReport) => unknown} */ is) => reports.filter(is).length
  const parts = [`${n((r) => !r.error && !r.leftovers?.length) + more - more_failed} stopped`]
  const forced = n((r) => r.forced)
  const left = n((r) => r.leftovers?.length)
  const errors = n((r) => r.error)
  if (forced) parts.push(`${forced} forced`)
  if (left) parts.push(`${left} with leftovers`)
  if (errors) parts.push(`${errors} failed`)
  return parts.join(', ')
}

/** @param {StopReport[]} reports */
function detail(reports) {
  const slowest = Math.max(0, ...reports.map((r) => r.took_ms))
  if (reports.length === 1 && reports[0]?.cleared) return `It had ended before; ${count(reports[0].cleared, 'process that it left is', 'processes that it left are')} gone now.`
  if (reports.length === 1 && reports[0]?.already) return 'It had ended before.'
  if (reports.length === 1 && reports[0]?.forced) return `SIGKILL was needed, after ${took(slowest)}.`
  return `Verified to be gone within ${took(slowest)}.`
}

/** @param {number} ms */
const took = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`)

/**
 * @param {Agent[]} agents
 * @param {StopReport[]} bad
 */
function troubles(agents, bad) {
  return bad.map((r) => {
    const why = r.error ? messageOf(new Error(r.error.message)) : `still there: ${leftoversText(r.leftovers)}`
    return `${title(agents, r.id)}: ${why}`
  })
}
