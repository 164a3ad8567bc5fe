/**
 * Limits how many bytes lie in the buffer of a WebSocket.
 *
 * A more urgent message can't overtake the bytes in that buffer, so the buffer should be short: it holds about what leaves
 * within 2 · SAMPLE_MS. It is longer on a fast link, because a timer samples it and it must not run empty in between, and
 * in a background page, whose timers the browser throttles to one a second.
 */

/** The time between two samples of a buffer that is in use, in milliseconds. */
export const SAMPLE_MS = 25

/** The smallest and the largest size of the buffer, in bytes. */
export const LEAST = 64 << 10
export const MOST = 8 << 20

/**
 * Fits the send buffer of a QMux session to the bandwidth of the link.
 * @param {{setSendBufferSize(bytes: number): void}} session
 * @param {{send(data: any): void, readonly bufferedAmount: number, readonly readyState: number}} socket the WebSocket that the session is on
 */
export function fitSendBuffer(session, socket) {
  const send = socket.send.bind(socket)
  const left = () => given - socket.bufferedAmount
  let given = 0
  let before = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let sampling

  const sample = () => {
    sampling = undefined
    if (socket.readyState > 1) return // closing: its buffer no longer drains
    session.setSendBufferSize(Math.min(Math.max(2 * (left() - before), LEAST), MOST))
    if (socket.bufferedAmount > 0) later()
  }
  const later = () => {
    before = left()
    sampling = setTimeout(sample, SAMPLE_MS)
    sampling.unref?.() // in Node, the timer must not keep the program alive
  }

  socket.send = (data) => {
    send(data)
    given += data.byteLength ?? data.length
    if (!sampling) later()
  }
}
