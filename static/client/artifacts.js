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
 * @property {string} [name] a file name; that of a File unless said otherwise
 * @property {string} [media_type] that of a Blob unless said otherwise
 * @property {number} [size] of a ReadableStream
 * @property {string} [task] that it belongs to
 * @property {string} [agent] likewise
 * @property {string} [artifact] the id of one that exists: created before, or by an upload that broke off
 * @property {(progress: TransferProgress) => void} [onprogress] after a reconnect `loaded` goes back to what is safe
 * @property {AbortSignal} [signal]
 */

/** How long the server's word on a broken upload may take, in milliseconds. */
const EXPLAIN_MS = 1000

/** The files that tasks and agents left, and people gave. */
export class Artifacts {
  #host

  /** @param {Host} host */
  constructor(host) {
    this.#host = host
  }

  /**
   * Makes the record that an upload fills.
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
   * Artifacts as parts of Skein's own pages, by id; 100 at most are asked for at once. Those that are gone are left out.
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
   * Uploads a file, over reconnects: it goes on behind what the server has. It fails with kind `hash_mismatch` when the
   * server got other bytes, and with `size_mismatch` when the file has not as many as it said. An upload that broke off
   * leaves its record: go on with `artifact`, or delete it.
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
   * The bytes of an artifact, over reconnects. When all were read they are checked: the stream fails with kind
   * `hash_mismatch` where they are not what was stored. With an `offset` they can't be.
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
      { highWaterMark: 0 }, // nothing is asked for before somebody reads
    )
  }
}

/**
 * Waits for one thing after the other, and can be ended from outside: a write that lacks credit, or a file's next bytes,
 * may never come.
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
   * @param {number} offset what the server has
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
      all.return().catch(() => {}) // not waited for: it may wait for the file
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
        await put(lane, size, wait) // to hash it
        return begin.artifact && { value: begin.artifact }
      }
      const answer = readBulk(lane)
      const answered = () => wait.end(new SkeinError('connection_lost', 'the server ended the upload'))
      answer.then(answered, answered)
      try {
        await put(lane, begin.offset, wait)
        await wait.for(lane.end())
      } catch (e) {
        // What the server said counts more than how the stream broke.
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
  /** @type {Sha256 | undefined} of all the bytes; those behind an offset can't be checked */
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
 * What a promise fulfils with; undefined when it takes longer, or `signal` is aborted.
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @param {AbortSignal} [signal]
 */
async function within(ms, promise, signal) {
  const over = new AbortController() // no timer stays behind
  try {
    return await Promise.race([promise, pause(ms, signal ? AbortSignal.any([signal, over.signal]) : over.signal)])
  } finally {
    over.abort()
  }
}

/**
 * @param {wire.Artifact} artifact
 * @param {Sha256} hash of the bytes that went through here
 */
function check(artifact, hash) {
  const here = hash.hex()
  if (artifact.sha256 !== here) {
    throw new SkeinError('hash_mismatch', `the bytes of ${artifact.id} differ: SHA-256 is ${here} here, ${artifact.sha256} on the server`)
  }
}

/**
 * A line of a bulk lane; undefined at the end of the stream.
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
