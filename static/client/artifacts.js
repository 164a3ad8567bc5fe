import { pause } from './backoff.js'
import { RpcError, SkeinError } from './errors.js'
import { Sha256 } from './hash.js'
import { extra } from './load.js'
import { refusal } from './message.js'
import { pages } from './pages.js'
import { resume } from './resume.js'

/** @import * as wire from './types.js' */
/** @import { Host } from './resume.js' */
/** @import { Lane } from './lane.js' */
/** @import { CallOptions } from './rpc.js' */
/** @import { Source, Uploadable } from './source.js' */

/** @typedef {{loaded: number, total: number}} TransferProgress bytes */

/**
 * @typedef {object} UploadOptions
 * @property {string} [name] the file name; the default is that of a File
 * @property {string} [media_type] the default is that of a Blob
 * @property {number} [size] the size of a ReadableStream, which must be given
 * @property {string} [task] the task that it belongs to
 * @property {string} [agent] the agent that it belongs to
 * @property {string} [artifact] the id of an existing artifact, from create() or from an upload that was interrupted
 * @property {(progress: TransferProgress) => void} [onprogress] after a reconnect `loaded` goes back to what the server has stored
 * @property {AbortSignal} [signal]
 */

/** How long to wait for the server's reason when an upload breaks, in milliseconds. */
const EXPLAIN_MS = 1000

/** Artifacts are the files that tasks, agents and people have stored. */
export class Artifacts {
  #host

  /** @param {Host} host */
  constructor(host) {
    this.#host = host
  }

  /**
   * Creates the record that an upload fills.
   * @param {wire.ArtifactCreateParams} params
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Artifact>}
   */
  create(params, options) {
    return this.#host.call('artifact.create', params, options)
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<wire.Artifact>}
   */
  get(id, options) {
    return this.#host.call('artifact.get', { id }, options)
  }

  /**
   * Renders artifacts as parts of Skein's own pages. It takes at most 100 ids and returns the HTML by id; artifacts that
   * are gone are left out.
   * @param {string[]} ids
   * @param {wire.ArtifactHTML} html
   * @param {CallOptions} [options]
   * @returns {Promise<Record<string, string>>}
   */
  async render(ids, html, options) {
    return (await this.#host.call('artifact.render', { ids, html }, options)).html
  }

  /**
   * @param {wire.ArtifactFilter} [filter]
   * @param {CallOptions} [options]
   * @returns {Promise<wire.ArtifactListResult>}
   */
  list(filter = {}, options) {
    return pages(this.#host.call, 'artifact.list', 'artifacts', filter, options)
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<void>}
   */
  async delete(id, options) {
    await this.#host.call('artifact.delete', { id }, options)
  }

  /**
   * Uploads a file. After a reconnect the upload goes on behind what the server has stored. It fails with kind
   * `hash_mismatch` if the server received other bytes, and with `size_mismatch` if the file does not have the announced
   * size. An interrupted upload leaves its record: continue it with `artifact`, or delete it.
   * @param {Uploadable} file
   * @param {UploadOptions} [options]
   * @returns {Promise<wire.Artifact>} the complete artifact
   */
  async upload(file, options = {}) {
    const { sourceOf } = await extra.get(options.signal)
    const source = sourceOf(file, options.size, SkeinError)
    try {
      const id = options.artifact ?? (await this.create(announce(file, source.size, options), { signal: options.signal })).id
      return await send(this.#host, id, source, options)
    } finally {
      await source.close()
    }
  }

  /**
   * Downloads the bytes of an artifact, over reconnects. At the end the bytes are checked: the stream fails with kind
   * `hash_mismatch` if they are not what was stored. With an `offset` they can't be checked.
   *
   *     const blob = await new Response(skein.artifacts.download(id)).blob()
   * @param {string} id
   * @param {object} [options]
   * @param {number} [options.offset] the first byte
   * @param {(progress: TransferProgress) => void} [options.onprogress]
   * @param {AbortSignal} [options.signal]
   * @returns {ReadableStream<Uint8Array>}
   */
  download(id, { offset = 0, onprogress, signal } = {}) {
    const left = new AbortController()
    const either = signal ? AbortSignal.any([signal, left.signal]) : left.signal
    const bytes = receive(this.#host, id, offset, onprogress, either)
    return new ReadableStream(
      {
        async pull(controller) {
          const { done, value } = await bytes.next()
          if (done) controller.close()
          else controller.enqueue(value)
        },
        cancel: (reason) => left.abort(reason),
      },
      { highWaterMark: 0 }, // request nothing before the stream is read
    )
  }
}

/**
 * Wait awaits one promise after the other and can be ended from outside, since a write that lacks credit, or the next bytes
 * of a file, may wait forever.
 */
class Wait {
  /** @type {{reason: unknown} | undefined} */
  #over
  /** @type {(reason: unknown) => void} */
  #reject = () => {}

  /**
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<T>}
   */
  for(promise) {
    return new Promise((resolve, reject) => {
      promise.then(resolve, reject)
      this.#reject = reject
      if (this.#over) reject(this.#over.reason)
    })
  }

  /** @param {unknown} reason */
  end(reason) {
    this.#over ??= { reason }
    this.#reject(this.#over.reason)
  }
}

/**
 * @param {Uploadable} file
 * @param {number} size
 * @param {UploadOptions} options
 * @returns {wire.ArtifactCreateParams}
 */
function announce(file, size, { name, media_type, task, agent }) {
  const { name: fileName = '', type = '' } = /** @type {Partial<File>} */ (file instanceof Blob ? file : {})
  const media = media_type ?? type
  return { name: name ?? fileName, size, ...(media && { media_type: media }), ...(task && { task }), ...(agent && { agent }) }
}

/**
 * @param {Host} host
 * @param {string} id
 * @param {Source} source
 * @param {UploadOptions} options
 * @returns {Promise<wire.Artifact>}
 */
async function send(host, id, source, { onprogress, signal }) {
  const { size } = source
  const hash = await Sha256.create(signal)
  let hashed = 0

  /**
   * @param {Lane} lane
   * @param {number} offset how many bytes the server has stored
   * @param {Wait} wait
   */
  async function put(lane, offset, wait) {
    onprogress?.({ loaded: offset, total: size })
    let position = Math.min(hashed, offset)
    const all = source.read(position)
    try {
      for (let step = await wait.for(all.next()); !step.done; step = await wait.for(all.next())) {
        const piece = step.value
        const end = position + piece.length
        if (end > size) throw new SkeinError('size_mismatch', `the file has more than the ${size} bytes that were announced`)
        if (end > hashed) hash.update(piece.subarray(hashed - position))
        hashed = Math.max(hashed, end)
        if (end > offset) {
          await wait.for(lane.push(piece.subarray(Math.max(0, offset - position))))
          onprogress?.({ loaded: end, total: size })
        }
        position = end
        signal?.throwIfAborted()
      }
    } finally {
      all.return().catch(() => {}) // not awaited: it may wait for the file
    }
    if (position < size) throw new SkeinError('size_mismatch', `the file has ${position} bytes, ${size} were announced`)
  }

  /**
   * @param {Lane} lane
   * @returns {AsyncGenerator<never, {value: wire.Artifact} | void, void>}
   */
  async function* attempt(lane) {
    const begin = await readBulk(lane)
    if (!begin) return
    const wait = new Wait()
    const abort = () => wait.end(signal?.reason)
    signal?.addEventListener('abort', abort)
    try {
      if (begin.done) {
        await put(lane, size, wait) // only to hash the file
        return begin.artifact && { value: begin.artifact }
      }
      const answer = readBulk(lane)
      const answered = () => wait.end(new SkeinError('connection_lost', 'the server ended the upload'))
      answer.then(answered, answered)
      try {
        await put(lane, begin.offset, wait)
        await wait.for(lane.end())
      } catch (e) {
        // Prefer the server's reason to the error of the stream.
        const broke = e instanceof SkeinError && e.kind === 'connection_lost'
        if (!broke || !(await within(EXPLAIN_MS, answer, signal))) throw e
      }
      const last = await answer
      return last?.done && last.artifact ? { value: last.artifact } : undefined
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  const header = () => ({ lane: 'bulk', artifact: id, op: /** @type {const} */ ('put') })
  const { value } = await resume(host, { header, read: attempt, detail: () => ({ id, hashed }), signal }).next()
  check(value, hash)
  return value
}

/**
 * @param {Host} host
 * @param {string} id
 * @param {number} offset
 * @param {((progress: TransferProgress) => void) | undefined} onprogress
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Uint8Array, void, void>}
 */
function receive(host, id, offset, onprogress, signal) {
  /** @type {Sha256 | undefined} the hash of all bytes; undefined with an offset, where it can't be checked */
  let hash
  let position = offset
  /** @type {wire.Artifact | undefined} */
  let artifact

  /**
   * @param {Lane} lane
   * @returns {AsyncGenerator<Uint8Array, {value: undefined} | void, void>}
   */
  async function* read(lane) {
    if (offset === 0) hash ??= await Sha256.create(signal)
    const begin = await readBulk(lane)
    if (!begin?.artifact) return
    if (artifact && artifact.sha256 !== begin.artifact.sha256) {
      throw new SkeinError('hash_mismatch', `the artifact ${id} is another one than when the download began`)
    }
    artifact = begin.artifact
    const total = artifact.size
    while (position < total) {
      const bytes = await lane.bytes()
      if (!bytes) return
      position += bytes.length
      if (position > total) throw new SkeinError('size_mismatch', `the server sent more than the ${total} bytes of ${id}`)
      hash?.update(bytes)
      onprogress?.({ loaded: position, total })
      yield bytes
      signal.throwIfAborted()
    }
    if (hash) check(artifact, hash)
    return { value: undefined }
  }

  return resume(host, {
    header: () => ({ lane: 'bulk', artifact: id, op: 'get', ...(position > 0 && { offset: position }) }),
    read,
    detail: () => ({ id, position }),
    signal,
  })
}

/**
 * The value of a promise; undefined if it takes longer than `ms` or `signal` is aborted.
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @param {AbortSignal} [signal]
 */
async function within(ms, promise, signal) {
  const over = new AbortController() // so that no timer is left running
  try {
    return await Promise.race([promise, pause(ms, signal ? AbortSignal.any([signal, over.signal]) : over.signal)])
  } finally {
    over.abort()
  }
}

/**
 * @param {wire.Artifact} artifact
 * @param {Sha256} hash the hash of the bytes that were sent or received
 */
function check(artifact, hash) {
  const here = hash.hex()
  if (artifact.sha256 !== here) {
    throw new SkeinError('hash_mismatch', `the bytes of ${artifact.id} differ: SHA-256 is ${here} here, ${artifact.sha256} on the server`)
  }
}

/**
 * Reads a line of a bulk lane; undefined at the end of the stream.
 * @param {Lane} lane
 * @returns {Promise<wire.Bulk | undefined>}
 */
async function readBulk(lane) {
  const line = await lane.line()
  if (line === undefined) return undefined
  let bulk
  try {
    bulk = JSON.parse(line)
  } catch {
    throw refusal('parse_error', 'the line is not JSON')
  }
  if (bulk.error) throw new RpcError(bulk.error)
  return bulk
}
