import { extra } from './load.js'

/** @typedef {{update(bytes: Uint8Array): unknown, digest(): Uint8Array}} Algorithm */

/**
 * Sha256 hashes bytes as they come, in constant memory. WebCrypto needs all of them at once. Node's own SHA-256 is faster
 * than any in JavaScript.
 */
export class Sha256 {
  #hash

  /** @param {Algorithm} hash */
  constructor(hash) {
    this.#hash = hash
  }

  /** @param {AbortSignal} [signal] ends the wait for the module that has SHA-256 for browsers */
  static async create(signal) {
    return new Sha256(globalThis.process?.getBuiltinModule?.('node:crypto')?.createHash('sha256') ?? (await extra.get(signal)).sha256.create())
  }

  /** @param {Uint8Array} bytes */
  update(bytes) {
    this.#hash.update(bytes)
  }

  /** The digest in hexadecimal. No more bytes can be added after it. */
  hex() {
    return Array.from(this.#hash.digest(), (b) => b.toString(16).padStart(2, '0')).join('')
  }
}
