import { clone, field, mark, shape, write } from '../lib/dom.js'
import { shortTaskId } from '../lib/format.js'
import {
  agentName, agentURL, attempts, cancelable, doer, done, isChild, lastRun, partOf, priorityWord, retryable, taskAge, taskGlyph,
  taskText, taskTitle, taskURL, taskWord, waiting,
} from './taskformat.js'

/** @import { Task } from '../../client/types.js' */
/** @import { TaskEntry } from './queue.js' */

/**
 * Writes a task's state as shape, colour and word.
 * @param {ParentNode} root that has the component ui/tasks.templ calls taskStatus
 * @param {Pick<Task, 'state' | 'dead_letter'>} t
 */
export function writeStatus(root, t) {
  mark(field(root, 'status'), 'data-state', t.state)
  shape(field(root, 'glyph'), `s-${taskGlyph(t.state)}`)
  write(field(root, 'state-word'), taskWord(t.state))
  const dead = root.querySelector('[data-f="dead"]')
  if (dead) mark(dead, 'hidden', !t.dead_letter)
}

/**
 * @param {Element} bar a <progress>
 * @param {number} part from 0 to 1; less: nobody knows
 */
export function writeBar(bar, part) {
  mark(bar, 'hidden', part < 0)
  if (part >= 0) mark(bar, 'value', part.toFixed(3))
}

/**
 * @param {HTMLElement} link
 * @param {Task} t
 */
export function writeAgent(link, t) {
  const run = lastRun(t)
  link.hidden = !run?.agent
  if (!run?.agent) return
  write(link, agentName(run))
  mark(link, 'href', agentURL(run.agent))
}

/** One task in the queue or on the board: the component ui/tasks.templ calls taskRow, or taskCard. */
export class TaskRow {
  /** @type {TaskEntry | undefined} what it shows; none while it shows what the server rendered */
  entry
  /** @type {Task | undefined} */
  #written
  #f
  /** @type {HTMLElement | null} a card has room for the word */
  #line

  /**
   * @param {string} id
   * @param {HTMLElement} element
   */
  constructor(id, element) {
    this.id = id
    this.element = element
    const f = (/** @type {string} */ name) => field(element, name)
    this.#f = {
      parent: f('parent'), place: f('place'), bar: f('bar'), text: f('text'), doer: f('doer'), agent: f('agent'), priority: f('priority'),
      try: f('try'), age: f('age'), cancel: f('cancel'), retry: f('retry'),
    }
    this.name = /** @type {HTMLAnchorElement} */ (f('name'))
    this.pick = f('pick')
    this.#line = element.querySelector('[data-f="try-line"]')
  }

  /** @param {string} id @param {boolean} board */
  static blank(id, board) {
    return new TaskRow(id, clone(board ? 'task-card' : 'task-row'))
  }

  get task() {
    return this.entry?.task
  }

  /**
   * Writes what changed.
   * @param {number} now
   */
  update(now) {
    const t = this.entry?.shown
    if (!t || t === this.#written) return
    const old = this.#written
    this.#written = t
    if (old?.name !== t.name || !old) this.#identity(t)
    const { element } = this
    const f = this.#f
    mark(element, 'data-state', t.state)
    mark(element, 'data-dead', t.dead_letter ?? false)
    writeStatus(element, t)
    write(f.place, `#${t.position ?? 0}`)
    f.place.hidden = !t.position
    writeBar(f.bar, done(t))
    write(f.text, taskText(t, now))
    writeAgent(f.agent, t)
    write(f.try, attempts(t))
    if (this.#line) this.#line.hidden = !t.attempt
    f.cancel.hidden = !cancelable(t)
    f.retry.hidden = !retryable(t)
    this.tick(now)
  }

  /** @param {Task} t what of it stays */
  #identity(t) {
    const { element } = this
    const f = this.#f
    const title = taskTitle(t)
    mark(element, 'data-id', t.id)
    mark(element, 'data-child', isChild(t))
    mark(element, 'data-many', t.orchestration !== undefined)
    write(this.name, title)
    mark(this.name, 'href', taskURL(t.id))
    const part = partOf(t)
    f.parent.hidden = part === ''
    write(f.parent, part)
    mark(f.parent, 'href', taskURL(t.parent ?? ''))
    write(field(element, 'id'), shortTaskId(t.id))
    mark(field(element, 'id'), 'title', t.id)
    write(f.doer, doer(t))
    mark(f.priority, 'data-priority', t.priority || 'normal')
    write(f.priority, priorityWord(t.priority))
    mark(this.pick, 'aria-label', `Select ${title}`)
    mark(f.bar, 'aria-label', `Progress of ${title}`)
    mark(f.cancel, 'aria-label', `Cancel ${title}`)
    mark(f.retry, 'aria-label', `Retry ${title}`)
  }

  /** @param {number} now what changes by itself */
  tick(now) {
    const t = this.entry?.shown
    if (!t) return
    write(this.#f.age, taskAge(t, now))
    if (t.state === 'submitted' && t.not_before) write(this.#f.text, waiting(t, now))
  }

  /** @param {boolean} on */
  set picked(on) {
    mark(this.pick, 'aria-checked', String(on))
    mark(this.element, 'data-picked', on)
  }
}
