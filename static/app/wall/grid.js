/**
 * The cells around one, by where they stand on the page.
 * @param {HTMLElement[]} cells in order
 * @param {number} at
 * @param {'left' | 'right' | 'up' | 'down' | 'first' | 'last'} to
 * @returns {number} the place of the cell to go to; `at` if there is none
 */
export function beside(cells, at, to) {
  const top = cells[0]?.offsetTop
  const columns = Math.max(1, cells.findIndex((c) => c.offsetTop !== top))
  const across = columns === 1 && cells.length > 0 && cells.every((c) => c.offsetTop === top) ? cells.length : columns
  const next = { left: at - 1, right: at + 1, up: at - across, down: at + across, first: 0, last: cells.length - 1 }[to]
  return next >= 0 && next < cells.length ? next : at
}
