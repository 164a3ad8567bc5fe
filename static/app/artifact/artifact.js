import { field, mark } from '../lib/dom.js'
import { renderAll } from '../lib/fragments.js'

/** @import { Skein } from '../../client/index.js' */
/** @import { Artifact, ArtifactHTML } from '../../client/types.js' */

/**
 * Asks the server to render the artifacts that have changed; a complete one never changes.
 * @param {Skein} skein
 * @param {ArtifactHTML} kind
 * @param {Artifact[]} artifacts
 * @param {(id: string) => HTMLElement | undefined} shown
 * @param {AbortSignal} [signal]
 * @returns {Promise<Record<string, string>>} by id
 */
export function rendered(skein, kind, artifacts, shown, signal) {
  const changed = artifacts.filter((a) => a.state !== 'complete' || shown(a.id)?.dataset.state !== 'complete').map((a) => a.id)
  return renderAll(changed, (ids) => skein.artifacts.render(ids, kind, { signal }))
}

/**
 * Makes a link to an artifact's page lead to it in this list, so that the page has the next and the previous one of it. What renders a
 * single artifact knows no list.
 * @param {HTMLElement} el
 * @param {Record<string, string | undefined>} filter of the list: q, task, agent
 */
export function inList(el, filter) {
  const link = field(el, 'name')
  if (!(link instanceof HTMLAnchorElement)) return
  const url = new URL(link.href)
  url.search = new URLSearchParams(Object.entries(filter).flatMap(([k, v]) => (v ? [[k, v]] : []))).toString()
  mark(link, 'href', url.pathname + url.search)
}
