import Session from '@moq/qmux'
import { SUBPROTOCOLS } from './codes.js'
import { ConnectError } from './errors.js'

/** @import { Carrier, Door } from './types.js' */

/**
 * @typedef {new (url: string, options?: any) => any} WebTransportConstructor
 * @typedef {new (url: string, protocols?: string[]) => any} WebSocketConstructor
 */

// @moq/qmux builds on it; browsers have it since 2024, Node since version 22
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

/** QMux windows: a stream that nobody reads holds at most 1 MiB, a session 16 MiB. The server opens few streams. */
const QMUX_CONFIG = {
  maxStreamsBidi: 64n,
  maxStreamsUni: 0n,
  maxData: 16n << 20n,
  maxStreamDataBidiLocal: 1n << 20n,
  maxStreamDataBidiRemote: 4n << 20n,
  maxIdleTimeout: 30_000n,
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
  const carrier = new WebTransport(door.url, options)
  return quiet(carrier)
}

/**
 * @param {WebSocketConstructor | undefined} WebSocket none: the browser's own
 * @param {Door} door
 * @returns {Carrier}
 */
export function openWebSocket(WebSocket, door) {
  if (!WebSocket && !globalThis.WebSocket) {
    throw new ConnectError('no_transport', "this JavaScript runtime has no WebSocket: pass {WebSocket: (await import('ws')).WebSocket}", { final: true })
  }
  const protocols = door.protocols?.length ? door.protocols : SUBPROTOCOLS
  const source = WebSocket ? new WebSocket(door.url, protocols) : door.url
  const session = new Session(source, { protocols, requireProtocol: true, config: QMUX_CONFIG })
  return quiet(/** @type {Carrier} */ (session))
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
