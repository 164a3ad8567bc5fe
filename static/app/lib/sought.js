/** @typedef {{text: string, seq: number, back: number}} Sought back is how many matches of the same event come after it */

/**
 * Returns what a link to a line of output says: the text that was searched for, and where the line is. It is undefined if the
 * address has none.
 * @param {string} query of the address
 * @returns {Sought | undefined}
 */
export function sought(query) {
  const q = new URLSearchParams(query)
  const text = q.get('find') ?? ''
  const [, seq, back] = /^(\d{1,15})\.(\d{1,6})$/.exec(q.get('at') ?? '') ?? []
  return text ? { text, seq: Number(seq ?? 0), back: Number(back ?? 0) } : undefined
}

/**
 * The query of an address of such a link.
 * @param {Sought} what
 */
export const soughtQuery = ({ text, seq, back }) => new URLSearchParams({ find: text, at: `${seq}.${back}` }).toString()
