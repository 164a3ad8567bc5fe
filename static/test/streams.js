/**
 * A stream of the given chunks.
 * @param {Uint8Array[]} chunks
 * @returns {ReadableStream<Uint8Array>}
 */
export function streamOf(chunks) {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
}
