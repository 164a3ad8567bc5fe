import { sha256 } from '@noble/hashes/sha2.js'

/**
 * SHA-256 over bytes as they come, in constant memory. WebCrypto's wants all of them at once; Node's own is faster than
 * any in JavaScript.
 */
export class Sha256 {
  #hash = globalThis.process?.getBuiltinModule?.('node:crypto')?.createHash('sha256') ?? sha256.create()

  /** @param {Uint8Array} bytes */
  update(bytes) {
    this.#hash.update(bytes)
  }

  /** The digest, hexadecimal. Nothing can be added after it. */
  hex() {
    return Array.from(this.#hash.digest(), (b) => b.toString(16).padStart(2, '0')).join('')
  }
}
