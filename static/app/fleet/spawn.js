import { RpcError } from '../../client/index.js'
import { parseArgv, parsePairs, splitLines, joinArgv } from '../lib/argv.js'
import { dialog, open } from '../lib/dialog.js'
import { field, mark, one, write } from '../lib/dom.js'
import { clean } from '../lib/format.js'
import { failed, messageOf, toast } from '../lib/toast.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Agent, SpawnParams, SpawnResult } from '../../client/types.js' */

/** @typedef {(result: SpawnResult) => void} Spawned */

/**
 * Spawns agents and shows the outcome.
 * @param {Skein} skein
 * @param {SpawnParams} params
 * @param {string} [detail] text to add if it succeeded
 * @returns {Promise<SpawnResult | undefined>}
 */
export async function spawn(skein, params, detail = '') {
  try {
    const result = await skein.spawn(params)
    report(result, detail)
    return result
  } catch (e) {
    failed(`${params.type} was not spawned`, e)
    return undefined
  }
}

/** @param {number} n */
const spawned = (n) => `${n} agents are spawned`

/**
 * @param {SpawnResult} result
 * @param {string} [detail]
 */
export function report({ agents, failed: errors = [] }, detail = '') {
  const good = agents.length - errors.filter((e) => agents.some((a) => a.id === e.id)).length
  const [first] = agents
  if (errors.length > 0) {
    toast('failed', `${errors.length} of ${good + errors.length} could not be started`, messageOf(new Error(errors[0]?.error.message)))
  } else toast('done', agents.length === 1 && first ? `${clean(first.name)} is spawned` : spawned(agents.length), detail, { n: agents.length, say: spawned })
}

/**
 * Where an agent like a given one works: in the same folder, or in one of its own that is made in the same way.
 * @param {Agent} a
 * @returns {Partial<SpawnParams>}
 */
export function folderOf({ id, cwd, folder }) {
  if (!cwd) return {}
  if (folder?.mode === 'worktree' && folder.repo) return { folder: 'worktree', cwd: folder.repo + (folder.top && cwd.startsWith(folder.top) ? cwd.slice(folder.top.length) : '') }
  return cwd.includes(id) ? {} : { cwd, ...(folder?.mode === 'shared' && { folder: 'shared', ...(folder.share && { share: true }) }) }
}

/**
 * Spawns an agent like a given one.
 * @param {Skein} skein
 * @param {Agent} a
 * @param {Partial<SpawnParams>} [more] what is to be otherwise
 */
export async function again(skein, a, more = {}) {
  /** @type {SpawnParams} */
  const params = { type: a.type, name: a.name, ...(a.labels && { labels: a.labels }), ...(a.no_input && { no_input: true }), ...(a.tty && { tty: a.tty }) }
  try {
    const own = (await skein.types()).find((t) => t.name === a.type)?.argv ?? []
    if (a.kind !== 'scripted' && own.length > 0) params.args = (a.argv ?? []).slice(own.length)
    else if (a.kind !== 'scripted') params.argv = a.argv ?? []
  } catch (e) {
    failed(`${a.type} was not spawned`, e)
    return undefined
  }
  Object.assign(params, 'session' in more ? {} : folderOf(a), more) // one that goes on with a conversation works where that was
  return spawn(skein, params, a.kind === 'scripted' ? "It runs its type's own script: one given at a spawn is not kept." : '')
}

/**
 * What a form that was filled with an agent can't have of it.
 * @param {Agent} a
 * @param {boolean} typed whether its type is still there
 */
function likeText(a, typed) {
  if (!typed) return `Its type, ${a.type}, is not there any more: choose another one.`
  if (a.kind === 'scripted') return 'The script of an agent is not kept: without one, its type’s runs.'
  return a.env_names ? 'The values of its variables are not kept: write them again, or remove their lines.' : ''
}

/** The form that spawns agents of a chosen type. */
export class SpawnDialog {
  #skein
  #spawned
  #dialog = dialog('spawn')
  #form = /** @type {HTMLFormElement} */ (one(this.#dialog, 'form'))
  #mode = 'command' // how argv is written: 'command' or 'lines'
  #busy = false
  #share = false // whether one like it shared its folder
  /** @type {string[]} */
  #unknown = [] // variables of one like it, whose values are not known

  /**
   * @param {Skein} skein
   * @param {Spawned} spawned
   */
  constructor(skein, spawned) {
    this.#skein = skein
    this.#spawned = spawned
    const form = this.#form
    form.addEventListener('submit', (e) => {
      e.preventDefault()
      void this.#submit()
    })
    form.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) form.requestSubmit()
    })
    form.addEventListener('change', (e) => {
      if (['type', 'folder'].includes(/** @type {HTMLInputElement} */ (e.target).name)) this.#choose()
    })
    this.#input('argv').addEventListener('input', () => this.#tokens())
    this.#input('count').addEventListener('input', () => this.#label())
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll('[data-argv-mode]'))) {
      button.addEventListener('click', () => this.#write(button.dataset.argvMode ?? 'command'))
    }
    this.#choose()
  }

  /** @param {Agent} [like] whose type, command, folder and labels the form is filled with */
  open(like) {
    if (like) this.#fill(like)
    this.#clearErrors()
    open(this.#dialog)
    const chosen = /** @type {HTMLElement | null} */ (this.#form.querySelector('input[name="type"]:checked'))
    chosen?.focus()
  }

  /** @param {Agent} a */
  #fill(a) {
    this.#form.reset()
    const type = /** @type {HTMLInputElement | null} */ (this.#form.querySelector(`input[name="type"][value="${CSS.escape(a.type)}"]`))
    if (type) type.checked = true
    const { cwd = '', folder = '' } = folderOf(a)
    const own = type ? this.#type.argv.length : 0
    const argv = (a.argv ?? []).slice(own)
    const texts = {
      argv: this.#mode === 'lines' ? argv.join('\n') : joinArgv(argv),
      name: a.name, cwd, folder,
      env: (a.env_names ?? []).map((name) => `${name}=`).join('\n'),
      labels: Object.entries(a.labels ?? {}).map(([name, value]) => `${name}=${value}`).join('\n'),
    }
    for (const [name, text] of Object.entries(texts)) this.#input(name).value = text
    for (const [name, on] of Object.entries({ no_input: a.no_input, tty: a.tty })) {
      const box = /** @type {HTMLInputElement} */ (this.#input(name))
      box.checked = Boolean(on)
    }
    this.#share = folderOf(a).share === true
    this.#unknown = a.env_names ?? []
    const more = /** @type {HTMLDetailsElement} */ (field(this.#form, 'more'))
    more.open = [cwd, texts.env, texts.labels].some(Boolean)
    const like = field(this.#form, 'like')
    write(like, likeText(a, type !== null))
    like.hidden = like.textContent === ''
    this.#choose()
  }

  /** @param {Map<string, number>} running agents alive, by type */
  running(running) {
    for (const el of /** @type {NodeListOf<HTMLInputElement>} */ (this.#form.querySelectorAll('input[name="type"]'))) {
      const n = running.get(el.value) ?? 0
      const max = Number(el.dataset.max)
      write(one(this.#form, `[data-type-running="${CSS.escape(el.value)}"]`), String(n))
      mark(/** @type {Element} */ (el.closest('.type')), 'data-full', max > 0 && n >= max)
    }
  }

  /**
   * @param {string} name
   * @returns {HTMLInputElement | HTMLTextAreaElement}
   */
  #input(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name))
  }

  get #type() {
    const el = /** @type {HTMLInputElement | null} */ (this.#form.querySelector('input[name="type"]:checked'))
    const argv = /** @type {string[] | null} */ (JSON.parse(el?.dataset.argv ?? 'null')) ?? []
    return { name: el?.value ?? '', kind: el?.dataset.kind ?? '', argv, description: el?.dataset.description ?? '' }
  }

  /** Shows the fields that the chosen type takes. */
  #choose() {
    const t = this.#type
    const scripted = t.kind === 'scripted'
    const show = (/** @type {string} */ name, /** @type {boolean} */ on) => (one(this.#form, `[data-field="${name}"]`).hidden = !on)
    show('script', scripted)
    show('argv', !scripted)
    show('no_input', !scripted)
    show('tty', !scripted)
    show('folder', !scripted)
    show('base', !scripted && this.#input('folder').value === 'worktree')
    write(field(this.#form, 'description'), t.description)
    write(field(this.#form, 'argv-label'), t.argv.length > 0 ? `Arguments after ${joinArgv(t.argv)}` : 'Command')
    mark(this.#input('argv'), 'placeholder', t.argv.length > 0 ? 'None' : "sh -c 'date; sleep 60'")
    this.#clearErrors()
    this.#tokens()
    this.#label()
  }

  /** @param {string} mode the way to write argv; the text in the field is converted */
  #write(mode) {
    if (mode === this.#mode) return
    const { argv, error } = this.#argv()
    if (error) return this.#fail('argv', error)
    this.#mode = mode
    for (const b of /** @type {NodeListOf<HTMLElement>} */ (this.#form.querySelectorAll('[data-argv-mode]'))) mark(b, 'aria-pressed', String(b.dataset.argvMode === mode))
    const box = this.#input('argv')
    box.value = mode === 'lines' ? argv.join('\n') : joinArgv(argv)
    mark(box, 'rows', mode === 'lines' ? '5' : '2')
    this.#tokens()
  }

  #argv() {
    const text = this.#input('argv').value
    return this.#mode === 'lines' ? { argv: splitLines(text), error: '', shell: false } : parseArgv(text)
  }

  /** Shows the arguments that the command is split into. */
  #tokens() {
    const { argv, shell } = this.#argv()
    field(this.#form, 'tokens').replaceChildren(
      ...argv.map((arg) => {
        const code = document.createElement('code')
        code.className = 'token'
        code.textContent = arg
        return code
      }),
    )
    const hint = this.#mode === 'lines' ? 'Each line is one argument, spaces included.' : 'Split at spaces; quotes keep an argument together. No shell reads it.'
    write(field(this.#form, 'argv-hint'), shell && argv[0] !== 'sh' && argv[0] !== 'bash' ? "No shell reads it: for pipes, variables and patterns use sh -c '…'." : hint)
    this.#fail('argv', '')
  }

  #label() {
    const n = Number(this.#input('count').value)
    write(field(this.#form, 'submit'), n > 1 ? `Spawn ${n}` : 'Spawn')
  }

  /** @returns {SpawnParams | undefined} */
  #params() {
    const t = this.#type
    const value = (/** @type {string} */ name) => this.#input(name).value
    /** @type {SpawnParams} */
    const params = { type: t.name }
    const n = Number(value('count') || 1)
    if (!Number.isInteger(n) || n < 1) return this.#fail('count', 'A whole number, 1 or more.')
    if (n > 1) params.count = n
    if (value('name').trim()) params.name = value('name').trim()
    if (value('cwd').trim()) params.cwd = value('cwd').trim()
    if (t.kind !== 'scripted' && value('folder')) params.folder = /** @type {SpawnParams['folder']} */ (value('folder'))
    if (params.folder === 'worktree' && value('base').trim()) params.base = value('base').trim()
    for (const name of /** @type {const} */ (['env', 'labels'])) {
      const { pairs, error } = parsePairs(value(name))
      if (error) return this.#fail(name, error)
      if (Object.keys(pairs).length > 0) params[name] = pairs
    }
    const empty = this.#unknown.find((name) => params.env?.[name] === '')
    if (empty) return this.#fail('env', `Give ${empty} a value, or remove its line: values are not kept.`)
    if (this.#share && params.cwd && params.folder === 'shared') params.share = true
    if (t.kind === 'scripted') {
      if (value('script').trim()) params.script = value('script')
      return params
    }
    if (/** @type {HTMLInputElement} */ (this.#input('no_input')).checked) params.no_input = true
    if (/** @type {HTMLInputElement} */ (this.#input('tty')).checked) params.tty = { cols: 0, rows: 0 }
    const { argv, error } = this.#argv()
    if (error) return this.#fail('argv', error)
    if (t.argv.length > 0) {
      if (argv.length > 0) params.args = argv
    } else if (argv.length === 0) return this.#fail('argv', 'This type runs the command that you give it.')
    else params.argv = argv
    return params
  }

  async #submit() {
    if (this.#busy) return
    this.#clearErrors()
    const params = this.#params()
    if (!params) return
    const button = /** @type {HTMLButtonElement} */ (field(this.#form, 'submit'))
    this.#busy = button.disabled = true
    try {
      const result = await this.#skein.spawn(params)
      this.#dialog.close()
      report(result)
      this.#spawned(result)
    } catch (e) {
      this.#refused(e)
    } finally {
      this.#busy = button.disabled = false
    }
  }

  /** @param {unknown} e */
  #refused(e) {
    const name = e instanceof RpcError ? (e.field ?? '').replace(/^args$/, 'argv').replace(/[.[].*$/, '') : ''
    const supported = e instanceof RpcError && e.supported.length > 0 ? ` Allowed: ${e.supported.join(', ')}.` : ''
    const known = name && this.#form.querySelector(`[data-error="${CSS.escape(name)}"]`)
    if (known) this.#fail(name, messageOf(e) + supported)
    else {
      const box = field(this.#form, 'error')
      write(box, messageOf(e) + supported)
      box.hidden = false
    }
  }

  /**
   * Shows an error at a field; '' removes it.
   * @param {string} name
   * @param {string} text
   * @returns {undefined}
   */
  #fail(name, text) {
    const p = one(this.#form, `[data-error="${name}"]`)
    write(p, text)
    p.hidden = text === ''
    const box = name === 'type' ? null : this.#input(name)
    if (box) mark(box, 'aria-invalid', text !== '' && 'true')
    if (!text) return undefined
    /** @type {HTMLDetailsElement | null | undefined} */
    const more = box?.closest('details')
    if (more) more.open = true
    box?.focus()
    return undefined
  }

  #clearErrors() {
    field(this.#form, 'error').hidden = true
    for (const name of ['type', 'argv', 'script', 'name', 'count', 'cwd', 'folder', 'base', 'env', 'labels']) this.#fail(name, '')
  }
}
