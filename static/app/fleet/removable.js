import { alive } from '../lib/format.js'

/** @import { Agent } from '../../client/types.js' */

/**
 * Those that can be removed: they have ended, and left no process behind.
 * @param {Agent[]} agents
 */
export const removable = (agents) => agents.filter((a) => !alive(a) && !a.exit?.leftovers?.length)
