import { attemptsOf } from './attempts.js'
import { SUBPROTOCOLS } from './codes.js'
import { ConnectError } from './errors.js'
import { extra } from './load.js'

/** @import { Carrier, Endpoint } from './types.js' */

/**
 * @typedef {new (url: string, options?: any) => any} WebTransportConstructor
 * @typedef {new (url: string, protocols?: string[]) => any} WebSocketConstructor
 */

// This library and @moq/qmux need Promise.withResolvers. Browsers have had it since 2024, Node since version 22.
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
 * @param {Endpoint} endpoint
 * @returns {Carrier}
 */
export function openWebTransport(WebTransport, endpoint) {
  /** @type {Record<string, unknown>} */
  const options = { requireUnreliable: true }
  if (endpoint.certificate_hashes?.length) {
    options.serverCertificateHashes = endpoint.certificate_hashes.map(({ algorithm, value }) => ({
      algorithm,
      value: Uint8Array.from(atob(value), (c) => c.charCodeAt(0)),
    }))
  }
  const carrier = quiet(new WebTransport(endpoint.url, options))
  carrier.ready.catch(() => attemptsOf(WebTransport).failed())
  return carrier
}

/**
 * Opens QMux on a plain WebSocket.
 * @param {WebSocketConstructor | undefined} WebSocket undefined: the runtime's own
 * @param {Endpoint} endpoint
 * @param {AbortSignal} signal ends the wait for the QMux module
 * @returns {Promise<Carrier>}
 */
export async function openWebSocket(WebSocket = globalThis.WebSocket, endpoint, signal) {
  if (!WebSocket) {
    throw new ConnectError('no_transport', "this JavaScript runtime has no WebSocket: pass {WebSocket: (await import('ws')).WebSocket}", { final: true })
  }
  const { openQMux } = await extra.get(signal)
  const protocols = endpoint.protocols?.length ? endpoint.protocols : SUBPROTOCOLS
  return quiet(/** @type {Carrier} */ (openQMux(new WebSocket(endpoint.url, protocols), protocols)))
}

/**
 * Marks the promises of a carrier as handled. Those who await them still see them reject, but a program that does not await
 * them is not ended by an unhandled rejection.
 * @param {Carrier} carrier
 */
function quiet(carrier) {
  carrier.ready.catch(() => {})
  carrier.closed.catch(() => {})
  return carrier
}
