import Session from '@moq/qmux'
import { attemptsOf } from './attempts.js'
import { SUBPROTOCOLS } from './codes.js'
import { ConnectError } from './errors.js'
import { fitSendBuffer } from './sendbuffer.js'

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
  const carrier = quiet(new WebTransport(door.url, options))
  carrier.ready.catch(() => attemptsOf(WebTransport).failed())
  return carrier
}

/**
 * QMux on a plain WebSocket. Given an address, @moq/qmux takes the browser's WebSocketStream: Chromium's (seen in 156)
 * brings the whole page down when the connection is reset under a write that waits.
 * @param {WebSocketConstructor | undefined} WebSocket none: the runtime's own
 * @param {Door} door
 * @returns {Carrier}
 */
export function openWebSocket(WebSocket = globalThis.WebSocket, door) {
  if (!WebSocket) {
    throw new ConnectError('no_transport', "this JavaScript runtime has no WebSocket: pass {WebSocket: (await import('ws')).WebSocket}", { final: true })
  }
  const protocols = door.protocols?.length ? door.protocols : SUBPROTOCOLS
  const socket = new WebSocket(door.url, protocols)
  const session = new Session(socket, { protocols, requireProtocol: true, config: QMUX_CONFIG })
  fitSendBuffer(session, socket)
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
