import { attemptsOf } from './attempts.js'
import { SUBPROTOCOLS } from './codes.js'
import { ConnectError } from './errors.js'
import { extra } from './load.js'

/** @import { Carrier, Door } from './types.js' */

/**
 * @typedef {new (url: string, options?: any) => any} WebTransportConstructor
 * @typedef {new (url: string, protocols?: string[]) => any} WebSocketConstructor
 */

// This library and @moq/qmux build on it; browsers have it since 2024, Node since version 22
if (typeof Promise.withResolvers !== 'function') {
  Promise.withResolvers = /** @type {any} */ (
    function withResolvers() {
      /** @type {any} */
      const out = {}
      out.promise = new Promise((resolve, reject) => Object.assign(out, { resolve, reject }))
      return out
    }
  )
}

/**
 * @param {WebTransportConstructor} WebTransport
 * @param {Door} door
 * @returns {Carrier}
 */
export function openWebTransport(WebTransport, door) {
  /** @type {Record<string, unknown>} */
  const options = { requireUnreliable: true }
  if (door.certificate_hashes?.length) {
    options.serverCertificateHashes = door.certificate_hashes.map(({ algorithm, value }) => ({
      algorithm,
      value: Uint8Array.from(atob(value), (c) => c.charCodeAt(0)),
    }))
  }
  const carrier = quiet(new WebTransport(door.url, options))
  carrier.ready.catch(() => attemptsOf(WebTransport).failed())
  return carrier
}

/**
 * QMux on a plain WebSocket.
 * @param {WebSocketConstructor | undefined} WebSocket none: the runtime's own
 * @param {Door} door
 * @param {AbortSignal} signal ends the wait for the module that does it
 * @returns {Promise<Carrier>}
 */
export async function openWebSocket(WebSocket = globalThis.WebSocket, door, signal) {
  if (!WebSocket) {
    throw new ConnectError('no_transport', "this JavaScript runtime has no WebSocket: pass {WebSocket: (await import('ws')).WebSocket}", { final: true })
  }
  const { openQMux } = await extra.get(signal)
  const protocols = door.protocols?.length ? door.protocols : SUBPROTOCOLS
  return quiet(/** @type {Carrier} */ (openQMux(new WebSocket(door.url, protocols), protocols)))
}

/**
 * Whoever waits for the promises of a carrier learns how they end; whoever doesn't must not crash the program.
 * @param {Carrier} carrier
 */
function quiet(carrier) {
  carrier.ready.catch(() => {})
  carrier.closed.catch(() => {})
  return carrier
}
