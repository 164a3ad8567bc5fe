/**
 * Ends the process of an agent and starts another one in its place.
 */
import { at } from '../lib/base.js'
import { dialog, open } from '../lib/dialog.js'
import { busy, field, one } from '../lib/dom.js'
import { failed, toast } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Agent } from '../../client/types.js' */

/**
 * Restarts an agent. If another one has taken its place, goes to the page of that.
 * @param {Skein} skein
 * @param {string} id
 */
export async function restart(skein, id) {
  const { agent, spawned } = /** @type {{agent: Agent, spawned?: boolean}} */ (await skein.call('agent.restart', { id }))
  if (spawned) location.assign(at(`/agents/${encodeURIComponent(agent.id)}`))
  else toast('done', 'It is restarted')
}

/**
 * The button that does that, after a question if the agent is at work.
 * @param {Skein} skein
 * @param {HTMLElement} root
 * @param {string} id
 */
export function restarts(skein, root, id) {
  const button = /** @type {HTMLButtonElement} */ (one(root, '#restart'))
  const asks = dialog('restarting')
  const go = async () => {
    busy(button, true)
    try {
      await restart(skein, id)
    } catch (e) {
      failed('It was not restarted', e)
    } finally {
      busy(button, false)
    }
  }
  button.addEventListener('click', () => {
    if (button.dataset.asks === undefined) return void go()
    open(asks)
    field(asks, 'restart').focus()
  })
  one(asks, 'form').addEventListener('submit', () => void go())
}
