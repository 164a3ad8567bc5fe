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
