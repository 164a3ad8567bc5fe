/**
 * The body of the page of an agent with pipes: its output as lines, and a box that writes to its standard input.
 */
import { mark, one } from '../lib/dom.js'
import { sought } from '../lib/sought.js'
import { failed, toast } from '../lib/toast.js'
import { Options } from './options.js'
import { Output } from './output.js'
import { Slash } from './slash.js'
import { Talk } from './talk.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Agent } from '../../client/types.js' */
/** @import { Body } from '../lib/body.js' */

/** How many inputs the up arrow brings back. */
const MAX_HISTORY = 100

/** How many events the page loads when it must start again because its events are not those of the log. */
const MAX_BACK = 500

/**
 * @param {Skein} skein
 * @param {HTMLElement} root
 * @param {{id: string, epoch: string, cursor: number, first: number}} from
 * @returns {Body}
 */
export function lines(skein, root, { id, epoch, cursor, first }) {
  const output = new Output(skein, { id, epoch, first })
  const line = sought(location.search)
  const talk = root.querySelector('#talk') ? new Talk(skein, id, line && 'lines') : undefined
  if (line) output.find.from(line)
  const options = root.querySelector('#options') ? new Options(skein, root, id) : undefined
  const follow = () => {
    output.follow()
    talk?.follow()
  }
  const input = inputBox(skein, root, id, follow, options)
  const press = (/** @type {string} */ name) => () => one(document, name).click()
  /** @param {() => void} act what is about the lines, which are shown for it */
  const onLines = (act) => () => {
    talk?.show('lines')
    act()
  }
  return {
    keys: {
      '/': onLines(() => output.find.focus()),
      n: onLines(() => output.find.step(1)),
      N: onLines(() => output.find.step(-1)),
      f: () => (talk?.shown ? talk.follow() : output.toggle()),
      ...(talk && { v: () => talk.toggle() }),
      i: () => input.focus(),
      t: press('#times'),
      w: press('#wrap'),
    },
    show: (a) => options?.show(a),
    hot: input.show,
    async follow(signal, { attached, event }) {
      const options = { after: cursor, tail: MAX_BACK, epoch, signal, onattached: (/** @type {{agent: Agent}} */ a) => attached(a.agent), onend: (/** @type {{agent: Agent}} */ e) => attached(e.agent) }
      for await (const e of skein.events(id, options)) {
        output.add(e)
        talk?.add(e)
        event(e)
      }
    },
  }
}

/**
 * The box that writes to standard input.
 * @param {Skein} skein
 * @param {HTMLElement} root
 * @param {string} id
 * @param {() => void} sent called when something is being sent
 * @param {Options} [options] what the agent offers, if it may offer something
 */
function inputBox(skein, root, id, sent, options) {
  const form = /** @type {HTMLFormElement} */ (one(root, '#input'))
  const box = /** @type {HTMLTextAreaElement} */ (one(form, '#input-text'))
  const send = /** @type {HTMLButtonElement} */ (one(form, '#input-send'))
  const eof = /** @type {HTMLButtonElement} */ (one(form, '#input-eof'))
  const interrupt = /** @type {HTMLButtonElement | null} */ (form.querySelector('#input-interrupt'))
  const slash = options && new Slash(box, one(root, '#commands'), () => options.commands)
  /** @type {string[]} */
  const history = []
  let at = 0
  let draft = ''
  let ended = false // whether its standard input was closed from this page

  /** @param {string} text */
  const put = (text) => {
    box.value = text
    box.setSelectionRange(text.length, text.length)
  }

  form.addEventListener('submit', async (e) => {
    e.preventDefault()
    const text = box.value
    slash?.close()
    put('')
    if (text !== '' && history.at(-1) !== text && history.push(text) > MAX_HISTORY) history.shift()
    at = history.length
    sent()
    try {
      await skein.input(id, `${text}\n`)
    } catch (err) {
      if (!box.value) put(text)
      failed('The input was not sent', err)
    }
  })

  const close = async () => {
    try {
      await skein.input(id, '', { eof: true })
      ended = true
      show()
      toast('done', 'End of input is sent')
    } catch (err) {
      failed('The end of input was not sent', err)
    }
  }
  eof.addEventListener('click', () => void close())

  const cancel = async () => {
    try {
      await skein.input(id, '', { interrupt: true })
      toast('done', 'Its turn is canceled')
    } catch (err) {
      failed('Its turn was not canceled', err)
    }
  }
  interrupt?.addEventListener('click', () => void cancel())

  // Prompts that wait: dropped, or taken back into the box.
  one(root, '#prompts').addEventListener('click', async (e) => {
    const act = e.target instanceof HTMLElement && e.target.dataset.act
    const prompt = e.target instanceof HTMLElement && e.target.closest('li')?.dataset.prompt
    if (!act || !prompt) return
    try {
      const { text } = await skein.drop(id, prompt)
      if (act === 'edit') {
        put(box.value ? `${text}\n${box.value}` : text)
        box.focus()
      }
    } catch (err) {
      failed('It can’t be changed any more', err)
    }
  })

  box.addEventListener('keydown', (e) => {
    if (e.isComposing) return
    if (slash?.key(e)) return e.preventDefault()
    const first = !box.value.slice(0, box.selectionStart).includes('\n')
    const last = !box.value.slice(box.selectionEnd).includes('\n')
    if (e.key === 'Enter' && !e.shiftKey) form.requestSubmit()
    else if (e.key === 'd' && e.ctrlKey && box.value === '') void close()
    else if (e.key === 'c' && e.ctrlKey && interrupt && box.value === '' && getSelection()?.isCollapsed) void cancel()
    else if (e.key === 'ArrowUp' && first && at > 0) {
      if (at === history.length) draft = box.value
      put(history[--at] ?? '')
    } else if (e.key === 'ArrowDown' && last && at < history.length) put(++at === history.length ? draft : (history[at] ?? ''))
    else return
    e.preventDefault()
  })

  /**
   * Updates the input box. Standard input that was closed from this page takes nothing more, even if the record does not
   * say so yet.
   */
  function show() {
    if (!ended || box.disabled) return
    box.disabled = send.disabled = eof.disabled = true
    mark(box, 'placeholder', 'Its input was closed')
  }
  return { focus: () => box.focus(), show }
}
