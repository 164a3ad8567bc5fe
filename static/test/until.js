/**
 * Waits for an event after which a condition holds; at once when it holds already.
 * @param {EventTarget} target
 * @param {string} type
 * @param {() => boolean} condition
 * @returns {Promise<void>}
 */
export async function until(target, type, condition) {
  while (!condition()) await new Promise((resolve) => target.addEventListener(type, resolve, { once: true }))
}

/**
 * Waits, turn by turn of the event loop, until a condition holds. The runner's time limit bounds it.
 * @param {() => boolean} condition
 */
export async function eventually(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}
