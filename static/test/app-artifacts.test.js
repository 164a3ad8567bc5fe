import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rendered } from '../app/artifact/artifact.js'

/** @import { Skein } from '../client/index.js' */
/** @import { Artifact } from '../client/types.js' */

test('artifacts: those that did not fit the answer are requested again, those that are gone are left out', async () => {
  const artifacts = Array.from({ length: 150 }, (_, i) => /** @type {Artifact} */ ({ id: `f${i}`, state: 'uploading' }))
  let requests = 0
  const render = async (/** @type {string[]} */ ids) => {
    requests++
    return Object.fromEntries(ids.filter((id) => id !== 'f3').slice(0, 40).map((id) => [id, `<div id="${id}"></div>`]))
  }
  const html = await rendered(/** @type {Skein} */ (/** @type {unknown} */ ({ artifacts: { render } })), 'row', artifacts, () => undefined)
  assert.deepEqual(Object.keys(html).sort(), artifacts.map((a) => a.id).filter((id) => id !== 'f3').sort())
  assert.ok(requests < 10, `${requests} requests`)
})
