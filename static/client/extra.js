/**
 * The code that many clients never need, as a separate module that load.js loads: QMux, which is the carrier on a
 * WebSocket, the reader of files that are uploaded, terminals, pictures of agents, workers, and SHA-256 for browsers. This module and the rest of the library
 * import no common module, because it would be bundled into both files.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import Session from '@moq/qmux'
import { fitSendBuffer } from './sendbuffer.js'

export { sourceOf } from './source.js'
export { glance } from './glance.js'
export { viewTerminal } from './terminal.js'
export { serve } from './worker.js'
export { sha256 }

/**
 * The flow-control windows of QMux: a stream that is not read buffers at most 1 MiB, a session 16 MiB. The server opens few
 * streams.
 */
const QMUX_CONFIG = {
  maxStreamsBidi: 64n,
  maxStreamsUni: 0n,
  maxData: 16n << 20n,
  maxStreamDataBidiLocal: 1n << 20n,
  maxStreamDataBidiRemote: 4n << 20n,
  maxIdleTimeout: 30_000n,
}

/**
 * Opens QMux on a plain WebSocket. Given a URL instead, @moq/qmux would use the browser's WebSocketStream, and that of
 * Chromium (seen in 156) crashes the whole page when the connection is reset while a write waits.
 * @param {any} socket
 * @param {string[]} protocols
 */
export function openQMux(socket, protocols) {
  const session = new Session(socket, { protocols, requireProtocol: true, config: QMUX_CONFIG })
  fitSendBuffer(session, socket)
  return session
}
