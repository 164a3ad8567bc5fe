/**
 * What many clients never need, a module of its own, which load.js loads: QMux, the carrier on a WebSocket, and for files
 * what reads one that is uploaded, and SHA-256 for browsers. What it imports of this library the rest does not import: it would
 * be in both files.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import Session from '@moq/qmux'
import { fitSendBuffer } from './sendbuffer.js'

export { sourceOf } from './source.js'
export { sha256 }

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
 * QMux on a plain WebSocket. Given an address, @moq/qmux takes the browser's WebSocketStream: Chromium's (seen in 156)
 * brings the whole page down when the connection is reset under a write that waits.
 * @param {any} socket
 * @param {string[]} protocols
 */
export function openQMux(socket, protocols) {
  const session = new Session(socket, { protocols, requireProtocol: true, config: QMUX_CONFIG })
  fitSendBuffer(session, socket)
  return session
}
