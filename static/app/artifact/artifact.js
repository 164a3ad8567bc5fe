/** @import { Skein } from '../../client/index.js' */
/** @import { Artifact, ArtifactHTML } from '../../client/types.js' */

/** How many are asked for at once. */
const AT_ONCE = 100

/**
 * Has the server render those that are not shown as they are: one that is complete stays as it is. What did not fit beside the
 * others is asked for again, as long as any come.
 * @param {Skein} skein
 * @param {ArtifactHTML} kind
 * @param {Artifact[]} artifacts
 * @param {(id: string) => HTMLElement | undefined} shown
 * @param {AbortSignal} [signal]
 * @returns {Promise<Record<string, string>>} by id
 */
export async function rendered(skein, kind, artifacts, shown, signal) {
  const changed = artifacts.filter((a) => a.state !== 'complete' || shown(a.id)?.dataset.state !== 'complete').map((a) => a.id)
  /** @type {Record<string, string>} */
  const html = {}
  while (changed.length > 0) {
    const ids = changed.splice(0, AT_ONCE)
    const came = await skein.artifacts.render(ids, kind, { signal })
    const missing = ids.filter((id) => !came[id])
    if (missing.length < ids.length) changed.unshift(...missing)
    Object.assign(html, came)
  }
  return html
}
