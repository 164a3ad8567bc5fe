/**
 * The body of the page of an agent with a terminal. xterm.js draws what the server sends, which is the same for all who look
 * (server/vt), and sends keys.
 */
import { FitAddon } from '@xterm/addon-fit'
import { SearchAddon } from '@xterm/addon-search'
import { WebLinksAddon } from '@xterm/addon-web-links'
import { Terminal } from '@xterm/xterm'
import { field, one, write } from '../lib/dom.js'
import { clean } from '../lib/format.js'
import { sought } from '../lib/sought.js'
import { failed, toast } from '../lib/toast.js'
import { Keyboard } from './keyboard.js'
import { paint } from './renderer.js'
import { seek } from './seek.js'
import { styleByCSSOM } from './sheets.js'
import { THEME } from './theme.js'
import { countAsTheServer } from './width.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Agent, TerminalState } from '../../client/types.js' */
/** @import { Body } from '../lib/body.js' */

/** How much may wait to be drawn before no more is read, in bytes. */
const MAX_UNDRAWN = 512 << 10

/** How long the size of the window must stay the same before the program learns of it, in milliseconds. */
const SETTLES_MS = 100

/** Resets the viewer's terminal, in its turn with what is written to it. */
const RESET = new Uint8Array([0x1b, 0x63])

/** What a terminal says of the mouse and the focus, which nobody types. */
const REPORT = /^\x1b\[(?:[IO]$|[M<])/

/** How many lines that have left the screen are kept. */
const SCROLLBACK = 5000

/**
 * @param {Skein} skein
 * @param {HTMLElement} root
 * @param {{id: string}} agent
 * @returns {Body}
 */
export function view(skein, root, { id }) {
  const box = one(root, '#terminal')
  const frame = one(box, '#terminal-frame')
  styleByCSSOM(document)
  const term = new Terminal({
    cols: Number(box.dataset.cols),
    rows: Number(box.dataset.rows),
    allowProposedApi: true,
    cursorBlink: false,
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono') || 'monospace',
    fontSize: 13,
    scrollback: SCROLLBACK,
    theme: THEME,
  })
  const fit = new FitAddon()
  const search = new SearchAddon()
  term.loadAddon(fit)
  term.loadAddon(search)
  term.loadAddon(new WebLinksAddon((_, uri) => openLink(uri)))
  term.options.linkHandler = { activate: (_, uri) => openLink(uri) }
  countAsTheServer(term)
  frame.replaceChildren()
  term.open(frame)
  paint(term)

  /** @type {Awaited<ReturnType<Skein['terminal']>> | undefined} */
  let remote
  /** @type {TerminalState | undefined} */
  let state

  const type = (/** @type {string} */ text) => {
    if (!state?.writes && (REPORT.test(text) || state?.writer)) return REPORT.test(text) ? undefined : who.flash()
    try {
      remote?.type(text)
    } catch (e) {
      failed('It was not typed', e)
    }
  }
  const keyboard = new Keyboard(term, type)
  term.onData(type)
  term.onBinary((text) => {
    if (state?.writes) remote?.type(Uint8Array.from(text, (c) => c.charCodeAt(0))) // of the mouse
  })

  // --- who writes, and the size ---

  const take = /** @type {HTMLButtonElement} */ (one(box, '#terminal-take'))
  take.addEventListener('click', () => {
    remote?.take()
    term.focus()
  })
  const who = {
    el: field(box, 'terminal-who'),
    show() {
      const others = (state?.viewers ?? 1) - 1
      const watched = others > 0 ? ` · ${others} more ${others === 1 ? 'looks' : 'look'}` : ''
      const text = !state ? 'Connecting' : state.ended ? 'It has ended' : state.writes ? `You write${watched}` : state.writer ? `${clean(state.writer)} writes${watched}` : `Nobody writes${watched}`
      write(this.el, text)
      take.hidden = !state || state.writes || state.ended === true
    },
    /** Says that what was typed went nowhere. */
    flash() {
      toast('failed', `${clean(state?.writer ?? 'Somebody else')} writes. Take over to type`)
    },
  }

  /** The size that the window has room for. */
  const room = () => {
    const d = fit.proposeDimensions()
    return d && d.cols > 0 && d.rows > 0 ? { cols: Math.min(d.cols, 1000), rows: Math.min(d.rows, 500) } : undefined
  }
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let settles
  let wanted = ''
  const refit = () => {
    clearTimeout(settles)
    settles = setTimeout(() => {
      const size = room()
      if (!size || JSON.stringify(size) === wanted) return
      wanted = JSON.stringify(size)
      remote?.resize(size)
    }, SETTLES_MS)
  }
  new ResizeObserver(refit).observe(frame)

  /** @param {TerminalState} s */
  function onstate(s) {
    state = s
    if (s.size.cols !== term.cols || s.size.rows !== term.rows) term.write('', () => term.resize(s.size.cols, s.size.rows)) // in its turn
    write(field(box, 'terminal-name'), clean(s.title ?? ''))
    term.options.disableStdin = s.ended === true
    who.show()
  }
  who.show()

  // --- what comes ---

  let undrawn = 0
  /** @type {(() => void) | undefined} */
  let drawn

  /** @param {Uint8Array} bytes @param {boolean} reset */
  function onoutput(bytes, reset) {
    if (reset) term.write(RESET)
    undrawn += bytes.length
    term.write(bytes, () => {
      undrawn -= bytes.length
      sees?.(reset)
      if (undrawn < MAX_UNDRAWN / 2) drawn?.()
    })
    return undrawn > MAX_UNDRAWN ? new Promise((/** @type {(v?: undefined) => void} */ resolve) => (drawn = resolve)) : undefined
  }

  // --- search, copy ---

  const find = /** @type {HTMLFormElement} */ (one(box, '#terminal-find'))
  const text = /** @type {HTMLInputElement} */ (one(find, 'input'))
  const openFind = () => {
    find.hidden = false
    text.focus()
    text.select()
  }
  find.addEventListener('submit', (e) => {
    e.preventDefault()
    search.findPrevious(text.value)
  })
  text.addEventListener('input', () => search.findPrevious(text.value, { incremental: true }))
  text.addEventListener('keydown', (e) => {
    if (e.key !== 'Escape') return
    e.stopPropagation()
    find.hidden = true
    search.clearDecorations()
    term.focus()
  })
  one(box, '#terminal-search').addEventListener('click', openFind)
  const line = sought(location.search)
  const sees = line && seek(term, box, line.text)
  if (line) {
    find.hidden = false
    text.value = line.text
  }
  const copy = async () => {
    if (!term.hasSelection()) return void toast('failed', 'Nothing is selected')
    try {
      await navigator.clipboard.writeText(term.getSelection())
      toast('done', 'It is in the clipboard')
    } catch (e) {
      failed('It was not copied', e)
    }
  }
  one(box, '#terminal-copy').addEventListener('click', () => void copy())
  keyboard.bind({
    KeyC: () => void copy(),
    KeyF: openFind,
    Space: () => one(document, '#again').focus(),
  })

  return {
    keys: { i: () => term.focus(), '/': openFind },
    show(a) {
      look(a)
    },
    hot() {},
    async follow(signal, { event }) {
      look = lookAt(event)
      remote = await skein.terminal(id, { size: room(), write: true, onoutput, onstate, signal })
      refit()
      term.focus()
      await remote.ended
    },
  }
}

/** @type {(a: Agent) => void} */
let look = () => {}

/**
 * Looks for what has happened to the agent when its record tells of it: what it writes is not followed.
 * @param {(e: any) => void} event
 */
function lookAt(event) {
  let known = ''
  return (/** @type {Agent} */ a) => {
    const now = JSON.stringify([a.status, a.activity, a.question, a.generation, a.tty, a.restarts])
    if (now !== known) event({ type: 'look', seq: Number.MAX_SAFE_INTEGER, data: {} })
    known = now
  }
}

/** Opens a link that a program has printed, in a page that knows nothing of this one. @param {string} uri */
function openLink(uri) {
  if (/^(https?|mailto):/i.test(uri)) window.open(uri, '_blank', 'noopener,noreferrer')
}
