/** Formats texts of several lines. ui/words/taskformat.go has the same rules, for the first render. */
import { ESCAPES } from './format.js'

/** Characters that are invisible or reverse the direction of text, except newlines and tabs. */
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g

/** @param {string} s printed text; the result has its lines without control sequences */
export const plain = (s) => s.replace(ESCAPES, '').replace(CONTROL, '')

/**
 * Indents text that is a JSON object or array and keeps its numbers and strings as they are: JSON.parse would change long
 * numbers.
 * @param {string} text
 * @returns {{text: string, json: boolean}}
 */
export function pretty(text) {
  const s = text.trim()
  if (!/^[{[]/.test(s)) return { text, json: false }
  try {
    JSON.parse(s)
  } catch {
    return { text, json: false }
  }
  let out = ''
  let depth = 0
  let empty = false
  const line = () => `\n${'  '.repeat(depth)}`
  for (const [token] of s.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === '}' || token === ']') {
      depth--
      out += empty ? token : line() + token
    } else {
      if (empty) out += line()
      out += token
      if (token === '{' || token === '[') depth++
      else if (token === ',') out += line()
      else if (token === ':') out += ' '
    }
    empty = token === '{' || token === '['
  }
  return { text: out, json: true }
}
