/** @import { Terminal } from '@xterm/xterm' */

/** Code points of keys that have names, in the kitty keyboard protocol. @type {Record<string, number>} */
const NAMED = { Escape: 27, Enter: 13, Tab: 9, Backspace: 127 }

/** The flag of the protocol that this does: escape codes that mean one thing only. */
const DISAMBIGUATE = 1

/**
 * What a key sends in the kitty keyboard protocol with that flag; undefined if that is what it always sends.
 * @param {Pick<KeyboardEvent, 'key' | 'code' | 'shiftKey' | 'altKey' | 'ctrlKey' | 'metaKey'> & Partial<Pick<KeyboardEvent, 'getModifierState'>>} e
 */
export function encoded(e) {
  if (e.metaKey || e.getModifierState?.('AltGraph') || (e.ctrlKey && e.altKey && [...e.key].length === 1)) return undefined // the browser's, or a character
  const mods = (e.shiftKey ? 1 : 0) | (e.altKey ? 2 : 0) | (e.ctrlKey ? 4 : 0)
  const named = NAMED[e.key]
  if (named) {
    if (mods === 0) return e.key === 'Escape' ? '\x1b[27u' : undefined
    return `\x1b[${named};${mods + 1}u`
  }
  if ([...e.key].length !== 1 || (mods & ~1) === 0) return undefined
  const letter = /^Key([A-Z])$/.exec(e.code)?.[1].toLowerCase() ?? /^Digit(\d)$/.exec(e.code)?.[1] ?? e.key.toLowerCase()
  return `\x1b[${letter.codePointAt(0)};${mods + 1}u`
}

/** The keys of a terminal: what the program asked for, and the page's own. */
export class Keyboard {
  #flags = 0
  /** @type {Record<string, () => void>} */
  #own = {}

  /**
   * @param {Terminal} term
   * @param {(text: string) => void} type
   */
  constructor(term, type) {
    // The server tells the flags that hold now: CSI = flags ; 1 u.
    term.parser.registerCsiHandler({ prefix: '=', final: 'u' }, ([flags]) => {
      this.#flags = Number(flags)
      return true
    })
    term.attachCustomKeyEventHandler((e) => {
      if (e.ctrlKey && e.shiftKey && !e.altKey && !e.metaKey && Object.hasOwn(this.#own, e.code)) {
        if (e.type === 'keydown') this.#own[e.code]()
        e.preventDefault()
        return false
      }
      if (e.ctrlKey && e.shiftKey && e.code === 'KeyV') return false // the browser pastes
      if (e.key === 'Tab' && term.options.disableStdin) return false // nothing takes it: the browser goes on
      if (!(this.#flags & DISAMBIGUATE) || e.isComposing) return true
      const text = encoded(e)
      if (!text) return true
      if (e.type === 'keydown') type(text)
      e.preventDefault()
      return false
    })
  }

  /** @param {Record<string, () => void>} own what keys do with Ctrl and Shift, by KeyboardEvent.code */
  bind(own) {
    this.#own = own
  }
}
