import { at } from './base.js'
import { failed, toast } from './toast.js'

/** @import { Skein } from '../../client/index.js' */

/** The fragment of an agent's page that puts the focus on what the agent asks. */
export const QUESTION = '#question'

/**
 * Opens the page of the agent that has waited for an answer for the longest time, at what it asks.
 * @param {Skein} skein
 */
export async function openLongest(skein) {
  try {
    const [ask] = (await skein.asks({ limit: 1 })).asks
    if (!ask) return toast('done', 'Nobody waits for you')
    const path = at(`/agents/${encodeURIComponent(ask.agent)}`)
    if (location.pathname === path && location.hash === QUESTION) dispatchEvent(new Event('hashchange'))
    else location.assign(path + QUESTION)
  } catch (e) {
    failed('Who waits is not known', e)
  }
}
