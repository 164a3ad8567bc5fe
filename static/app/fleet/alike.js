import { need } from '../lib/format.js'

/** @import { Agent } from '../../client/types.js' */

/**
 * What agents that ask the same have in common, so that one answer fits all; '' of those that ask nothing.
 * @param {Agent} a
 */
export const question = (a) => (need(a) === 'question' && a.question ? JSON.stringify([a.type, Boolean(a.tty), a.question]) : '')

/**
 * How many agents ask the same, by their question.
 * @param {Iterable<Agent>} agents
 */
export function alike(agents) {
  /** @type {Map<string, number>} */
  const all = new Map()
  for (const a of agents) {
    const q = question(a)
    if (q) all.set(q, (all.get(q) ?? 0) + 1)
  }
  return all
}

/**
 * Those that ask what one of them does, itself too.
 * @param {Agent} agent
 * @param {Iterable<Agent>} agents
 */
export const asking = (agent, agents) => [...agents].filter((a) => question(a) !== '' && question(a) === question(agent))
