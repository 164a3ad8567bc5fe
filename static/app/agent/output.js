import { clone, field, mark, one, settings, write } from '../lib/dom.js'
import { clock, count, droppedText } from '../lib/format.js'
import { failed, toast } from '../lib/toast.js'
import { Excerpt } from './excerpt.js'
import { Find, found } from './find.js'
import { fill, lineNode } from './linenode.js'
import { Lines, decode } from './lines.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { AgentEvent, GapEvent } from '../../client/types.js' */
/** @import { Hit } from './hits.js' */
/** @import { Line } from './lines.js' */

/** How many lines the page keeps while it follows the output. */
const MAX_LINES = 5000

/** How many lines it keeps while a person reads earlier output. */
const MAX_READING = 20000

/** How many lines one "Load earlier" brings at most. */
const MAX_LOADED = 5000

/** The output counts as scrolled to its end within this many pixels of it. */
const NEAR_END = 24

/** How many positions of the log "Load earlier" goes back at first. Positions are shared by all agents. */
const WINDOW = 2000

/** Output runs an agent's output: it follows, pauses and searches it, and bounds the lines in the page. */
export class Output {
  #skein
  #id
  #epoch
  #lines = new Lines()
  /** @type {Map<Line, HTMLElement>} lines that may still change */
  #live = new Map()
  /** @type {(AgentEvent | GapEvent)[]} */
  #queue = []
  #scheduled = false
  #following = true
  #unseen = 0
  #top = 0 // the last scroll position
  #excerpt
  #first // the seq of the earliest event whose output is shown
  #trimmed = false
  #el = {
    box: one(document, '#lines'),
    list: one(document, '#line-list'),
    earlier: one(document, '#earlier'),
    earlierText: one(document, '#earlier-text'),
    load: /** @type {HTMLButtonElement} */ (one(document, '#load-earlier')),
    none: one(document, '#no-output'),
    jump: one(document, '#jump'),
    follow: one(document, '#follow'),
  }

  /**
   * @param {Skein} skein
   * @param {{id: string, epoch: string, first: number}} options
   */
  constructor(skein, { id, epoch, first }) {
    this.#skein = skein
    this.#id = id
    this.#epoch = epoch
    this.#first = first
    this.#adopt()
    this.#excerpt = new Excerpt(skein, id)
    this.find = new Find({
      ends: () => skein.readEvents(id, { which: 'output', newest: true, limit: 1 }),
      search: (text, options) => skein.searchEvents(id, text, options),
    }, {
      lists: [this.#el.list, this.#excerpt.list],
      show: (hit, text) => this.#show(hit, text),
      end: () => this.#excerpt.close(),
    })
    this.#listen()
    this.#toEnd()
  }

  /** Takes over the lines that the server rendered. */
  #adopt() {
    const { box, list } = this.#el
    /** @type {Line[]} */
    const open = []
    for (const el of /** @type {HTMLCollectionOf<HTMLElement>} */ (list.children)) {
      const time = one(el, 'time')
      write(time, clock(time.getAttribute('datetime') ?? 0)) // the server may be in another time zone
      if (el.dataset.dropped) write(one(el, '.tx'), droppedText(JSON.parse(el.dataset.dropped)))
      if (el.dataset.raw === undefined) continue
      /** @type {Line} */
      const line = {
        seq: Number(el.dataset.seq), time: time.getAttribute('datetime') ?? '', kind: el.dataset.k === 'err' ? 'err' : 'out',
        text: el.dataset.raw, start: el.dataset.start ?? '', open: true,
      }
      el.removeAttribute('data-raw')
      open.push(line)
      this.#live.set(line, el)
    }
    this.#lines.resume(open, { out: box.dataset.styleOut ?? '', err: box.dataset.styleErr ?? '' })
  }

  #listen() {
    const { box, load, jump, follow } = this.#el
    box.addEventListener('scroll', () => {
      const up = box.scrollTop < this.#top
      const down = box.scrollTop > this.#top
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END
      this.#top = box.scrollTop
      if (atEnd && down && !this.#following) this.follow()
      else if (!atEnd && up && this.#following) this.pause()
    }, { passive: true })
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(box)
    jump.addEventListener('click', () => {
      this.follow()
      box.focus()
    })
    follow.addEventListener('click', () => this.toggle())
    load.addEventListener('click', () => void this.#loadEarlier())
    one(document, '#excerpt-back').addEventListener('click', () => this.follow())
    this.#option('times', false)
    this.#option('wrap', true)
    one(document, '#copy').addEventListener('click', () => void this.#copy())
    one(document, '#download').addEventListener('click', () => void this.#download())
  }

  /**
   * Runs a button that switches a class of the output; the choice is remembered.
   * @param {string} name
   * @param {boolean} standard
   */
  #option(name, standard) {
    const button = one(document, `#${name}`)
    const saved = settings.get(name)
    const set = (/** @type {boolean} */ on) => {
      mark(button, 'aria-pressed', String(on))
      this.#el.box.classList.toggle(name, on)
      this.#excerpt.toggle(name, on)
      if (this.#following) this.#toEnd()
    }
    set(saved === null ? standard : saved === 'true')
    button.addEventListener('click', () => {
      const on = button.getAttribute('aria-pressed') !== 'true'
      settings.set(name, String(on))
      set(on)
    })
  }

  // --- following ---

  toggle() {
    if (this.#following && !this.#excerpt.open) this.pause()
    else this.follow()
  }

  pause() {
    this.#setFollowing(false)
  }

  follow() {
    this.#excerpt.close()
    this.#unseen = 0
    this.#setFollowing(true)
    this.#trim()
    this.#toEnd()
  }

  /** @param {boolean} on */
  #setFollowing(on) {
    this.#following = on
    const { follow, jump } = this.#el
    mark(follow, 'aria-pressed', String(on))
    write(field(follow, 'follow-word'), on ? 'Following' : 'Paused')
    jump.hidden = on || this.#unseen === 0
  }

  /**
   * Shows a match: it scrolls to the match on the page, or loads it with the lines around it.
   * @param {Hit} hit
   * @param {string} text
   */
  async #show(hit, text) {
    let line = this.#excerpt.open ? found(this.#excerpt.list, hit, text) : undefined
    line ??= this.#onPage(hit, text) ?? (await this.#excerpt.show(hit, text))
    line?.scrollIntoView({ block: 'center' })
    return line
  }

  /**
   * @param {Hit} hit
   * @param {string} text
   */
  #onPage(hit, text) {
    const line = found(this.#el.list, hit, text)
    if (!line) return undefined
    this.#excerpt.close()
    this.pause()
    return line
  }

  #toEnd() {
    this.#scroll(this.#el.box.scrollHeight)
  }

  /**
   * @param {number} top the position to scroll to. Unlike a person's scrolling, it does not change whether the page follows
   */
  #scroll(top) {
    this.#el.box.scrollTop = top
    this.#top = this.#el.box.scrollTop
  }

  // --- what comes in ---

  /** @param {AgentEvent | GapEvent} e */
  add(e) {
    this.#queue.push(e)
    if (this.#scheduled) return
    this.#scheduled = true
    if (document.hidden) setTimeout(() => this.#flush(), 250)
    else requestAnimationFrame(() => this.#flush())
  }

  #flush() {
    this.#scheduled = false
    for (const e of this.#queue.splice(0)) {
      if (e.type === 'gap') this.#restart()
      if (this.#first === 0 && e.type !== 'gap') this.#first = e.seq
      this.#lines.add(e)
    }
    const changed = this.#lines.take()
    if (changed.length === 0) return
    const keep = this.#following ? MAX_LINES : MAX_READING
    const fresh = document.createDocumentFragment()
    /** @type {HTMLElement[]} */
    const touched = []
    let added = 0
    const skipped = Math.max(0, changed.length - keep) // they would be removed again at once
    for (const [i, line] of changed.entries()) {
      let el = this.#live.get(line)
      if (!el && i < skipped) continue
      if (!el) {
        el = clone('line')
        fresh.append(el)
        added++
      }
      fill(el, line)
      touched.push(el)
      if (line.open) this.#live.set(line, el)
      else this.#live.delete(line)
    }
    if (skipped > 0) this.#trimmed = true
    this.#el.none.hidden = true
    this.#el.list.append(fresh)
    this.#trim()
    this.find.changed(touched)
    if (this.#following) return this.#toEnd()
    this.#unseen += added
    const { jump } = this.#el
    jump.hidden = this.#unseen === 0
    write(field(jump, 'jump-word'), count(this.#unseen, 'new line', 'new lines'))
  }

  /** Removes all lines, because the log is a new one or has gaps and its events follow from the start. */
  #restart() {
    this.#lines = new Lines()
    this.#live.clear()
    this.#el.list.replaceChildren()
    this.#first = this.#unseen = 0
    this.#trimmed = false
    this.#epoch = ''
    this.#excerpt.close()
    this.find.restart()
    this.#sayEarlier('There is earlier output.')
  }

  /** Removes the oldest lines. */
  #trim() {
    const { list, box } = this.#el
    const extra = list.childElementCount - (this.#following ? MAX_LINES : MAX_READING)
    if (extra <= 0 && !this.#trimmed) return
    if (extra > 0) {
      const height = box.scrollHeight
      const range = document.createRange()
      range.setStart(list, 0)
      range.setEndBefore(/** @type {Element} */ (list.children[extra]))
      range.deleteContents()
      if (!this.#following) this.#scroll(box.scrollTop - (height - box.scrollHeight))
    }
    this.#trimmed = false
    this.#first = Number(/** @type {HTMLElement} */ (list.firstElementChild).dataset.seq)
    this.#sayEarlier('Earlier lines were removed from the page.')
    this.#el.load.hidden = false
  }

  /** @param {string} text '' when there is nothing earlier */
  #sayEarlier(text) {
    const { earlier, earlierText } = this.#el
    earlier.hidden = text === ''
    write(earlierText, text)
  }

  // --- earlier output ---

  async #loadEarlier() {
    const { load, list, box } = this.#el
    load.disabled = true
    this.pause()
    try {
      const { events, more } = await this.#before(this.#first)
      const before = new Lines()
      for (const e of events) before.add(e)
      const all = before.take()
      const have = /** @type {HTMLElement[]} */ ([...list.children]).filter((el) => Number(el.dataset.seq) === this.#first).length
      const missing = all.slice(0, Math.max(0, all.length - have))
      const room = Math.max(0, Math.min(MAX_LOADED, MAX_READING - list.childElementCount))
      const lines = missing.slice(Math.max(0, missing.length - room))
      const cut = lines.length < missing.length
      const nodes = lines.map(lineNode)
      const height = box.scrollHeight
      const top = box.scrollTop
      list.prepend(...nodes)
      if (!cut) this.#first = Math.min(events[0]?.seq ?? this.#first, this.#first)
      else if (lines[0]) this.#first = lines[0].seq
      if (cut && list.childElementCount >= MAX_READING) {
        this.#sayEarlier(`The page shows at most ${MAX_READING} lines. The download has all of them.`)
        load.hidden = true
      } else this.#sayEarlier(more || cut ? 'There is earlier output.' : '')
      this.#scroll(top + box.scrollHeight - height)
      this.find.again()
    } catch (e) {
      failed('Earlier output could not be loaded', e)
    } finally {
      load.disabled = false
    }
  }

  /**
   * Loads the events up to seq, from a window of positions before it that grows until it has some.
   * @param {number} seq
   */
  async #before(seq) {
    for (let window = WINDOW; ; window *= 4) {
      const after = Math.max(0, seq - window - 1)
      /** @type {AgentEvent[]} */
      const events = []
      let first = 0
      for await (const e of this.#skein.events(this.#id, {
        after, epoch: this.#epoch, follow: false, onattached: (a) => (first = a.first),
      })) {
        if (e.type === 'gap') continue
        if (e.seq > seq) break
        events.push(e)
      }
      const more = (events[0]?.seq ?? 0) > first
      if (after === 0 || !more || (events[0]?.seq ?? seq) < seq) return { events, more: more && after > 0 }
    }
  }

  // --- copy and download ---

  async #copy() {
    const lines = [...(this.#excerpt.open ? this.#excerpt.list : this.#el.list).children].map((el) => el.lastElementChild?.textContent ?? '')
    try {
      await navigator.clipboard.writeText(lines.join('\n') + '\n')
      toast('done', `${count(lines.length, 'line is', 'lines are')} in the clipboard`)
    } catch (e) {
      failed('The output was not copied', e)
    }
  }

  /** Saves all output of the agent, byte for byte, as a file. */
  async #download() {
    const button = /** @type {HTMLButtonElement} */ (one(document, '#download'))
    button.disabled = true
    try {
      /** @type {BlobPart[]} */
      const parts = []
      for await (const e of this.#skein.events(this.#id, { follow: false })) {
        if (e.type !== 'output.stdout' && e.type !== 'output.stderr') continue
        parts.push(e.data.base64 ? decode(e.data.base64) : (e.data.text ?? ''))
      }
      const link = document.createElement('a')
      link.href = URL.createObjectURL(new Blob(parts, { type: 'text/plain' }))
      link.download = `${this.#id}.log`
      link.click()
      setTimeout(() => URL.revokeObjectURL(link.href), 10000)
    } catch (e) {
      failed('The output was not downloaded', e)
    } finally {
      button.disabled = false
    }
  }
}
