import { dialog, open } from '../lib/dialog.js'
import { busy, field, one, write } from '../lib/dom.js'
import { clean, count } from '../lib/format.js'
import { failed, messageOf, toast } from '../lib/toast.js'
import { removable } from './removable.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Agent } from '../../client/types.js' */

/** @typedef {{id: string, folder?: string, error?: {message: string}}} Report what became of an agent */

/** How many names the dialog shows; it counts the others. */
const MAX_NAMES = 8

/** How many agents one request may name. */
export const MAX_BATCH = 1000

const LOST = 'What they have printed goes with them, for good. Tasks and artifacts stay, and so does work in their folders.'

/**
 * Removes agents, some at a time.
 * @param {(ids: string[]) => Promise<{reports: Report[]}>} remove
 * @param {string[]} ids
 */
export async function removeAll(remove, ids) {
  /** @type {Report[]} */
  const all = []
  for (let i = 0; i < ids.length; i += MAX_BATCH) all.push(...(await remove(ids.slice(i, i + MAX_BATCH))).reports)
  return all
}

/** The dialog that asks before agents are removed, and then says which were not. */
export class RemoveDialog {
  #remove
  #dialog = dialog('remove')
  #f
  /** @type {Agent[]} */
  #agents = []
  #done = () => {}

  /** @param {Skein} skein */
  constructor(skein) {
    this.#remove = (/** @type {string[]} */ ids) => /** @type {Promise<{reports: Report[]}>} */ (skein.call('agent.remove', { ids }))
    const f = (/** @type {string} */ name) => field(this.#dialog, name)
    this.#f = { title: f('title'), lead: f('lead'), names: f('names'), report: f('report'), cancel: f('cancel'), confirm: /** @type {HTMLButtonElement} */ (f('confirm')) }
    one(this.#dialog, 'form').addEventListener('submit', (e) => {
      e.preventDefault()
      void this.#go()
    })
  }

  /**
   * @param {Agent[]} agents those that can't be removed are left out
   * @param {() => void} done is called when they are removed
   */
  ask(agents, done) {
    this.#agents = removable(agents)
    this.#done = done
    const n = this.#agents.length
    if (n === 0) return
    const f = this.#f
    write(f.title, `Remove ${n === 1 ? name(this.#agents[0]) : `${n} ended agents`}?`)
    write(f.lead, n === 1 ? LOST.replace('they have', 'it has').replace('them', 'it').replace('their folders', 'its folder') : LOST)
    f.names.hidden = n === 1
    f.names.replaceChildren(...this.#agents.slice(0, MAX_NAMES).map((a) => item(name(a))), ...(n > MAX_NAMES ? [item(`and ${n - MAX_NAMES} more`)] : []))
    f.report.hidden = true
    f.confirm.hidden = false
    write(f.confirm, n === 1 ? 'Remove' : `Remove ${n} agents`)
    write(f.cancel, 'Cancel')
    open(this.#dialog)
    f.cancel.focus() // there is no way back
  }

  async #go() {
    const agents = this.#agents
    const names = new Map(agents.map((a) => [a.id, name(a)]))
    busy(this.#f.confirm, true)
    try {
      const reports = await removeAll(this.#remove, agents.map((a) => a.id))
      this.#said(reports, names)
      this.#done()
    } catch (e) {
      this.#dialog.close()
      failed('They were not removed', e)
    } finally {
      busy(this.#f.confirm, false)
    }
  }

  /** @param {Report[]} reports @param {Map<string, string>} names */
  #said(reports, names) {
    const bad = reports.filter((r) => r.error)
    const kept = reports.filter((r) => r.folder)
    const gone = reports.length - bad.length
    const folders = kept.length > 0 ? `${count(kept.length, 'folder has', 'folders have')} files, and stay${kept.length === 1 ? 's' : ''}: ${kept[0]?.folder}${kept.length > 1 ? ' and others' : ''}.` : ''
    if (bad.length === 0) {
      this.#dialog.close()
      return toast('done', gone === 1 ? `${names.get(reports[0]?.id ?? '')} is removed` : `${gone} agents are removed`, folders)
    }
    const f = this.#f
    write(f.title, `${bad.length} of ${reports.length} ${reports.length === 1 ? 'agent' : 'agents'} ${bad.length === 1 ? 'was' : 'were'} not removed`)
    write(f.lead, [gone > 0 ? `${count(gone, 'agent is', 'agents are')} removed.` : '', folders].filter(Boolean).join(' '))
    f.names.hidden = true
    f.report.hidden = false
    f.report.replaceChildren(...bad.map((r) => item(messageOf(new Error(r.error?.message)))))
    f.confirm.hidden = true
    write(f.cancel, 'Close')
    if (this.#dialog.open) f.cancel.focus()
    else failed(f.title.textContent ?? '', new Error(bad[0]?.error?.message))
  }
}

/** @param {Agent | undefined} a */
const name = (a) => clean(a?.name ?? '')

/** @param {string} text */
function item(text) {
  const li = document.createElement('li')
  li.textContent = text
  return li
}
