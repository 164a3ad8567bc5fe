import { CloseCode, closeName, errorName, reconnects } from './codes.js'

/** @import { WireError } from './types.js' */

/**
 * @typedef {object} ErrorDetails
 * @property {number} [code]
 * @property {boolean} [final] whether it is useless to connect again
 * @property {number} [retryAfterMs] how long to wait at least before connecting again, in milliseconds
 * @property {unknown} [cause]
 */

/**
 * SkeinError is the base class of this library's errors. `kind` is for programs: it is one of the kinds of the protocol
 * (`not_found`, `resource_exhausted`, …) or of the client's own: `closed`, `connection_lost`, `no_transport`,
 * `connect_failed`, `not_skein`, `untrusted_certificate`, `outbox_full`, `outcome_unknown`, `timeout`, `bad_stream`,
 * `hash_mismatch`, `size_mismatch`, `not_resumable`, `not_loaded`.
 */
export class SkeinError extends Error {
  /**
   * @param {string} kind
   * @param {string} message
   * @param {ErrorDetails} [details]
   */
  constructor(kind, message, details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'SkeinError'
    this.kind = kind
    /**
     * A JSON-RPC error code, a close code, a stream code or an HTTP status, depending on the class of the error; 0 if there
     * is none.
     */
    this.code = details.code ?? 0
    this.final = details.final ?? false
    this.retryAfterMs = details.retryAfterMs ?? 0
  }
}

/** RpcError is an error that the server answered a request with. */
export class RpcError extends SkeinError {
  /** @param {WireError} error */
  constructor(error) {
    const kind = error.data?.kind ?? errorName(error.code)
    super(kind, error.message, { code: error.code, final: kind === 'unauthorized' || kind === 'unsupported_version' })
    this.name = 'RpcError'
    /** The name of the invalid parameter, if the error is about one. */
    this.field = error.data?.field
    /** The values that are allowed instead. */
    this.supported = error.data?.supported ?? []
    /** The other details that the server gave. */
    this.data = error.data ?? {}
  }
}

/**
 * Whether an endpoint refused its ticket. That is never final: a server that has restarted does not know the tickets from
 * before, so the client needs another document. A client that may not connect at all is refused by /connect.
 * @param {unknown} e
 */
export function isStale(e) {
  if (e instanceof RpcError) return e.kind === 'ticket_expired' || e.kind === 'unauthorized'
  return e instanceof CloseError && (e.code === CloseCode.ticket_expired || e.code === CloseCode.unauthorized) // the close may arrive without the answer before it
}

/** CloseError says how a session ended. */
export class CloseError extends SkeinError {
  /**
   * @param {number} code
   * @param {string} [reason]
   * @param {number} [reconnectAfterMs] -1: do not connect again
   */
  constructor(code, reason = '', reconnectAfterMs = 0) {
    super('closed', reason || closeName(code), {
      code,
      final: reconnectAfterMs < 0 || !reconnects(code),
      retryAfterMs: Math.max(0, reconnectAfterMs),
    })
    this.name = 'CloseError'
    this.reason = reason || closeName(code)
  }
}

/** ConnectError says why no session could be opened. `failures` has the error of each endpoint. */
export class ConnectError extends SkeinError {
  /**
   * @param {string} kind
   * @param {string} message
   * @param {ErrorDetails & {failures?: {transport: string, url: string, error: Error}[]}} [details]
   */
  constructor(kind, message, details = {}) {
    super(kind, message, details)
    this.name = 'ConnectError'
    this.failures = details.failures ?? []
  }
}

/**
 * The message of a thrown value.
 * @param {unknown} e
 */
export function messageOf(e) {
  return e instanceof Error ? e.message || e.name : String(e)
}

/**
 * @param {unknown} e
 * @returns {Error}
 */
export function asError(e) {
  return e instanceof Error ? e : new Error(messageOf(e))
}
