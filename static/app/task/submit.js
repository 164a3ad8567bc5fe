import { MAX_BATCH, MAX_TASK_INPUT } from '../../client/codes.js'
import { RpcError, payloadText } from '../../client/index.js'
import { joinArgv, parseArgv } from '../lib/argv.js'
import { dialog, open } from '../lib/dialog.js'
import { field, mark, one, write } from '../lib/dom.js'
import { alive, bytes, count } from '../lib/format.js'
import { failed, messageOf, toast } from '../lib/toast.js'
import { taskTitle } from './taskformat.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { OrchestrateInit, TaskInit } from '../../client/tasks.js' */
/** @import { AggregateMode, Priority, Task } from '../../client/types.js' */

const encoder = new TextEncoder()

/**
 * Submits a task or an orchestration and shows the outcome.
 * @param {Skein} skein
 * @param {{submit?: TaskInit, orchestrate?: OrchestrateInit}} what
 * @returns {Promise<Task | undefined>}
 */
export async function submit(skein, { submit: spec, orchestrate }) {
  try {
    const task = orchestrate ? await skein.tasks.orchestrate(orchestrate) : await skein.tasks.submit(/** @type {TaskInit} */ (spec))
    told(task)
    return task
  } catch (e) {
    failed('Nothing was submitted', e)
    return undefined
  }
}

/** @param {Task} task */
const told = (task) =>
  toast('done', `${taskTitle(task)} is submitted`, task.orchestration ? count(task.orchestration.children, 'child task', 'child tasks') : '', { say: (n) => `${n} tasks are submitted` })

/** The form that submits a task, or orchestrates many. */
export class SubmitDialog {
  #skein
  #submitted
  #dialog = dialog('submit')
  #form = /** @type {HTMLFormElement} */ (one(this.#dialog, 'form'))
  #many = false
  #busy = false
  /** @type {Pick<TaskInit, 'labels' | 'queue' | 'depends_on' | 'no_input'>} what the form has no field for, of the task that it began with */
  #kept = {}

  /**
   * @param {Skein} skein
   * @param {(task: Task) => void} submitted
   */
  constructor(skein, submitted) {
    this.#skein = skein
    this.#submitted = submitted
    const form = this.#form
    form.addEventListener('submit', (e) => {
      e.preventDefault()
      void this.#submit()
    })
    form.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) {
        e.preventDefault()
        form.requestSubmit()
      }
    })
    form.addEventListener('change', (e) => {
      const { name } = /** @type {HTMLInputElement} */ (e.target)
      if (['type', 'mode', 'reduce'].includes(name)) this.#show()
    })
    this.#box('argv').addEventListener('input', () => this.#tokens())
    this.#box('input').addEventListener('input', () => this.#measure())
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll('[data-kind]'))) {
      button.addEventListener('click', () => this.#choose(button.dataset.kind === 'many'))
    }
    skein.fleet.addEventListener('change', () => this.#dialog.open && this.#running())
    skein.fleet.addEventListener('admission', () => this.#running())
    this.#show()
  }

  /** @param {Task} [like] the form begins with what this one was */
  open(like) {
    if (like) this.#fill(like)
    this.#keep(like)
    this.#clearErrors()
    this.#running()
    this.#show()
    open(this.#dialog)
    const chosen = /** @type {HTMLElement | null} */ (this.#form.querySelector('input[name="type"]:checked'))
    chosen?.focus()
    chosen?.closest('.type')?.scrollIntoView({ block: 'nearest' })
  }

  /** @param {Task} [like] a task, of which all is kept that the form has no field for */
  #keep({ labels, queue, depends_on: needs, no_input: none } = /** @type {Task} */ ({})) {
    const tied = (needs?.length ?? 0) > 0
    this.#kept = { ...(labels && { labels }), ...(queue && queue !== 'default' && { queue }), ...(tied && { depends_on: needs }), ...(none && { no_input: true }) }
    const words = [labels && 'its labels', this.#kept.queue && `its queue, ${queue}`, tied && `what it comes after (${count(needs?.length ?? 0, 'task', 'tasks')})`].filter(Boolean)
    const hint = field(this.#form, 'kept')
    write(hint, words.length > 0 ? `Kept: ${words.join('; ')}.` : '')
    hint.hidden = words.length === 0
  }

  /** Shows how many agents of each type are running, and whether more may start. */
  #running() {
    /** @type {Map<string, number>} */
    const running = new Map()
    for (const a of this.#skein.fleet.agents.values()) if (alive(a)) running.set(a.type, (running.get(a.type) ?? 0) + 1)
    const admission = this.#skein.fleet.admission
    for (const el of /** @type {NodeListOf<HTMLInputElement>} */ (this.#form.querySelectorAll('input[name="type"][data-tasks]'))) {
      const n = running.get(el.value) ?? 0
      const max = Number(el.dataset.max)
      write(one(this.#form, `[data-type-running="${CSS.escape(el.value)}"]`), String(n))
      one(this.#form, `[data-type-closed="${CSS.escape(el.value)}"]`).hidden = !(admission?.closed || admission?.types?.includes(el.value))
      mark(/** @type {Element} */ (el.closest('.type')), 'data-full', max > 0 && n >= max)
    }
  }

  /** @param {string} name @returns {HTMLInputElement} */
  #box(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name))
  }

  /** @param {string} name */
  #value(name) {
    return this.#box(name).value.trim()
  }

  get #type() {
    const el = /** @type {HTMLInputElement | null} */ (this.#form.querySelector('input[name="type"]:checked'))
    const argv = /** @type {string[] | null} */ (JSON.parse(el?.dataset.argv ?? 'null')) ?? []
    return { name: el?.value ?? '', process: el?.dataset.tasks === 'process', argv, description: el?.dataset.description ?? '' }
  }

  /** Whether the task may be a process, which can be told where to work. */
  get #placed() {
    const t = this.#type
    return t.process || t.name === ''
  }

  /** @param {boolean} many inputs, or one */
  #choose(many) {
    this.#many = many
    for (const b of /** @type {NodeListOf<HTMLElement>} */ (this.#form.querySelectorAll('[data-kind]'))) mark(b, 'aria-pressed', String((b.dataset.kind === 'many') === many))
    this.#show()
  }

  /** Shows the fields that the choices ask for. */
  #show() {
    const t = this.#type
    const part = (/** @type {string} */ name) => one(this.#form, `[data-field="${name}"]`)
    const mode = this.#value('mode')
    const reducer = /** @type {HTMLSelectElement} */ (/** @type {unknown} */ (this.#box('reduce'))).selectedOptions[0]
    part('capabilities').hidden = t.name !== ''
    part('argv').hidden = !t.process
    part('place').hidden = !this.#placed
    part('mode').hidden = !this.#many
    part('quorum').hidden = mode !== 'quorum'
    part('reduce').hidden = mode !== 'reduce'
    part('reduce_argv').hidden = !this.#many || mode !== 'reduce' || reducer?.dataset.command === undefined
    write(field(this.#form, 'description'), t.description)
    write(field(this.#form, 'argv-label'), t.argv.length > 0 ? `Arguments after ${joinArgv(t.argv)}` : 'Command')
    mark(this.#box('argv'), 'placeholder', t.argv.length > 0 ? 'None' : 'wc -w')
    write(field(this.#form, 'input-label'), this.#many ? 'Inputs' : 'Input')
    const stdin = t.process ? ' The process reads it on standard input.' : ''
    write(field(this.#form, 'input-hint'), this.#many ? `One per line; empty lines are left out. Each becomes a child task.${stdin}` : stdin.trim())
    mark(this.#box('input'), 'rows', this.#many ? '6' : '4')
    mark(this.#box('name'), 'placeholder', this.#many ? 'orchestration' : 'The beginning of the input')
    this.#clearErrors()
    this.#tokens()
    this.#measure()
  }

  /** Shows the arguments that the command is split into. */
  #tokens() {
    const { argv, shell } = parseArgv(this.#value('argv'))
    field(this.#form, 'tokens').replaceChildren(
      ...argv.map((arg) => {
        const code = document.createElement('code')
        code.className = 'token'
        code.textContent = arg
        return code
      }),
    )
    const expects = shell && argv[0] !== 'sh' && argv[0] !== 'bash'
    write(field(this.#form, 'argv-hint'), expects ? "No shell reads it: for pipes, variables and patterns use sh -c '…'." : 'Split at spaces; quotes keep an argument together. No shell reads it.')
    this.#fail('argv', '')
  }

  #inputs() {
    return this.#box('input').value.split('\n').map((line) => line.trim()).filter(Boolean)
  }

  /** Shows the size of the input and what the button will do. */
  #measure() {
    const text = this.#box('input').value
    const n = this.#inputs().length
    write(field(this.#form, 'input-size'), this.#many ? count(n, 'input', 'inputs') : text ? bytes(encoder.encode(text).length) : '')
    write(field(this.#form, 'submit'), this.#many && n > 0 ? `Submit ${n}` : 'Submit')
    mark(this.#box('quorum'), 'max', String(Math.max(n, 1)))
    this.#fail('input', '')
  }

  /** @param {Task} t */
  #fill(t) {
    this.#form.reset()
    const orchestrated = t.orchestration !== undefined
    this.#choose(orchestrated)
    const radios = /** @type {HTMLInputElement[]} */ ([...this.#form.querySelectorAll('input[name="type"]')])
    const type = t.type || this.#skein.fleet.agents.get(t.agent ?? '')?.type
    const own = radios.find((r) => r.value === (type ?? ''))
    if (own) own.checked = true
    this.#box('capabilities').value = (t.capabilities ?? []).join(' ')
    this.#box('argv').value = joinArgv([...(t.argv ?? []), ...(t.args ?? [])])
    this.#box('cwd').value = t.cwd ?? ''
    this.#box('folder').value = t.folder ?? ''
    this.#box('input').value = t.input?.base64 ? '' : payloadText(t.input)
    this.#box('name').value = t.name ?? ''
    this.#box('priority').value = t.priority || 'normal'
    for (const name of /** @type {const} */ (['queue', 'run', 'heartbeat'])) this.#box(name).value = seconds(t.timeouts?.[name])
    this.#box('attempts').value = t.retry?.max && !orchestrated ? String(t.retry.max) : ''
    this.#box('backoff').value = seconds(t.retry?.backoff)
    this.#box('retry_on').value = (t.retry_on ?? []).join(', ')
    if (t.orchestration) {
      this.#box('mode').value = t.orchestration.mode
      this.#box('quorum').value = String(t.orchestration.quorum ?? '')
      this.#box('fail_fast').checked = t.orchestration.fail_fast ?? false
      if (t.orchestration.reduce?.type) this.#box('reduce').value = t.orchestration.reduce.type
      this.#box('reduce_argv').value = joinArgv(t.orchestration.reduce?.argv ?? [])
    }
  }

  /** @returns {TaskInit | undefined} the fields that tasks and orchestrations have in common */
  #spec() {
    const t = this.#type
    /** @type {TaskInit} */
    const spec = { ...this.#kept }
    if (!t.process) delete spec.no_input
    if (this.#many) delete spec.depends_on // an orchestration's tasks come after no others
    if (t.name) spec.type = t.name
    else {
      const all = this.#value('capabilities').split(/[\s,]+/).filter(Boolean)
      if (all.length === 0) return this.#fail('capabilities', 'Name at least one.')
      spec.capabilities = all
    }
    if (t.process) {
      const { argv, error } = parseArgv(this.#value('argv'))
      if (error) return this.#fail('argv', error)
      if (t.argv.length === 0 && argv.length === 0) return this.#fail('argv', 'A task of this type is the command that you give it.')
      if (t.argv.length === 0) spec.argv = argv
      else if (argv.length > 0) spec.args = argv
    }
    if (this.#placed && this.#value('cwd')) spec.cwd = this.#value('cwd')
    if (this.#placed && this.#value('folder')) spec.folder = /** @type {TaskInit['folder']} */ (this.#value('folder'))
    if (this.#value('priority') !== 'normal') spec.priority = /** @type {Priority} */ (this.#value('priority'))
    return this.#limits(spec)
  }

  /** @param {TaskInit} spec @returns {TaskInit | undefined} */
  #limits(spec) {
    /** @type {NonNullable<TaskInit['timeouts']>} */
    const timeouts = {}
    for (const name of /** @type {const} */ (['queue', 'run', 'heartbeat'])) {
      const ms = millis(this.#box(name))
      if (ms === undefined) return this.#fail('timeouts', 'A number of seconds, or empty.', name)
      if (ms > 0) timeouts[name] = ms
    }
    if (Object.keys(timeouts).length > 0) spec.timeouts = timeouts
    const max = Number(this.#value('attempts') || 0)
    const backoff = millis(this.#box('backoff'))
    if (!Number.isInteger(max) || max < 0 || !this.#box('attempts').validity.valid) return this.#fail('retry', 'Attempts are a whole number from 1 to 100.', 'attempts')
    if (backoff === undefined) return this.#fail('retry', 'The pause is a number of seconds.', 'backoff')
    const codes = this.#value('retry_on').split(/[\s,]+/).filter(Boolean).map(Number)
    if (!codes.every((c) => Number.isInteger(c) && c >= 1 && c <= 255)) return this.#fail('retry', 'Exit codes are whole numbers from 1 to 255.', 'retry_on')
    if (codes.length > 0) spec.retry_on = codes
    if (max > 0 || backoff > 0) spec.retry = { ...(max > 0 && { max }), ...(backoff > 0 && { backoff }) }
    return spec
  }

  /** @returns {{submit?: TaskInit, orchestrate?: OrchestrateInit} | undefined} */
  #params() {
    const spec = this.#spec()
    if (!spec) return undefined
    if (this.#many) return this.#orchestration(spec)
    const input = this.#box('input').value
    const size = encoder.encode(input).length
    if (size > MAX_TASK_INPUT) return this.#fail('input', `It has ${bytes(size)}; a task takes ${bytes(MAX_TASK_INPUT)}. Store it as an artifact and give its name here.`)
    if (this.#value('name')) spec.name = this.#value('name')
    return { submit: { ...spec, ...(input && { input }) } }
  }

  /** @param {TaskInit} task @returns {{orchestrate: OrchestrateInit} | undefined} */
  #orchestration(task) {
    const inputs = this.#inputs()
    if (inputs.length === 0) return this.#fail('input', 'Give at least one line.')
    if (inputs.length > MAX_BATCH) return this.#fail('input', `${inputs.length} inputs are too many; the limit is ${MAX_BATCH}.`)
    const mode = /** @type {AggregateMode} */ (this.#value('mode'))
    /** @type {OrchestrateInit} */
    const all = { task, inputs, mode }
    if (this.#value('name')) all.name = this.#value('name')
    if (this.#box('fail_fast').checked) all.fail_fast = true
    if (mode === 'quorum') {
      all.quorum = Number(this.#value('quorum'))
      if (!Number.isInteger(all.quorum) || all.quorum < 1 || all.quorum > inputs.length) return this.#fail('quorum', `A whole number from 1 to ${inputs.length}.`)
    }
    if (mode === 'reduce') {
      all.reduce = { type: this.#value('reduce') }
      if (!one(this.#form, '[data-field="reduce_argv"]').hidden) {
        const { argv, error } = parseArgv(this.#value('reduce_argv'))
        if (error || argv.length === 0) return this.#fail('reduce_argv', error || 'A task of this type is the command that you give it.')
        all.reduce.argv = argv
      }
    }
    return { orchestrate: all }
  }

  async #submit() {
    if (this.#busy) return
    this.#clearErrors()
    const params = this.#params()
    if (!params) return
    const button = /** @type {HTMLButtonElement} */ (field(this.#form, 'submit'))
    this.#busy = button.disabled = true
    try {
      const { tasks } = this.#skein
      const task = params.orchestrate ? await tasks.orchestrate(params.orchestrate) : await tasks.submit(/** @type {TaskInit} */ (params.submit))
      this.#dialog.close()
      this.#box('input').value = ''
      this.#box('name').value = ''
      told(task)
      this.#submitted(task)
    } catch (e) {
      this.#refused(e)
    } finally {
      this.#busy = button.disabled = false
    }
  }

  /** @param {unknown} e */
  #refused(e) {
    const name = e instanceof RpcError ? placeOf(e.field ?? '') : ''
    const known = name ? this.#form.querySelector(`[data-error="${CSS.escape(name)}"]`) : null
    const part = /** @type {HTMLElement | null | undefined} */ (known?.closest('[data-field]'))
    if (known && !part?.hidden) this.#fail(name, messageOf(e))
    else {
      const box = field(this.#form, 'error')
      write(box, messageOf(e))
      box.hidden = false
      box.scrollIntoView({ block: 'nearest' })
    }
  }

  /**
   * Shows an error at a field; '' removes it.
   * @param {string} name the name of the place for the error
   * @param {string} text
   * @param {string} [box] the name of the field, if it differs
   * @returns {undefined}
   */
  #fail(name, text, box = name) {
    const p = one(this.#form, `[data-error="${name}"]`)
    write(p, text)
    p.hidden = text === ''
    const el = name === 'type' ? null : this.#form.elements.namedItem(box)
    if (!(el instanceof Element)) return undefined
    mark(el, 'aria-invalid', text !== '' && 'true')
    if (!text) return undefined
    /** @type {HTMLDetailsElement | null} */
    const more = el.closest('details')
    if (more) more.open = true
    if (el instanceof HTMLElement) el.focus()
    return undefined
  }

  #clearErrors() {
    field(this.#form, 'error').hidden = true
    for (const name of ['type', 'capabilities', 'argv', 'cwd', 'folder', 'input', 'mode', 'quorum', 'reduce', 'reduce_argv', 'name', 'priority']) this.#fail(name, '')
    for (const name of ['queue', 'run', 'heartbeat']) this.#fail('timeouts', '', name)
    for (const name of ['attempts', 'backoff', 'retry_on']) this.#fail('retry', '', name)
  }
}

/**
 * The field of the form that a parameter comes from. For example, inputs[2] and inputs[2].input are the input,
 * inputs[2].argv is the command.
 * @param {string} parameter
 */
function placeOf(parameter) {
  const last = (parameter.split('.').at(-1) ?? '').replace(/\[.*$/, '')
  if (parameter.startsWith('reduce')) return last === 'argv' ? 'reduce_argv' : 'reduce'
  return { args: 'argv', inputs: 'input', retry_on: 'retry' }[last] ?? last
}

/** @param {number} [ms] */
const seconds = (ms) => (ms ? String(ms / 1000) : '')

/**
 * @param {HTMLInputElement} box a field for seconds
 * @returns {number | undefined} milliseconds; 0 if it is empty
 */
function millis(box) {
  if (!box.validity.valid) return undefined
  const s = Number(box.value || 0)
  return Number.isFinite(s) && s >= 0 ? Math.round(s * 1000) : undefined
}
