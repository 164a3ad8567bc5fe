/**
 * Waits for an event after which a condition holds, or returns at once if it holds already.
 * @param {EventTarget} target
 * @param {string} type
 * @param {() => boolean} condition
 * @returns {Promise<void>}
 */
export async function until(target, type, condition) {
  while (!condition()) await new Promise((resolve) => target.addEventListener(type, resolve, { once: true }))
}

/**
 * Waits until a condition holds and checks it in each turn of the event loop. The time limit of the test runner bounds the wait.
 * @param {() => boolean} condition
 */
export async function eventually(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}
