import { RpcError } from '../../client/index.js'
import { dialog, open } from '../lib/dialog.js'
import { field, one, write } from '../lib/dom.js'
import { count, leftoversText } from '../lib/format.js'
import { failed, messageOf, toast } from '../lib/toast.js'
import { taskTitle } from './taskformat.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { StopReport, Task } from '../../client/types.js' */

/** How many names the dialog shows; it counts the others. */
const MAX_NAMES = 8

/** How many requests are in progress at once, since the client bounds their number. */
const AT_ONCE = 100

/** The dialog that asks before tasks are canceled, or stopped. */
export class CancelDialog {
  #skein
  #dialog = dialog('cancel')
  #confirm = field(this.#dialog, 'confirm')
  /** @type {() => void} */
  #go = () => {}

  /** @param {Skein} skein */
  constructor(skein) {
    this.#skein = skein
    one(this.#dialog, 'form').addEventListener('submit', (e) => {
      e.preventDefault()
      this.#dialog.close()
      this.#go()
    })
  }

  /**
   * @param {Task[]} tasks
   * @param {{below?: number, done?: () => void}} [options] below: how many tasks below them have not ended
   */
  cancel(tasks, { below = 0, done } = {}) {
    const one = tasks.length === 1
    const more = below > 0 ? ` ${below === 1 ? 'The task' : `The ${below} tasks`} below ${one ? 'it' : 'them'} ${below === 1 ? 'is' : 'are'} canceled, too.` : ''
    const agents = tasks.some((t) => t.state !== 'submitted') ? (one ? ' An agent that works on it is told to stop.' : ' Agents that work on them are told to stop.') : ''
    this.#ask(tasks, 'Cancel', `What is done so far is lost.${agents}${more}`)
    this.#go = () => void this.#cancel(tasks, done)
  }

  /** @param {Task} task with all below it */
  stop(task) {
    this.#ask([task], 'Stop', 'It is canceled with all tasks below it. Its own processes get SIGTERM, those that survive get SIGKILL, and all are verified to be gone.')
    this.#go = () => void this.#stop(task)
  }

  /**
   * @param {Task[]} tasks
   * @param {string} word
   * @param {string} lead
   */
  #ask(tasks, word, lead) {
    const [first] = tasks
    if (!first) return
    const what = tasks.length === 1 ? taskTitle(first) : `${tasks.length} tasks`
    write(field(this.#dialog, 'title'), `${word} ${what}?`)
    write(field(this.#dialog, 'lead'), lead)
    field(this.#dialog, 'names').replaceChildren(...(tasks.length === 1 ? [] : names(tasks)))
    write(this.#confirm, tasks.length === 1 ? `${word} the task` : `${word} ${tasks.length} tasks`)
    open(this.#dialog)
    this.#confirm.focus()
  }

  /**
   * @param {Task[]} tasks
   * @param {() => void} [done]
   */
  async #cancel(tasks, done) {
    try {
      const canceled = await this.#skein.tasks.cancel(tasks.map((t) => t.id))
      if (canceled.length === 0) toast('done', 'There was nothing left to cancel')
      else toast('done', canceled.length === 1 && tasks[0] ? `${taskTitle(tasks[0])} is canceled` : `${canceled.length} tasks are canceled`, '', { n: canceled.length, say: (n) => `${n} tasks are canceled` })
      done?.()
    } catch (e) {
      failed(tasks.length === 1 ? 'The task was not canceled' : 'The tasks were not canceled', e)
    }
  }

  /** @param {Task} task */
  async #stop(task) {
    try {
      const { reports, canceled = [] } = await this.#skein.stop({ scope: 'task', tasks: [task.id] })
      const bad = reports.filter((r) => r.error || r.leftovers?.length)
      if (bad.length > 0) toast('failed', 'Not everything is gone', bad.map(trouble).join(' '))
      else toast('done', `${taskTitle(task)} is stopped`, `${count(canceled.length, 'task', 'tasks')} canceled, ${gone(reports)}.`, { say: (n) => `${n} tasks are stopped` })
    } catch (e) {
      failed('The task was not stopped', e)
    }
  }
}

/** @param {StopReport[]} reports */
const gone = (reports) => (reports.length === 0 ? 'no process of its own to stop' : `${count(reports.length, 'process', 'processes')} verified to be gone`)

/** @param {StopReport} r */
const trouble = (r) => (r.error ? messageOf(new RpcError(r.error)) : `Left of ${r.id}: ${leftoversText(r.leftovers)}.`)

/** @param {Task[]} tasks */
function names(tasks) {
  const words = tasks.slice(0, MAX_NAMES).map(taskTitle)
  if (tasks.length > MAX_NAMES) words.push(`and ${tasks.length - MAX_NAMES} more`)
  return words.map((word) => {
    const li = document.createElement('li')
    li.textContent = word
    return li
  })
}

/** @param {number} n */
const again = (n) => `${n} tasks are submitted again`

/**
 * Retries tasks and shows how that went.
 * @param {Skein} skein
 * @param {Task[]} tasks
 */
export async function retry(skein, tasks) {
  /** @type {PromiseSettledResult<Task>[]} */
  const answers = []
  for (let i = 0; i < tasks.length; i += AT_ONCE) answers.push(...(await Promise.allSettled(tasks.slice(i, i + AT_ONCE).map((t) => skein.tasks.retry(t.id)))))
  const bad = answers.filter((a) => a.status === 'rejected')
  const good = tasks.length - bad.length
  if (bad[0]) failed(tasks.length === 1 ? 'The task was not submitted again' : `${bad.length} of ${tasks.length} tasks were not submitted again`, bad[0].reason)
  else if (good > 0) toast('done', good === 1 && tasks[0] ? `${taskTitle(tasks[0])} is submitted again` : again(good), '', { n: good, say: again })
}
