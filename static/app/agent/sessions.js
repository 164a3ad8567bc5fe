/**
 * Goes on with conversations of other times: that of an agent that has ended, and those that a running one knows.
 */
import { again } from '../fleet/spawn.js'
import { at } from '../lib/base.js'
import { dialog, open } from '../lib/dialog.js'
import { busy, clone, field, mark, one, write } from '../lib/dom.js'
import { messageOf } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Agent } from '../../client/types.js' */

/** @typedef {{id: string, title?: string, cwd?: string, updated_at?: string, current?: boolean}} Session */

/**
 * @param {Skein} skein
 * @param {HTMLElement} root
 * @param {() => Agent | undefined} agent
 */
export function sessions(skein, root, agent) {
  const list = document.querySelector('#sessions') ? new Sessions(skein, agent) : undefined
  root.querySelector('#sessions-open')?.addEventListener('click', () => void list?.open())
  const button = /** @type {HTMLButtonElement} */ (one(root, '#go-on'))
  button.addEventListener('click', () => {
    const a = agent()
    if (a?.session) void goOn(skein, button, a, { id: a.session, ...(a.cwd && { cwd: a.cwd }) })
  })
  const fork = /** @type {HTMLButtonElement | null} */ (root.querySelector('#fork'))
  fork?.addEventListener('click', () => {
    const a = agent()
    if (a?.session) void goOn(skein, fork, a, { id: a.session, ...(a.cwd && { cwd: a.cwd }) }, { fork: true })
  })
}

/**
 * Starts an agent that goes on with a conversation, and goes to its page.
 * @param {Skein} skein
 * @param {HTMLButtonElement} button
 * @param {Agent} like
 * @param {Session} session
 * @param {{fork?: boolean}} [how] whether in a copy of it
 */
async function goOn(skein, button, like, { id, cwd }, how = {}) {
  busy(button, true)
  const next = (await again(skein, like, { session: id, ...how, ...(cwd && { cwd, folder: 'shared', share: true }) }))?.agents[0]
  busy(button, false)
  if (next) location.assign(at(`/agents/${encodeURIComponent(next.id)}`))
}

/** Sessions is the dialog that lists what a running agent knows. */
class Sessions {
  #skein
  #agent
  #dialog = dialog('sessions')
  #lead = field(this.#dialog, 'lead')
  #list = field(this.#dialog, 'list')
  #more = /** @type {HTMLButtonElement} */ (field(this.#dialog, 'more'))
  #next = ''

  /**
   * @param {Skein} skein
   * @param {() => Agent | undefined} agent
   */
  constructor(skein, agent) {
    this.#skein = skein
    this.#agent = agent
    this.#more.addEventListener('click', () => void this.#load())
  }

  async open() {
    this.#next = ''
    this.#list.replaceChildren()
    write(this.#lead, 'Looking…')
    open(this.#dialog)
    await this.#load()
  }

  async #load() {
    const a = this.#agent()
    if (!a) return
    busy(this.#more, true)
    try {
      const page = await this.#skein.call('agent.sessions', { id: a.id, ...(this.#next && { cursor: this.#next }) })
      this.#next = page.next ?? ''
      this.#list.append(...page.sessions.map((/** @type {Session} */ s) => this.#item(a, s)))
      write(this.#lead, this.#list.childElementCount > 0 ? `Conversations that ${a.type} can go on with` : 'It knows no sessions yet.')
    } catch (e) {
      write(this.#lead, messageOf(e))
    }
    busy(this.#more, false)
    this.#more.hidden = !this.#next
  }

  /**
   * @param {Agent} a
   * @param {Session} s
   */
  #item(a, s) {
    const el = clone('session')
    write(field(el, 'title'), s.title || s.id)
    const time = new Date(s.updated_at ?? '')
    write(field(el, 'at'), Number.isNaN(time.getTime()) ? '' : time.toLocaleString())
    write(field(el, 'cwd'), s.cwd ?? '')
    const go = /** @type {HTMLButtonElement} */ (field(el, 'go'))
    if (s.current) {
      write(go, 'This one')
      go.disabled = true
    }
    mark(go, 'aria-label', `${go.textContent}: ${s.title || s.id}`)
    go.addEventListener('click', () => void goOn(this.#skein, go, a, s))
    return el
  }
}
