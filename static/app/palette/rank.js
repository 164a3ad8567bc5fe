/**
 * What is found for a text, and in which order: pure functions, without a page.
 */
import uFuzzy from '@leeoniya/ufuzzy'

/** @typedef {'agent' | 'task' | 'memory' | 'artifact' | 'schedule' | 'page' | 'command'} Kind */

/**
 * @typedef {object} Item something that can be found
 * @property {Kind} kind
 * @property {string} key identifies it within its kind
 * @property {string} title
 * @property {string} [detail] shown beside the title
 * @property {string} [also] what else it is found by, such as an id
 * @property {string} icon a shape of the sprite
 * @property {string} [note] a word at its end, such as its state
 * @property {string} [href] where it is; a command may have none
 * @property {() => void} [run] what a command does
 * @property {string} [matched] the text for which the server returned it
 */

/** @typedef {{kind: Kind, title: string, items: Item[], more: number}} Group more: how many are found and not among the items */

/** The kinds in the order in which they are shown when nothing else decides, with their titles. @type {Record<Kind, string>} */
export const KINDS = {
  agent: 'Agents', task: 'Tasks', memory: 'Memory', artifact: 'Artifacts', schedule: 'Schedules', page: 'Pages', command: 'Commands',
}

/** How many of a kind are shown. */
export const FEW = 5

/** A word of any language, with one mistake in it if it is not very short. */
const fuzzy = new uFuzzy({
  unicode: true, intraMode: 1,
  interSplit: '[^\\p{L}\\d\']+', intraSplit: '\\p{Ll}\\p{Lu}', intraBound: '\\p{L}\\d|\\d\\p{L}|\\p{Ll}\\p{Lu}',
  intraChars: '[\\p{L}\\d\']', intraContr: '\'\\p{L}{1,2}\\b',
})

/** For more items than this the library does not order them; their order is then that in which they came. */
const MOST_ORDERED = 1000

/** How many words may come in another order than in the text. */
const ANY_ORDER = 4

/** @param {string} text @returns {string[]} its words */
export const words = (text) => text.trim().split(/\s+/).filter(Boolean)

/** @param {string} s */
const escaped = (s) => s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/**
 * Cuts a text at the words that were searched for.
 * @param {string} text
 * @param {string[]} found the words
 * @returns {{text: string, hit: boolean}[]} pieces; those that are hits are to be marked
 */
export function pieces(text, found) {
  const all = found.toSorted((a, b) => b.length - a.length).map(escaped)
  if (all.length === 0) return [{ text, hit: false }]
  return text.split(new RegExp(`(${all.join('|')})`, 'iu')).map((text, i) => ({ text, hit: i % 2 === 1 })).filter((p) => p.text)
}

/**
 * How good a match is: 5 for the name itself, 4 for its beginning, 3 for the beginning of a word, 2 for a part, 1 if all words are
 * in the title in any order, 0 otherwise.
 * @param {Item} item
 * @param {string} text
 */
export function quality({ title, key }, text) {
  const name = title.toLowerCase()
  const sought = text.trim().toLowerCase()
  if (name === sought || key.toLowerCase() === sought) return 5
  const at = name.indexOf(sought)
  if (at === 0) return 4
  if (at > 0) return /[\p{L}\d]/u.test(name[at - 1] ?? '') ? 2 : 3
  return words(sought).every((w) => name.includes(w)) ? 1 : 0
}

/**
 * Returns the items that a text finds, the best first. What the server found for this text stays, even if it is not known why.
 * @param {Item[]} items
 * @param {string} text
 * @param {(item: Item) => number} [recent] where it is among those used lately, from 0; Infinity: it is not
 * @returns {Item[]}
 */
export function rank(items, text, recent = () => Infinity) {
  const ordered = search(items, text)
  const found = new Set(ordered)
  if (words(text).length === 1) for (const item of items) if (item.matched === text && !found.has(item)) ordered.push(item)
  const place = new Map(ordered.map((item, i) => [item, { quality: quality(item, text), recent: recent(item), i }]))
  return ordered.sort((a, b) => {
    const x = /** @type {{quality: number, recent: number, i: number}} */ (place.get(a))
    const y = /** @type {{quality: number, recent: number, i: number}} */ (place.get(b))
    return y.quality - x.quality || (x.recent === y.recent ? 0 : x.recent - y.recent) || x.i - y.i
  })
}

/**
 * @param {Item[]} items
 * @param {string} text
 */
function search(items, text) {
  const stack = items.map(({ title, detail = '', also = '' }) => `${title} ${detail} ${also}`)
  const sought = words(text).map((w) => w.replace(/^-+/, '')).join(' ') // the library would exclude -x
  const [indexes, , order] = fuzzy.search(stack, sought, ANY_ORDER, MOST_ORDERED)
  const found = order && indexes ? order.map((i) => /** @type {number} */ (indexes[i])) : (indexes ?? literally(stack, text))
  return found.map((i) => /** @type {Item} */ (items[i]))
}

/**
 * Finds a text that has no letters and no digits.
 * @param {string[]} stack
 * @param {string} text
 */
function literally(stack, text) {
  const sought = text.trim().toLowerCase()
  return /[\p{L}\d]/u.test(sought) ? [] : stack.flatMap((s, i) => (s.toLowerCase().includes(sought) ? [i] : []))
}

/**
 * Groups what was found by kind, the kind with the best match first, and few of each.
 * @param {Item[]} ranked the best first
 * @param {string} text
 * @param {Partial<Record<Kind, number>>} [totals] how many of a kind the server has found; undefined: as many as there are items
 * @returns {Group[]}
 */
export function group(ranked, text, totals = {}) {
  const kinds = /** @type {Kind[]} */ (Object.keys(KINDS))
  const all = kinds.map((kind) => {
    const found = ranked.filter((item) => item.kind === kind)
    const items = found.slice(0, FEW)
    const best = items[0] ? quality(items[0], text) : -1
    return { kind, title: KINDS[kind], items, more: Math.max(found.length, items.length > 0 ? (totals[kind] ?? 0) : 0) - items.length, best }
  })
  return all.filter((g) => g.items.length > 0).sort((a, b) => b.best - a.best).map(({ best, ...g }) => g)
}
