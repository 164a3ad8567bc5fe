import uPlot from 'uplot'

/** How many values a curve shows. */
const MAX_VALUES = 60
const HEIGHT = 36

/**
 * Curve is a small curve of the last values, one a second. A missing value leaves a gap. Its colour is that of its element.
 */
export class Curve {
  #plot
  /** @type {number[]} */
  #times = []
  /** @type {(number | null)[]} */
  #values = []

  /**
   * @param {HTMLElement} el
   * @param {number} least the smallest value of the top edge, so that noise does not fill the curve
   */
  constructor(el, least) {
    const colour = () => getComputedStyle(el).color
    this.#plot = new uPlot(
      {
        width: Math.max(el.clientWidth, 1),
        height: HEIGHT,
        padding: [2, 0, 2, 0],
        legend: { show: false },
        cursor: { show: false },
        axes: [{ show: false }, { show: false }],
        scales: {
          x: { time: false, range: (_, min, max) => [Math.min(min ?? 0, (max ?? 0) - MAX_VALUES + 1), max ?? 0] },
          y: { range: (_, min, max) => [0, Math.max(max ?? 0, least)] },
        },
        series: [{}, { stroke: colour, width: 1.5, points: { show: false } }],
      },
      [[], []],
      el,
    )
    new ResizeObserver(() => el.clientWidth > 0 && this.#plot.setSize({ width: el.clientWidth, height: HEIGHT })).observe(el)
  }

  /**
   * @param {number} second
   * @param {number | null} value
   */
  add(second, value) {
    this.#times = [...this.#times, second].slice(-MAX_VALUES)
    this.#values = [...this.#values, value].slice(-MAX_VALUES)
    this.#plot.setData([this.#times, this.#values])
  }
}
