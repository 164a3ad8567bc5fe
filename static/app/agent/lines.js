import { bytes, count, droppedText, exitText } from '../lib/format.js'
import { Style, pieces } from './ansi.js'
import { ScreenLine, moves } from './screen.js'

/** @import { AgentEvent, AgentEventData, GapEvent } from '../../client/types.js' */

/** The longest line of output, in UTF-16 units; a longer one is split. ui/agent/output.go has the same limit. */
const MAX_LINE = 8 << 10

/**
 * @typedef {object} Line
 * @property {number} seq the seq of the event that it began with
 * @property {string} time
 * @property {'out' | 'err' | 'in' | 'bin' | 'mark' | 'gap'} kind
 * @property {string} text the text as printed, or one that looks the same on a terminal; a label for "bin"
 * @property {string} start the style at its beginning, as classes
 * @property {boolean} open whether its newline is still to come
 * @property {string} [base64] the bytes, for "bin"
 */

/**
 * Lines joins the output of events into lines. Events have pieces of text that begin and end anywhere. ui/agent/output.go
 * does the same for the first render.
 */
export class Lines {
  /** @type {Map<string, Line>} by kind, the line that goes on */
  #open = new Map()
  /** @type {Map<string, string>} the style at the end of the last line, by kind */
  #style = new Map()
  /** @type {Set<Line>} lines that are new or changed since the last take() */
  #changed = new Set()

  /**
   * Continues from the state of another Lines.
   * @param {Line[]} open
   * @param {Record<string, string>} style
   */
  resume(open, style) {
    for (const line of open) this.#open.set(line.kind, line)
    for (const [kind, classes] of Object.entries(style)) this.#style.set(kind, classes)
  }

  /** The lines that are new or changed since the last call, in order. */
  take() {
    const lines = [...this.#changed]
    this.#changed.clear()
    return lines
  }

  /** @param {AgentEvent | GapEvent} e */
  add(e) {
    if (e.type.startsWith('output.') && 'dropped' in e && e.dropped) {
      for (const kind of [...this.#open.keys()]) this.#close(kind)
      this.#new('gap', e, droppedText(e.dropped))
    }
    switch (e.type) {
      case 'output.stdout':
        return this.#output('out', e)
      case 'output.stderr':
        return this.#output('err', e)
      case 'input': {
        const size = e.data.base64 ? decode(e.data.base64).length : 0
        const text = size > 0 ? `${count(size, 'byte', 'bytes')} that are not text` : (e.data.text ?? '').replace(/\n+$/, '')
        for (const part of (text === '' && !e.data.text ? 'end of input' : text).split('\n')) this.#new('in', e, part)
        return
      }
      case 'agent.exited':
        for (const kind of [...this.#open.keys()]) this.#close(kind)
        this.#new('mark', e, endText(e.data))
        return
      case 'gap':
        for (const kind of [...this.#open.keys()]) this.#close(kind)
    }
  }

  /**
   * @param {'out' | 'err'} kind
   * @param {AgentEvent} e
   */
  #output(kind, e) {
    if (e.data.base64) {
      this.#close(kind)
      const line = this.#new('bin', e, binaryText(decode(e.data.base64)))
      line.base64 = e.data.base64
      return
    }
    let rest = e.data.text ?? ''
    while (rest !== '') {
      const line = this.#open.get(kind) ?? this.#begin(kind, e)
      this.#changed.add(line)
      const end = rest.indexOf('\n')
      const text = end < 0 ? rest : rest.slice(0, end)
      const { over, full } = grow(line, text)
      if (over > 0) {
        rest = rest.slice(text.length - over)
        this.#close(kind)
        continue
      }
      rest = end < 0 ? '' : rest.slice(end + 1)
      if (end >= 0 || full) this.#close(kind)
    }
  }

  /**
   * @param {'out' | 'err'} kind
   * @param {AgentEvent} e
   */
  #begin(kind, e) {
    /** @type {Line} */
    const line = { seq: e.seq, time: e.time, kind, text: '', start: this.#style.get(kind) ?? '', open: true }
    this.#open.set(kind, line)
    return line
  }

  /**
   * @param {Line['kind']} kind
   * @param {{seq: number, time: string}} e
   * @param {string} text
   */
  #new(kind, { seq, time }, text) {
    /** @type {Line} */
    const line = { seq, time, kind, text, start: '', open: false }
    this.#changed.add(line)
    return line
  }

  /** @param {string} kind */
  #close(kind) {
    const line = this.#open.get(kind)
    if (!line) return
    line.open = false
    const style = new Style(line.start)
    pieces(line.text, style)
    this.#style.set(kind, style.class)
    this.#open.delete(kind)
    this.#changed.add(line)
  }
}

/**
 * Adds output to a line. If the output overwrites text, as a progress bar does, only what a terminal would show is kept, so
 * that the line stays short however long it goes on. `over` is how much no longer fits the line.
 * @param {Line} line
 * @param {string} text
 */
function grow(line, text) {
  const whole = line.text + text
  if (moves(whole.replace(/\r+$/, ''))) {
    const screen = new ScreenLine(new Style(line.start))
    screen.write(whole)
    line.text = screen.state
    return { over: 0, full: screen.columns > MAX_LINE }
  }
  const room = Math.max(0, MAX_LINE - line.text.length)
  if (text.length <= room) {
    line.text = whole
    return { over: 0, full: false }
  }
  const cut = /[\udc00-\udfff]/.test(text.charAt(room)) ? Math.max(0, room - 1) : room
  line.text += text.slice(0, cut)
  return { over: text.length - cut, full: true }
}

/** @param {Line} line by style */
export function linePieces(line) {
  if (line.kind === 'bin' || line.kind === 'mark' || line.kind === 'gap') return [{ class: '', text: line.text }]
  return pieces(line.text, new Style(line.start))
}

/** @param {string} base64 */
export const decode = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))

/** @param {Uint8Array} b */
function binaryText(b) {
  const head = [...b.slice(0, 16)].map((x) => x.toString(16).padStart(2, '0')).join(' ')
  return `Binary, ${bytes(b.length)} · ${head}${b.length > 16 ? ' …' : ''}`
}

/** @param {AgentEventData} d */
function endText(d) {
  if (d.reason === 'completed') return 'Completed'
  if (d.reason === 'stopped') return d.exit?.signal ? `Stopped by ${d.exit.signal}` : 'Stopped'
  return `Failed. ${exitText(d.exit)}`
}
