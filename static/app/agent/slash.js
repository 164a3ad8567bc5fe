/**
 * Completes slash commands in the box for prompts: a list opens above it when its text begins with "/".
 */
import { clone, field, mark, write } from '../lib/dom.js'

/** @import { Command } from './options.js' */

/** How many commands are shown at most. */
const MAX_SHOWN = 50

/**
 * Finds the commands that a text may become: those that begin with it first, then those that contain it.
 * @param {string} text what is typed before the cursor
 * @param {Command[]} commands
 */
export function matching(text, commands) {
  if (!text.startsWith('/') || text.includes('\n')) return []
  const word = text.slice(1).toLowerCase()
  const begin = commands.filter((c) => c.name.toLowerCase().startsWith(word))
  const within = word ? commands.filter((c) => !begin.includes(c) && c.name.toLowerCase().includes(word)) : []
  return [...begin, ...within].slice(0, MAX_SHOWN)
}

export class Slash {
  #box
  #list
  #commands
  /** @type {Command[]} those in the list */
  #shown = []
  #at = 0

  /**
   * @param {HTMLTextAreaElement} box
   * @param {HTMLElement} list
   * @param {() => Command[]} commands
   */
  constructor(box, list, commands) {
    this.#box = box
    this.#list = list
    this.#commands = commands
    box.addEventListener('input', () => this.#update())
    box.addEventListener('blur', () => this.close())
    list.addEventListener('mousedown', (e) => {
      e.preventDefault() // the box keeps the focus
      const item = e.target instanceof Element ? e.target.closest('li') : null
      if (item) this.#take([...list.children].indexOf(item))
    })
  }

  /**
   * Handles a key that is meant for the list. It reports whether it was.
   * @param {KeyboardEvent} e
   */
  key(e) {
    if (this.#list.hidden || e.isComposing) return false
    const chosen = this.#shown[this.#at]
    if (e.key === 'Escape') this.close()
    else if (e.key === 'ArrowDown') this.#go(this.#at + 1)
    else if (e.key === 'ArrowUp') this.#go(this.#at - 1)
    else if (e.key === 'Enter' && !e.shiftKey && this.#box.value === `/${chosen?.name}`) {
      this.close()
      return false // it is typed already: it is sent
    } else if ((e.key === 'Enter' || e.key === 'Tab') && !e.shiftKey) this.#take(this.#at)
    else return false
    return true
  }

  close() {
    this.#shown = []
    this.#list.hidden = true
    mark(this.#box, 'aria-activedescendant', null)
  }

  #update() {
    const { value, selectionStart } = this.#box
    this.#shown = matching(value.slice(0, selectionStart), this.#commands())
    if (this.#shown.length === 0) return this.close()
    this.#list.replaceChildren(...this.#shown.map((c, i) => item(c, i)))
    this.#list.hidden = false
    this.#go(0)
  }

  /** @param {number} at */
  #go(at) {
    this.#at = (at + this.#shown.length) % this.#shown.length
    for (const [i, el] of [...this.#list.children].entries()) mark(el, 'aria-selected', String(i === this.#at))
    const el = this.#list.children[this.#at]
    el?.scrollIntoView({ block: 'nearest' })
    mark(this.#box, 'aria-activedescendant', el?.id ?? null)
  }

  /** @param {number} at */
  #take(at) {
    const command = this.#shown[at]
    if (!command) return
    const rest = this.#box.value.slice(this.#box.selectionStart).trimStart()
    const head = `/${command.name} `
    this.#box.value = head + rest
    this.#box.setSelectionRange(head.length, head.length)
    this.close()
  }
}

/**
 * @param {Command} c
 * @param {number} i
 */
function item(c, i) {
  const el = clone('command')
  el.id = `command-${i}`
  write(field(el, 'name'), `/${c.name}`)
  write(field(el, 'hint'), c.hint ?? '')
  write(field(el, 'about'), c.description ?? '')
  return el
}
