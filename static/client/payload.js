/** @import { Payload } from './types.js' */

/** @typedef {string | Uint8Array | ArrayBuffer | Payload} PayloadInit what callers may pass for a Payload of the protocol */

/**
 * @param {PayloadInit} value
 * @returns {Payload}
 */
export function toPayload(value) {
  if (typeof value === 'string') {
    // JSON escapes control characters as six bytes each, so that base64 may be shorter
    if (JSON.stringify(value).length < value.length * 1.5 + 64) return { text: value }
    return { base64: toBase64(new TextEncoder().encode(value)) }
  }
  if (value instanceof Uint8Array) return { base64: toBase64(value) }
  if (value instanceof ArrayBuffer) return { base64: toBase64(new Uint8Array(value)) }
  return value
}

/**
 * The bytes of a payload; empty if there is none.
 * @param {Payload} [payload]
 * @returns {Uint8Array}
 */
export function payloadBytes(payload) {
  if (payload?.base64) return Uint8Array.from(atob(payload.base64), (c) => c.charCodeAt(0))
  return new TextEncoder().encode(payload?.text ?? '')
}

/**
 * A payload as text. Invalid UTF-8 becomes U+FFFD.
 * @param {Payload} [payload]
 * @returns {string}
 */
export function payloadText(payload) {
  return payload?.base64 ? new TextDecoder().decode(payloadBytes(payload)) : (payload?.text ?? '')
}

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  let binary = ''
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000))
  return btoa(binary)
}
