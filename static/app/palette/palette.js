/**
 * The command palette: one box that finds anything. This module is loaded when it is first opened.
 */
import { dialog } from '../lib/dialog.js'
import { field, mark, one, write } from '../lib/dom.js'
import { clock, count } from '../lib/format.js'
import { later } from '../lib/later.js'
import { messageOf } from '../lib/toast.js'
import { commands, pages } from './commands.js'
import { Outputs, SHORTEST } from './outputs.js'
import { KINDS, group, pieces, rank, words } from './rank.js'
import { Recent } from './recent.js'
import { agentItems, listURL, sources } from './sources.js'
import { lineOption, outputsNote } from './lines.js'
import { sectionNode } from './view.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Acts } from '../lib/palette.js' */
/** @import { Item, Kind } from './rank.js' */
/** @import { Found } from './sources.js' */
/** @import { Option, Section } from './view.js' */

/** How long a pause in typing is before the server is asked for records, and before it searches the output, in milliseconds. */
const ASK = 120
const SEARCH = 400

/** How many of what was used lately are shown. */
const MAX_RECENT = 6

/** @typedef {{items: Item[], found?: Found | undefined, error?: unknown, busy: boolean}} Answer of the server, for a kind */

export class Palette {
  #skein
  #acts
  #asks
  #recent = new Recent()
  #outputs
  #dialog = dialog('palette')
  #box = /** @type {HTMLInputElement} */ (one(document, '#palette-text'))
  #list = one(document, '#palette-list')
  #status = field(this.#dialog, 'palette-status')
  #said = field(this.#dialog, 'palette-said')
  #trouble = field(this.#dialog, 'palette-trouble')
  #text = ''
  /** @type {Map<Kind, Answer>} */
  #answers = new Map()
  #cancel = new AbortController()
  /** @type {Map<string, () => void>} what choosing an option does, by its key */
  #does = new Map()
  #active = '' // the key of the option that Enter chooses
  #moved = false // whether a person has moved to it
  #drawing = false
  #held = false // an option is being pressed: it must still be there when the button is let go
  #ask = later(ASK, () => this.#askServer())
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pause

  /**
   * @param {Skein} skein
   * @param {Acts} acts
   */
  constructor(skein, acts) {
    this.#skein = skein
    this.#acts = acts
    this.#asks = sources(skein)
    this.#outputs = new Outputs((params, options) => skein.call('log.search', params, { ...options, timeout: 30_000 }), () => this.#soon())
    this.#box.addEventListener('input', () => this.#type())
    this.#box.addEventListener('keydown', (e) => this.#key(e))
    this.#list.addEventListener('click', (e) => this.#click(e))
    this.#list.addEventListener('mousedown', (e) => e.button === 0 && e.preventDefault()) // the focus stays in the box
    this.#list.addEventListener('pointerdown', () => (this.#held = true))
    for (const end of ['pointerup', 'pointercancel']) addEventListener(end, () => this.#held && setTimeout(() => this.#letGo())) // after the click
    this.#list.addEventListener('mousemove', (e) => this.#point(e.target))
    this.#dialog.addEventListener('close', () => this.#end())
    skein.addEventListener('statechange', () => this.#dialog.open && this.#soon())
  }

  /** Shows what is found for what the box has; the dialog was opened. */
  opened() {
    if (this.#dialog.open) this.#type()
  }

  #end() {
    if (this.#dialog.open) return // it was opened again before its end was told
    this.#cancel.abort(new Error('the dialog is closed'))
    clearTimeout(this.#pause)
    this.#outputs.expect('')
    this.#answers.clear()
    this.#box.value = ''
    this.#list.replaceChildren()
  }

  // --- what is asked for ---

  #type() {
    this.#text = this.#box.value.trim()
    this.#moved = false
    this.#active = ''
    this.#cancel.abort(new Error('another text is searched for'))
    this.#cancel = new AbortController()
    clearTimeout(this.#pause)
    this.#outputs.expect(this.#text)
    if (!this.#text) this.#answers.clear()
    else {
      for (const kind of /** @type {Kind[]} */ (Object.keys(this.#asks))) this.#answers.set(kind, { items: this.#answers.get(kind)?.items ?? [], busy: true })
      this.#ask()
      if (this.#outputs.busy) this.#pause = setTimeout(() => void this.#outputs.go(), SEARCH)
    }
    this.#show()
  }

  #askServer() {
    const text = this.#text
    const { signal } = this.#cancel
    if (!text || signal.aborted) return
    for (const [kind, ask] of /** @type {[Kind, import('./sources.js').Asks][]} */ (Object.entries(this.#asks))) {
      ask(text, signal).then((found) => ({ items: found.items, found, busy: false }), (error) => ({ items: [], error, busy: false })).then((answer) => {
        if (signal.aborted) return
        this.#answers.set(kind, answer)
        this.#soon()
      })
    }
  }

  // --- what is shown ---

  /** Shows what has come, once for all that comes together. */
  #soon() {
    if (this.#drawing) return
    this.#drawing = true
    requestAnimationFrame(() => {
      if (this.#held) return
      this.#drawing = false
      if (this.#dialog.open) this.#show()
    })
  }

  /** Shows what has come while an option was pressed. */
  #letGo() {
    this.#held = this.#drawing = false
    this.#soon()
  }

  #show() {
    this.#does.clear()
    const sections = this.#text ? [...this.#found(), ...this.#printed()] : this.#first()
    const shown = sections.filter((s) => s.options.length > 0) // a list has no groups without options
    this.#list.replaceChildren(...shown.map((s, i) => sectionNode(s, `palette-list-${i}`)))
    this.#list.hidden = shown.length === 0
    mark(this.#box, 'aria-expanded', String(shown.length > 0))
    write(this.#said, sections.filter((s) => s.options.length === 0 && s.note).map((s) => `${s.title}: ${s.note}`).join(' '))
    this.#said.hidden = !this.#said.textContent
    const options = this.#options
    if (!this.#moved || !options.some((o) => o.dataset.key === this.#active)) this.#active = options[0]?.dataset.key ?? ''
    this.#mark()
    write(this.#status, this.#statusText(options.length))
    const trouble = this.#troubleText()
    write(this.#trouble, trouble)
    this.#trouble.hidden = !trouble
  }

  /** Everything that this page knows without asking. @returns {Item[]} */
  #known() {
    return [...agentItems(this.#skein.fleet.agents.values()), ...pages(), ...commands(this.#acts)]
  }

  /** What is shown before a text was typed. @returns {Section[]} */
  #first() {
    const known = this.#known()
    const recent = this.#recent.all.slice(0, MAX_RECENT).flatMap((k) => known.find((item) => item.kind === k.kind && item.key === k.key) ?? (k.href ? [k] : []))
    const used = new Set(recent.map((r) => `${r.kind} ${r.key}`))
    const others = (/** @type {Kind} */ kind) => known.filter((item) => item.kind === kind && !used.has(`${kind} ${item.key}`))
    const sections = [
      { title: 'Used lately', options: recent.map((r) => this.#option(r)) },
      { title: KINDS.command, options: others('command').map((r) => this.#option(r)) },
      { title: KINDS.page, options: others('page').map((r) => this.#option(r)) },
    ]
    return sections.filter((s) => s.options.length > 0)
  }

  /** @returns {Section[]} what has the text in its name or beside it */
  #found() {
    const answers = [...this.#answers]
    const items = [...this.#known(), ...answers.flatMap(([, a]) => a.items)]
    const totals = Object.fromEntries(answers.map(([kind, a]) => [kind, a.found?.total]))
    return group(rank(items, this.#text, (item) => this.#recent.place(item)), this.#text, totals).map((g) => {
      const options = g.items.map((item) => this.#option(item))
      const all = g.more > 0 ? listURL(g.kind, this.#text) : undefined
      if (all) options.push(plain(`more ${g.kind}`, `${g.more} more in ${g.title}`, all))
      return { title: g.title, options, ...(g.more > 0 && !all && { note: `and ${g.more} more` }) }
    })
  }

  /** @returns {Section[]} lines of output that have the text */
  #printed() {
    const found = this.#outputs
    if (this.#text.length < SHORTEST) return []
    const options = found.lines.map((line, i) => lineOption(line, i, this.#text))
    if (found.more && !found.busy) {
      const further = plain('further', found.since ? `Search further back than ${clock(found.since)}` : 'Search further back')
      this.#does.set(further.key, () => void found.go())
      options.push(further)
    }
    return [{ title: 'In outputs', options, note: outputsNote(found) }]
  }

  /** @param {Item} item @returns {Option} */
  #option(item) {
    const found = words(this.#text)
    const key = `${item.kind} ${item.key}`
    this.#does.set(key, () => {
      this.#recent.add(item)
      item.run?.()
    })
    return { key, icon: item.icon, title: pieces(item.title, found), detail: item.detail ? pieces(item.detail, found) : [], note: item.note ?? '', ...(item.href && { href: item.href }) }
  }

  /** @param {number} n */
  #statusText(n) {
    if (!this.#text) return ''
    const busy = this.#outputs.busy || [...this.#answers.values()].some((a) => a.busy)
    if (n === 0) return busy ? 'Searching…' : 'Nothing was found.'
    return `${count(n, 'result', 'results')}${busy ? ', searching…' : ''}`
  }

  #troubleText() {
    const said = []
    if (this.#skein.state !== 'open') said.push('There is no connection: only what this page knows is searched.')
    for (const [kind, { error, found }] of this.#answers) {
      if (error) said.push(`${KINDS[kind]} could not be searched: ${messageOf(error)}`)
      else if (found?.of) said.push(`${KINDS[kind]}: only the first ${found.items.length} of ${found.of} with the longest word were looked at.`)
    }
    if (this.#outputs.error) said.push(`The output could not be searched: ${messageOf(this.#outputs.error)}`)
    return said.join(' ')
  }

  // --- choosing ---

  get #options() {
    return /** @type {HTMLElement[]} */ ([...this.#list.querySelectorAll('[role="option"]')])
  }

  #mark() {
    let here = ''
    for (const o of this.#options) {
      const on = o.dataset.key === this.#active
      mark(o, 'aria-selected', String(on))
      if (on) here = o.id
    }
    mark(this.#box, 'aria-activedescendant', here || null)
  }

  /** @param {HTMLElement | undefined} option */
  #move(option) {
    if (!option) return
    this.#active = option.dataset.key ?? ''
    this.#moved = true
    this.#mark()
    option.scrollIntoView({ block: 'nearest' })
  }

  /** @param {EventTarget | null} target under the pointer */
  #point(target) {
    const option = /** @type {HTMLElement | null} */ (/** @type {Element} */ (target).closest('[role="option"]'))
    if (!option || option.dataset.key === this.#active) return
    this.#active = option.dataset.key ?? ''
    this.#moved = true
    this.#mark()
  }

  /** @param {KeyboardEvent} e */
  #key(e) {
    if (e.isComposing) return
    const options = this.#options
    const i = options.findIndex((o) => o.dataset.key === this.#active)
    switch (e.key) {
      case 'ArrowDown':
        this.#move(options[(i + 1) % options.length])
        break
      case 'ArrowUp':
        this.#move(options[(i - 1 + options.length) % options.length] ?? options.at(-1))
        break
      case 'Home':
        if (e.shiftKey) return
        this.#move(options[0])
        break
      case 'End':
        if (e.shiftKey) return
        this.#move(options.at(-1))
        break
      case 'Enter':
        options[i]?.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, ctrlKey: e.ctrlKey, metaKey: e.metaKey, shiftKey: e.shiftKey }))
        break
      default:
        return
    }
    e.preventDefault()
  }

  /** @param {MouseEvent} e on an option; the browser follows a link, in a new tab if that was asked for */
  #click(e) {
    const option = /** @type {HTMLAnchorElement | null} */ (/** @type {Element} */ (e.target).closest('[role="option"]'))
    if (!option) return
    const key = option.dataset.key ?? ''
    const does = this.#does.get(key)
    if (key === 'further') return does?.()
    if (!option.href) this.#dialog.close() // before it opens another dialog
    does?.()
    if (option.href && !e.ctrlKey && !e.metaKey && !e.shiftKey) this.#dialog.close()
  }
}

/**
 * @param {string} key
 * @param {string} title
 * @param {string} [href]
 * @returns {Option}
 */
const plain = (key, title, href) => ({ key, icon: 'i-search', title: [{ text: title, hit: false }], detail: [], note: '', more: true, ...(href && { href }) })
