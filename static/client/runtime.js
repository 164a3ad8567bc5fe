/**
 * Finds out what the JavaScript runtime offers and whether it is good enough for a session.
 */

/** @import { WebTransportConstructor } from './carrier.js' */

/**
 * The WebTransport to use; `missing` says why there is none, in words for a person.
 * @param {WebTransportConstructor | null} [option] the program's choice; null: use none
 * @returns {{WebTransport?: WebTransportConstructor, missing: string}}
 */
export function usableWebTransport(option) {
  if (option) return { WebTransport: option, missing: '' }
  if (option === null) return { missing: 'switched off by the page' }
  const { WebTransport } = globalThis
  if (!WebTransport) return { missing: absent() }
  const missing = unfit()
  return missing ? { missing } : { WebTransport, missing: '' }
}

function absent() {
  if (typeof document === 'undefined') return 'this JavaScript runtime has no WebTransport'
  if (!globalThis.isSecureContext) return 'the browser has no WebTransport on a page without https'
  return 'this browser has no WebTransport'
}

/**
 * Why the runtime's own WebTransport can't carry a session; empty if it can.
 *
 * Deno's WebTransport (with --unstable-net, seen in 2.9) sends no FIN for a `writer.close()` before the session ends, so
 * that no upload can complete. Lanes that the client has left stay open, `closed` never settles when the server closes, and
 * stream errors have no code. All of this shows only once a session is in use, so the runtime is recognized by its name. A
 * program that wants it anyway passes `WebTransport: globalThis.WebTransport`.
 */
function unfit() {
  return 'Deno' in globalThis ? "Deno's WebTransport does not end streams" : ''
}
