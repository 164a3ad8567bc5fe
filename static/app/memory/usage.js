import { RpcError } from '../../client/errors.js'
import { field, mark, write } from '../lib/dom.js'
import { bytes } from '../lib/format.js'

/** @import { MemoryNamespace } from '../../client/types.js' */

/**
 * How much of its limits a namespace takes.
 * @param {HTMLElement} root
 * @param {MemoryNamespace} ns
 * @param {{keys: string}} texts
 */
export function showUsage(root, ns, { keys }) {
  const share = (/** @type {number} */ n, /** @type {number} */ limit) => (limit > 0 ? Math.min(1, n / limit).toFixed(4) : '0')
  write(field(root, 'keys'), keys)
  write(field(root, 'keys-limit'), `of ${ns.max_keys}`)
  mark(field(root, 'keys-bar'), 'width', share(ns.keys, ns.max_keys))
  write(field(root, 'bytes'), bytes(ns.bytes))
  write(field(root, 'bytes-limit'), `of ${bytes(ns.max_bytes)}`)
  mark(field(root, 'bytes-bar'), 'width', share(ns.bytes, ns.max_bytes))
}

/**
 * What to say where a new entry was there already.
 * @param {unknown} e
 */
export function conflictText(e) {
  if (!(e instanceof RpcError) || e.kind !== 'conflict') return e
  return new RpcError({ code: e.code, message: 'there is such an entry already: open it to change it', data: { kind: 'conflict', field: 'key' } })
}
