import { field, one, write } from '../lib/dom.js'
import { morph, parse } from '../lib/morph.js'
import { arrange } from '../list/arrange.js'
import { inList, rendered } from './artifact.js'

/** @import { Skein } from '../../client/index.js' */

const LOOK_MS = 3000
const MAX_KEPT = 5

/**
 * Keeps the list of artifacts on the page of an agent or a task up to date (KeptList in ui/artifact/artifacts.templ).
 * @param {Skein} skein
 */
export function kept(skein) {
  const root = one(document, '#kept')
  const list = one(root, '#kept-list')
  const filter = { limit: MAX_KEPT, ...(root.dataset.task && { task: root.dataset.task }), ...(root.dataset.agent && { agent: root.dataset.agent }) }

  const look = async () => {
    if (document.visibilityState !== 'visible' || skein.state !== 'open') return
    const { artifacts, total } = await skein.artifacts.list(filter)
    const items = new Map(/** @type {HTMLElement[]} */ ([...list.children]).map((el) => [el.dataset.id ?? '', el]))
    const html = await rendered(skein, 'item', artifacts, (id) => items.get(id))
    arrange(list, artifacts.flatMap(({ id }) => {
      const [to] = parse(html[id] ?? '')
      const el = items.get(id) ?? to
      if (el && to && el !== to) morph(el, to)
      if (el) inList(el, { task: root.dataset.task, agent: root.dataset.agent })
      return el ?? []
    }))
    write(field(root, 'all'), `All ${total}`)
    root.hidden = total === 0
  }

  const soon = () => void look().catch(() => {}) // the next poll tries again
  void skein.ready.then(soon, () => {})
  setInterval(soon, LOOK_MS)
}
