import { at } from '../lib/base.js'
import { bytes, clean, clock } from '../lib/format.js'
import { soughtQuery } from '../lib/sought.js'
import { hitPieces } from './outputs.js'

/** @import { Line, Outputs } from './outputs.js' */
/** @import { Option } from './view.js' */

/**
 * An option that opens an agent's page at a line of its output.
 * @param {Line} line
 * @param {number} i
 * @param {string} text that was searched for
 * @returns {Option}
 */
export function lineOption(line, i, text) {
  const q = soughtQuery({ text, seq: line.seq, back: line.back ?? 0 })
  return {
    key: `line ${i}`, icon: 'i-search', title: [{ text: clean(line.name) || line.agent, hit: false }], detail: hitPieces(line), note: clock(line.time), code: true,
    href: at(`/agents/${encodeURIComponent(line.agent)}?${q}`),
  }
}

/**
 * Says how far the output was searched, and what of it is gone.
 * @param {Pick<Outputs, 'lines' | 'busy' | 'more' | 'since' | 'gone' | 'error'>} found
 */
export function outputsNote({ lines, busy, more, since, gone, error }) {
  if (busy) return 'Searching…'
  if (error) return 'The search failed.'
  const said = []
  if (lines.length === 0) said.push(more && since ? `Nothing since ${clock(since)}.` : 'No line has it.')
  if (gone > 0) said.push(`${bytes(gone)} of earlier output are no longer there: the log was full.`)
  return said.join(' ')
}
