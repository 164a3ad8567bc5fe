import { extra } from './load.js'

/** @typedef {{update(bytes: Uint8Array): unknown, digest(): Uint8Array}} Algorithm */

/**
 * SHA-256 over bytes as they come, in constant memory. WebCrypto's wants all of them at once; Node's own is faster than
 * any in JavaScript.
 */
export class Sha256 {
  #hash

  /** @param {Algorithm} hash */
  constructor(hash) {
    this.#hash = hash
  }

  /** @param {AbortSignal} [signal] ends the wait for the module that computes it in browsers */
  static async create(signal) {
    return new Sha256(globalThis.process?.getBuiltinModule?.('node:crypto')?.createHash('sha256') ?? (await extra.get(signal)).sha256.create())
  }

  /** @param {Uint8Array} bytes */
  update(bytes) {
    this.#hash.update(bytes)
  }

  /** The digest, hexadecimal. Nothing can be added after it. */
  hex() {
    return Array.from(this.#hash.digest(), (b) => b.toString(16).padStart(2, '0')).join('')
  }
}
