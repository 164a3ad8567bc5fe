import { leaving } from './later.js'
import { badge, showWaiting } from './title.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { AskListParams, AskListResult } from '../../client/types.js' */

/** How long a request waits for a change, in milliseconds. */
const WAIT_MS = 25_000

/** The pause after a request that failed, in milliseconds. */
const PAUSE_MS = 1000

/** @typedef {{params: AskListParams, show: (list: AskListResult) => void}} Shown what a page shows of the questions, beside their number */

/**
 * Keeps the number of questions of agents up to date, from the one that the page was rendered with, and what the page shows of them.
 * @param {Skein} skein
 * @param {Shown} [shown]
 */
export async function followAsks(skein, { params, show } = { params: { count: true }, show() {} }) {
  const ends = leaving()
  badge()
  let since = document.body.dataset.asks ?? ''
  while (!ends.aborted && skein.state !== 'closed') {
    try {
      const list = await skein.asks({ ...params, since, wait_ms: WAIT_MS }, { signal: ends })
      if (list.position === since) continue
      since = list.position
      showWaiting(list.pending)
      show(list)
    } catch {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS)) // the page keeps what it shows; the connection badge says why
    }
  }
}
