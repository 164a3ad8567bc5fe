import { ErrorCode, MAX_MESSAGE, MAX_REQUEST_ID, VERSION } from './codes.js'
import { RpcError } from './errors.js'

/** @import { Message } from './types.js' */

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * Parses one line. It fails with an RpcError that says which rule of JSON-RPC 2.0 the line breaks.
 * @param {string} line
 * @param {number} [limit] the longest line, in bytes
 * @returns {Message}
 */
export function parseMessage(line, limit = MAX_MESSAGE) {
  line = line.trim()
  // one UTF-16 unit is one to three bytes, so that the bytes are counted only if there may be too many
  if (line.length > limit || (line.length * 3 > limit && encoder.encode(line).length > limit)) {
    throw refusal('too_large', `the message is longer than ${limit} bytes`)
  }
  if (line.startsWith('[')) {
    throw refusal('invalid_request', `JSON-RPC batches are not part of ${VERSION}: send one message a line`)
  }
  let m
  try {
    m = JSON.parse(line)
  } catch {
    throw refusal('parse_error', 'the line is not JSON')
  }
  if (typeof m !== 'object' || m === null) {
    throw refusal('invalid_request', 'the line is not a JSON-RPC 2.0 message')
  }
  if (m.jsonrpc !== '2.0') {
    throw refusal('invalid_request', '"jsonrpc" must be "2.0"')
  }
  if (m.method != null && typeof m.method !== 'string') {
    throw refusal('invalid_request', 'the line is not a JSON-RPC 2.0 message')
  }
  if (m.error != null && (typeof m.error !== 'object' || Array.isArray(m.error) || !Number.isInteger(m.error.code ?? 0))) {
    throw refusal('invalid_request', 'the line is not a JSON-RPC 2.0 message')
  }
  if (m.id === null) delete m.id
  if (m.id !== undefined) {
    if (encoder.encode(JSON.stringify(m.id)).length > MAX_REQUEST_ID) {
      throw refusal('invalid_request', `"id" is longer than ${MAX_REQUEST_ID} bytes`)
    }
    if (typeof m.id !== 'string' && typeof m.id !== 'number') {
      throw refusal('invalid_request', '"id" must be a string or a number')
    }
  }
  if (!m.method && m.result === undefined && m.error == null) {
    throw refusal('invalid_request', 'the message has neither "method" nor "result" nor "error"')
  }
  return m
}

/**
 * The kinds of message datagrams. Each is a byte with the kind, then one message without its newline (docs/protocol.md,
 * "Critical requests race").
 */
export const DATAGRAM_REQUEST = 2
export const DATAGRAM_RESPONSE = 3
const MAX_DATAGRAM = 1100

/**
 * Makes the datagram of a line; undefined if the line is too long.
 * @param {number} kind
 * @param {Uint8Array} line
 */
export function messageDatagram(kind, line) {
  const end = line.at(-1) === 10 ? line.length - 1 : line.length
  if (end >= MAX_DATAGRAM) return undefined
  const bytes = new Uint8Array(1 + end)
  bytes[0] = kind
  bytes.set(line.subarray(0, end), 1)
  return bytes
}

/**
 * Parses a datagram of the given kind; undefined if it has another kind or is malformed.
 * @param {number} kind
 * @param {Uint8Array} bytes
 */
export function parseMessageDatagram(kind, bytes) {
  if (bytes.length < 2 || bytes.length > MAX_DATAGRAM || bytes[0] !== kind) return undefined
  try {
    const m = parseMessage(decoder.decode(bytes.subarray(1)))
    return m.id !== undefined && Boolean(m.method) === (kind === DATAGRAM_REQUEST) ? m : undefined
  } catch {
    return undefined
  }
}

/**
 * Makes an error like the server's.
 * @param {keyof typeof ErrorCode} kind
 * @param {string} message
 */
export function refusal(kind, message) {
  return new RpcError({ code: ErrorCode[kind], message, data: { kind } })
}

/**
 * Encodes a value as a line of JSON.
 * @param {unknown} value
 * @returns {Uint8Array}
 */
export function encodeLine(value) {
  return encoder.encode(JSON.stringify(value) + '\n')
}
