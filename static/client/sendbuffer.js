/**
 * How much of what is written may lie in a WebSocket's own buffer.
 *
 * What lies there can't be passed by a more urgent message, so it is little: about what leaves within 2 · LOOK_MS. A fast
 * link gets more, since the buffer is looked at by a timer and must not run empty in between; a page in the background,
 * whose timers the browser slows down to one a second, likewise.
 */

/** Milliseconds between two looks at a buffer that is in use. */
export const LOOK_MS = 25

/** The least and the most, in bytes. */
export const LEAST = 64 << 10
export const MOST = 8 << 20

/**
 * Fits the send buffer of a QMux session to what the link takes.
 * @param {{setSendBufferSize(bytes: number): void}} session
 * @param {{send(data: any): void, readonly bufferedAmount: number, readonly readyState: number}} socket that the session is on
 */
export function fitSendBuffer(session, socket) {
  const send = socket.send.bind(socket)
  const left = () => given - socket.bufferedAmount
  let given = 0
  let before = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let looking

  const look = () => {
    looking = undefined
    if (socket.readyState > 1) return // closing: its buffer leaves no more
    session.setSendBufferSize(Math.min(Math.max(2 * (left() - before), LEAST), MOST))
    if (socket.bufferedAmount > 0) later()
  }
  const later = () => {
    before = left()
    looking = setTimeout(look, LOOK_MS)
    looking.unref?.() // Node: it keeps no program alive
  }

  socket.send = (data) => {
    send(data)
    given += data.byteLength ?? data.length
    if (!looking) later()
  }
}
