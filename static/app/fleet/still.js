/** @import { Agent } from '../../client/types.js' */

/**
 * The part of an agent's record that the server renders: all but the values that the page writes itself because they change
 * all the time. Still in ui/fleet does the same on the server.
 * @param {Agent} a
 */
export const still = (a) =>
  JSON.stringify({ ...a, usage: 0, summary: 0, last_line: 0, last_seq: 0, rev: 0, last_heartbeat: a.status === 'unknown' ? a.last_heartbeat : 0 })
