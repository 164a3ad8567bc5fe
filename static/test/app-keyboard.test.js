import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encoded } from '../app/terminal/keyboard.js'

/** @param {string} key @param {string} mods of "shift alt ctrl meta" @param {string} [code] */
const press = (key, mods = '', code = '') =>
  encoded({ key, code, shiftKey: mods.includes('shift'), altKey: mods.includes('alt'), ctrlKey: mods.includes('ctrl'), metaKey: mods.includes('meta') })

/** @type {[string, string, string, string | undefined][]} key, modifiers, code, what is sent; the kitty keyboard protocol, flag 1 */
const TABLE = [
  ['a', '', 'KeyA', undefined],
  ['A', 'shift', 'KeyA', undefined],
  ['Escape', '', 'Escape', '\x1b[27u'],
  ['Escape', 'shift', 'Escape', '\x1b[27;2u'],
  ['Enter', '', 'Enter', undefined],
  ['Enter', 'shift', 'Enter', '\x1b[13;2u'],
  ['Enter', 'ctrl', 'Enter', '\x1b[13;5u'],
  ['Tab', '', 'Tab', undefined],
  ['Tab', 'shift', 'Tab', '\x1b[9;2u'],
  ['Backspace', '', 'Backspace', undefined],
  ['Backspace', 'alt', 'Backspace', '\x1b[127;3u'],
  ['c', 'ctrl', 'KeyC', '\x1b[99;5u'],
  ['C', 'ctrl shift', 'KeyC', '\x1b[99;6u'],
  ['å', 'alt', 'KeyA', '\x1b[97;3u'], // Option on a Mac
  ['v', 'meta', 'KeyV', undefined], // the browser pastes
  ['@', 'ctrl alt', 'KeyQ', undefined], // AltGr
  ['1', 'ctrl', 'Digit1', '\x1b[49;5u'],
  ['ArrowUp', '', 'ArrowUp', undefined],
  ['ArrowUp', 'ctrl', 'ArrowUp', undefined], // as always: CSI 1;5 A
  ['F5', '', 'F5', undefined],
  ['Shift', 'shift', 'ShiftLeft', undefined],
]

for (const [key, mods, code, want] of TABLE) {
  test(`keyboard: ${mods} ${key}`, () => assert.equal(press(key, mods, code), want))
}
