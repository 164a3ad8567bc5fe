import { ago, clock, span, when } from './format.js'

/**
 * Writes cells that change with time, by their data-tick. The server wrote them the first time.
 * @type {Record<string, (el: HTMLElement, at: string, now: number) => string>}
 */
const TICKS = {
  span: ({ dataset: { before = '' } }, at, now) => before + span(now - Date.parse(at)),
  ago: (_, at, now) => ago(now - Date.parse(at)),
  when: (_, at, now) => when(at, now),
  clock: (_, at) => clock(at), // in the reader's time zone
  left: ({ dataset: { before = '', then = '' } }, at, now) => {
    const left = Date.parse(at) - now
    return left > 0 ? before + span(left + 999) : then
  },
}

/**
 * Writes the cells that change with time.
 * @param {ParentNode} root
 */
export function tick(root) {
  const now = Date.now()
  for (const el of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-tick]'))) {
    const text = TICKS[el.dataset.tick ?? '']?.(el, el.dataset.at ?? '', now)
    if (text !== undefined && text !== el.textContent) el.textContent = text
  }
}
