import { clone, field, mark, one, write } from '../lib/dom.js'
import { bytes, count, span } from '../lib/format.js'
import { messageOf } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */

/** How many files are uploaded at the same time; the others wait. */
const AT_ONCE = 3
/** How many files the list has at most, finished ones included. */
const MAX_UPLOADS = 200
/** The time over which a rate is measured, in milliseconds. */
const RATE_MS = 4000

/** Rate measures the speed of a transfer over the last seconds. */
export class Rate {
  /** @type {{at: number, loaded: number}[]} */
  #samples = []

  /**
   * @param {number} at milliseconds
   * @param {number} loaded bytes
   */
  add(at, loaded) {
    const last = this.#samples.at(-1)
    if (last && loaded < last.loaded) this.#samples = [] // it started again from an earlier position
    this.#samples.push({ at, loaded })
    while (this.#samples.length > 2 && at - (this.#samples[0]?.at ?? 0) > RATE_MS) this.#samples.shift()
  }

  /** Bytes a second; 0 until it is known. */
  get perSecond() {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    return first && last && last.at > first.at ? ((last.loaded - first.loaded) / (last.at - first.at)) * 1000 : 0
  }
}

/**
 * Describes the state of an upload.
 * @param {{state: string, loaded: number, total: number, perSecond: number, error?: string, open: boolean}} u
 */
export function uploadText({ state, loaded, total, perSecond, error, open }) {
  switch (state) {
    case 'waiting':
      return `${bytes(total)}, waits for its turn`
    case 'done':
      return `${bytes(total)}, complete`
    case 'failed':
      return error ?? 'It failed.'
  }
  const so = `${bytes(loaded)} of ${bytes(total)}`
  if (!open) return `${so}, waits for the connection and then goes on`
  if (loaded >= total) return `${so}, is checked and stored`
  if (!(perSecond > 0)) return so
  return `${so}, ${bytes(Math.round(perSecond))}/s, ${span(Math.ceil((total - loaded) / perSecond) * 1000)} left`
}

/**
 * @typedef {object} Upload
 * @property {File} file
 * @property {HTMLElement} el
 * @property {'waiting' | 'sending' | 'done' | 'failed'} state
 * @property {string} artifact its id; '' until it was created
 * @property {number} loaded
 * @property {Rate} rate
 * @property {AbortController} ends
 * @property {string} [error]
 */

/** Uploads runs the uploads of this page. */
export class Uploads {
  #skein
  #changed
  #links
  #section = one(document, '#uploads')
  #list = one(document, '#upload-list')
  /** @type {Upload[]} */
  #all = []

  /**
   * @param {Skein} skein
   * @param {object} options
   * @param {{task?: string, agent?: string}} options.links the task or agent that the files belong to
   * @param {() => void} options.changed called when an artifact was created, completed or deleted
   */
  constructor(skein, { links, changed }) {
    this.#skein = skein
    this.#links = links
    this.#changed = changed
    skein.addEventListener('statechange', () => this.#show())
    setInterval(() => this.#show(), 500)
    one(this.#section, '[data-do="clear"]').addEventListener('click', () => {
      for (const u of this.#all.filter((x) => x.state === 'done' || x.state === 'failed')) this.#forget(u)
    })
    addEventListener('beforeunload', (e) => {
      if (this.active > 0) e.preventDefault()
    })
  }

  /** How many uploads have not ended. */
  get active() {
    return this.#all.filter((u) => u.state === 'waiting' || u.state === 'sending').length
  }

  /** Whether one of this page's uploads fills an artifact. @param {string} id */
  fills(id) {
    return this.#all.some((u) => u.artifact === id && u.state !== 'failed')
  }

  /**
   * @param {Iterable<File>} files
   * @param {string} [artifact] the artifact that the file, which must be the only one, continues
   * @returns {number} how many files did not fit the list
   */
  add(files, artifact = '') {
    let left = 0
    for (const file of files) {
      if (this.#all.length >= MAX_UPLOADS) {
        left++
        continue
      }
      const el = clone('upload-item')
      /** @type {Upload} */
      const u = { file, el, artifact, state: 'waiting', loaded: 0, rate: new Rate(), ends: new AbortController() }
      write(field(el, 'name'), file.name)
      mark(field(el, 'bar'), 'aria-label', `Upload of ${file.name}`)
      mark(field(el, 'again'), 'aria-label', `Try again: ${file.name}`)
      field(el, 'again').addEventListener('click', () => this.#again(u))
      field(el, 'cancel').addEventListener('click', () => this.#cancel(u))
      this.#all.push(u)
      this.#list.append(el)
    }
    this.#next()
    return left
  }

  /** Starts waiting uploads, as many as may run. */
  #next() {
    let busy = this.#all.filter((u) => u.state === 'sending').length
    for (const u of this.#all) {
      if (busy >= AT_ONCE) break
      if (u.state !== 'waiting') continue
      busy++
      u.state = 'sending'
      void this.#send(u)
    }
    this.#show()
  }

  /** @param {Upload} u */
  async #send(u) {
    const { file, ends: { signal } } = u
    try {
      if (!u.artifact) {
        const made = await this.#skein.artifacts.create({ name: file.name, size: file.size, ...(file.type && { media_type: file.type }), ...this.#links }, { signal })
        u.artifact = made.id
        this.#changed()
      }
      await this.#skein.artifacts.upload(file, {
        artifact: u.artifact, signal,
        onprogress: ({ loaded }) => {
          u.loaded = loaded
          u.rate.add(Date.now(), loaded)
        },
      })
      u.state = 'done'
      u.loaded = file.size
    } catch (e) {
      if (signal.aborted) return
      u.state = 'failed'
      u.error = messageOf(e)
    } finally {
      this.#changed()
      this.#next()
    }
  }

  /** @param {Upload} u */
  #again(u) {
    u.state = 'waiting'
    u.ends = new AbortController()
    u.rate = new Rate()
    this.#next()
  }

  /** @param {Upload} u */
  #cancel(u) {
    const over = u.state === 'done'
    u.ends.abort(new Error('canceled'))
    this.#forget(u)
    if (u.artifact && !over) void this.#skein.artifacts.delete(u.artifact).then(this.#changed, () => {}) // otherwise the server drops it after a day
    this.#next()
  }

  /** @param {Upload} u */
  #forget(u) {
    const focused = u.el.contains(document.activeElement)
    u.el.remove()
    this.#all = this.#all.filter((x) => x !== u)
    this.#show()
    if (focused) (this.#list.querySelector('button') ?? one(document, '#upload-open')).focus()
  }

  #show() {
    const open = this.#skein.state === 'open'
    for (const u of this.#all) {
      const { el, state, file, loaded } = u
      mark(el, 'data-state', state)
      write(field(el, 'text'), uploadText({ state, loaded, total: file.size, perSecond: u.rate.perSecond, error: u.error, open }))
      mark(field(el, 'bar'), 'value', (state === 'done' ? 1 : file.size > 0 ? loaded / file.size : 0).toFixed(3))
      field(el, 'again').hidden = state !== 'failed'
      const word = state === 'done' ? 'Dismiss' : 'Cancel'
      mark(field(el, 'cancel'), 'aria-label', `${word}: ${file.name}`)
      mark(field(el, 'cancel'), 'title', word)
    }
    const active = this.active
    const done = this.#all.filter((u) => u.state === 'done').length
    this.#section.hidden = this.#all.length === 0
    write(field(this.#section, 'note'), active > 0 ? `${count(active, 'file', 'files')} to go` : done > 0 ? `${count(done, 'file', 'files')} complete` : '')
    field(this.#section, 'clear').hidden = active === this.#all.length
  }
}
