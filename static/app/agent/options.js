/**
 * What an agent lets people choose, such as its model, as selects beside the box for prompts, and the commands that it has.
 */
import { clone, field, mark, one, write } from '../lib/dom.js'
import { failed } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Agent } from '../../client/types.js' */

/** @typedef {{id: string, name: string, description?: string, group?: string}} Value */
/** @typedef {{id: string, name: string, description?: string, category?: string, value: string, values: Value[], more?: number}} Option */
/** @typedef {{name: string, description?: string, hint?: string}} Command */
/** @typedef {{options: Option[], commands: Command[], sessions?: boolean, forks?: boolean}} Offers agent.options */

/** @type {Offers} */
const NOTHING = { options: [], commands: [] }

export class Options {
  #skein
  #id
  #bar
  #sessions
  #fork
  #wanted = 0 // the number of the offers that are to be shown; 0: none
  #reading = false
  /** @type {Command[]} */
  commands = []

  /**
   * @param {Skein} skein
   * @param {HTMLElement} root
   * @param {string} id
   */
  constructor(skein, root, id) {
    this.#skein = skein
    this.#id = id
    this.#bar = one(root, '#options')
    this.#sessions = one(root, '#sessions-open')
    this.#fork = one(root, '#fork')
    this.#bar.addEventListener('change', (e) => {
      if (e.target instanceof HTMLSelectElement) void this.#set(e.target)
    })
  }

  /** @param {Agent} a */
  show(a) {
    const now = a.status === 'running' ? (a.offers ?? 0) : 0
    if (now === this.#wanted) return
    this.#wanted = now
    if (now === 0) this.#render(NOTHING)
    else void this.#read()
  }

  /** Asks until what is shown is as new as is known. */
  async #read() {
    if (this.#reading) return
    this.#reading = true
    try {
      for (let seen = 0; this.#wanted > 0 && seen !== this.#wanted; ) {
        seen = this.#wanted
        const offers = await this.#skein.call('agent.options', { id: this.#id })
        if (this.#wanted > 0) this.#render(offers)
      }
    } catch {
      this.#wanted = -1 // the next change of the agent asks again
    }
    this.#reading = false
  }

  /** @param {HTMLSelectElement} select */
  async #set(select) {
    const option = select.dataset.option ?? ''
    mark(select, 'aria-busy', true)
    try {
      this.#render(await this.#skein.call('agent.configure', { id: this.#id, option, value: select.value }))
    } catch (e) {
      failed(`${select.dataset.name} was not changed`, e)
      select.value = select.dataset.value ?? ''
    }
    mark(select, 'aria-busy', null)
  }

  /** @param {Offers} offers */
  #render({ options, commands, sessions = false, forks = false }) {
    this.commands = commands
    const known = new Map([...this.#bar.querySelectorAll('label')].map((el) => [one(el, 'select').dataset.option, el]))
    for (const o of options) {
      const el = known.get(o.id) ?? clone('option')
      known.delete(o.id)
      fill(el, o)
      this.#bar.insertBefore(el, this.#sessions)
    }
    for (const el of known.values()) el.remove()
    this.#sessions.hidden = !sessions
    this.#fork.hidden = !forks
    this.#bar.hidden = options.length === 0 && !sessions && !forks
  }
}

/**
 * @param {HTMLElement} el
 * @param {Option} o
 */
function fill(el, o) {
  const select = /** @type {HTMLSelectElement} */ (one(el, 'select'))
  write(field(el, 'name'), o.name)
  mark(el, 'title', o.description ?? null)
  const values = JSON.stringify(o.values)
  if (select.dataset.values !== values) {
    select.replaceChildren(...valueNodes(o.values))
    select.dataset.values = values
  }
  select.dataset.option = o.id
  select.dataset.name = o.name
  select.dataset.value = select.value = o.value
}

/** @param {Value[]} values */
function valueNodes(values) {
  /** @type {HTMLElement[]} */
  const nodes = []
  for (const v of values) {
    const node = document.createElement('option')
    node.value = v.id
    node.textContent = v.name
    if (v.description) node.title = v.description
    const last = nodes.at(-1)
    if (!v.group) nodes.push(node)
    else if (last instanceof HTMLOptGroupElement && last.label === v.group) last.append(node)
    else {
      const group = document.createElement('optgroup')
      group.label = v.group
      group.append(node)
      nodes.push(group)
    }
  }
  return nodes
}
