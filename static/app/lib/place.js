/**
 * Finds a place in the window where nothing lies that somebody might press.
 */

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box in pixels */

/** The space between a notice and a control, and between the places that are tried, in pixels. */
const GAP = 6
const STEP = 16

/**
 * Returns where a box of a size covers none of the others: as low as possible, and there as far to the right; undefined if it
 * covers one everywhere.
 * @param {{width: number, height: number}} size
 * @param {Box} view where it may be
 * @param {Box[]} others
 * @returns {{left: number, top: number} | undefined}
 */
export function freePlace({ width, height }, view, others) {
  for (let top = view.bottom - height; top >= view.top; top -= STEP / 2) {
    const beside = others.filter((o) => o.bottom + GAP > top && o.top - GAP < top + height)
    for (let left = view.right - width; left >= view.left; left -= STEP) {
      if (!beside.some((o) => o.right + GAP > left && o.left - GAP < left + width)) return { left, top }
    }
  }
  return undefined
}

/**
 * @param {Box} a
 * @param {Box[]} others
 */
export const covers = (a, others) => others.some((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
