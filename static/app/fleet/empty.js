/**
 * The page of an empty fleet: a click starts an agent of this machine, in the folder that the page has, or a demo.
 */
import { RpcError } from '../../client/index.js'
import { at } from '../lib/base.js'
import { mark, one, write } from '../lib/dom.js'
import { messageOf } from '../lib/toast.js'
import { report, spawn } from './spawn.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { SpawnParams } from '../../client/types.js' */
/** @import { Spawned } from './spawn.js' */

/**
 * @param {Skein} skein
 * @param {Spawned} spawned
 */
export function starters(skein, spawned) {
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('#no-agents [data-spawn]'))) {
    button.addEventListener('click', async () => {
      const params = /** @type {SpawnParams} */ (JSON.parse(button.dataset.spawn ?? '{}'))
      button.disabled = true
      if (button.dataset.open !== undefined) await start(skein, params, button.dataset.inFolder !== undefined, spawned)
      else {
        const result = await spawn(skein, params)
        if (result) spawned(result)
      }
      button.disabled = false
    })
  }
}

/**
 * Starts an agent and opens its page, where it takes its first prompt, or its keys, and says what it needs.
 * @param {Skein} skein
 * @param {SpawnParams} params
 * @param {boolean} inFolder whether it works in the folder that the page has
 * @param {Spawned} spawned
 */
async function start(skein, params, inFolder, spawned) {
  const box = /** @type {HTMLInputElement} */ (one(document, '#start-folder'))
  const cwd = box.value.trim()
  wrong(box, '')
  try {
    const result = await skein.spawn(inFolder && cwd ? { ...params, cwd } : params)
    const { agents: [agent], failed = [] } = result
    if (failed.length === 0 && agent) location.assign(at(`/agents/${agent.id}`))
    else {
      report(result)
      spawned(result) // with why it failed, and a way to do it again
    }
  } catch (e) {
    wrong(box, messageOf(e))
    if (e instanceof RpcError && e.field === 'cwd') box.focus()
  }
}

/** @param {HTMLInputElement} box @param {string} text why nothing was started; '': nothing is wrong */
function wrong(box, text) {
  const error = one(document, '#start-folder-error')
  write(error, text)
  error.hidden = text === ''
  mark(box, 'aria-invalid', text !== '' && 'true')
}
