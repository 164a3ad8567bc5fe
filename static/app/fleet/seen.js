import { settings } from '../lib/dom.js'
import { group, need } from '../lib/format.js'

/** @import { Agent } from '../../client/types.js' */

/** How many dismissed agents are remembered. */
const MAX_DISMISSED = 2000

/** @param {Agent} a another start, another need */
const dismissal = (a) => `${a.id}/${a.generation}/${need(a)}`

/** Seen knows what a person has dismissed, or has looked at since it ended well. It is kept in this browser. */
export class Seen {
  /** @type {Set<string>} */
  #all = new Set()

  constructor() {
    this.read()
  }

  /** Reads what other pages have written. */
  read() {
    this.#all = new Set(/** @type {string[]} */ (JSON.parse(settings.get('dismissed') ?? '[]')))
  }

  /** @param {Agent} a */
  has(a) {
    return this.#all.has(dismissal(a))
  }

  /** @param {Agent[]} agents */
  add(agents) {
    this.read()
    for (const a of agents) this.#all.add(dismissal(a))
    settings.set('dismissed', JSON.stringify([...this.#all].slice(-MAX_DISMISSED)))
  }
}

/**
 * Notes that a person has the page of an agent open: that it ended well is no news then.
 * @param {Agent} a
 */
export function opened(a) {
  if (group(a) === 'finished' && !document.hidden) new Seen().add([a])
}
