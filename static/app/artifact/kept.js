import { clone, field, mark, one, write } from '../lib/dom.js'
import { bytes, clean } from '../lib/format.js'
import { artifactWord, contentURL } from './artifact.js'

/** @import { Skein } from '../../client/index.js' */

const LOOK_MS = 3000
const MAX_KEPT = 5

/**
 * Keeps the list of an agent's or a task's artifacts on its page up to date: the component ui/artifact/artifacts.templ calls kept.
 * @param {Skein} skein
 */
export function kept(skein) {
  const root = one(document, '#kept')
  const list = one(root, '#kept-list')
  const filter = { limit: MAX_KEPT, ...(root.dataset.task && { task: root.dataset.task }), ...(root.dataset.agent && { agent: root.dataset.agent }) }
  let shown = ''

  const look = async () => {
    if (document.visibilityState !== 'visible' || skein.state !== 'open') return
    const { artifacts, total } = await skein.artifacts.list(filter)
    const now = Date.now()
    const texts = artifacts.map((a) => ({ id: a.id, name: clean(a.name), done: a.state === 'complete', text: a.state === 'complete' ? bytes(a.size) : artifactWord(a, now) }))
    const state = JSON.stringify([texts, total])
    if (state === shown) return
    shown = state
    list.replaceChildren(
      ...texts.map(({ id, name, done, text }) => {
        const el = clone('kept-item')
        mark(el, 'data-id', id)
        write(field(el, 'name'), name)
        mark(field(el, 'name'), 'href', done ? contentURL(id) : null)
        write(field(el, 'text'), text)
        return el
      }),
    )
    write(field(root, 'all'), `All ${total}`)
    root.hidden = total === 0
  }

  const soon = () => void look().catch(() => {}) // the next look tries again
  void skein.ready.then(soon, () => {})
  setInterval(soon, LOOK_MS)
}
