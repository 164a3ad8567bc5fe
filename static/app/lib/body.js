/** @import { Agent } from '../../client/types.js' */

/**
 * What the agent prints: lines, or a terminal.
 *
 * @typedef {object} Body
 * @property {Record<string, () => void>} keys its shortcuts
 * @property {(a: Agent) => void} show
 * @property {() => void} hot called every second
 * @property {(signal: AbortSignal, events: {attached: (a: Agent) => void, event: (e: any) => void}) => Promise<void>} follow
 */
export {}
