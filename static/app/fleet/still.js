/** @import { Agent } from '../../client/types.js' */

/**
 * What of an agent the server renders: its record without what the page writes itself, because it changes all the time. The
 * server goes by the same (Still, in ui).
 * @param {Agent} a
 */
export const still = (a) =>
  JSON.stringify({ ...a, usage: 0, last_line: 0, last_seq: 0, rev: 0, last_heartbeat: a.status === 'unknown' ? a.last_heartbeat : 0 })
